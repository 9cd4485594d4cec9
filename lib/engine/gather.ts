/**
 * Rows taken by index: rearranged, looked up, put in the places of others, packed. One fused kernel each way where
 * there is one.
 */
import { callKernel, usesKernels } from "./kernels";
import { isBf16 } from "./native";
import { withGradient } from "./ops";
import { tf, type Tensor } from "./tensorflow";

const hasKernel = (x: Tensor): boolean => usesKernels() && x.dtype === "float32" && x.size > 0 && !isBf16(x);
const flatRows = (x: Tensor): Tensor => (x.rank === 2 ? x : x.reshape([x.shape[0], -1]));

/**
 * y[i] = x[index[i]]; where that is -1 the row `base[i]`, or zeros.
 * @param x [N, D]
 * @param index int32 [M]
 * @param base [M, D]
 */
const taken = (x: Tensor, index: Tensor, base?: Tensor): Tensor =>
  callKernel("GatherRows", [x, index, base ?? tf.zeros([0])], 1)[0];

/** The gradient of `taken` with respect to x: rows added up by index. @param dy [M, D] @returns [rows, D] */
const scattered = (dy: Tensor, index: Tensor, rows: number): Tensor =>
  callKernel("ScatterRows", [dy, index], 1, {}, { rows })[0];

/** `taken` for an x of any rank, without a gradient. */
function gathered(x: Tensor, index: Tensor): Tensor {
  return hasKernel(x)
    ? taken(flatRows(x), index).reshape([index.size, ...x.shape.slice(1)])
    : tf.gather(x, index as tf.Tensor1D);
}

/**
 * Rows `index` of `x`, as `tf.gather` along the first axis.
 * @param x [N, ...]
 * @param index int32 [...], each in [0, N)
 * @returns [...index.shape, ...x.shape.slice(1)]
 */
export function gatherRows(x: Tensor, index: Tensor): Tensor {
  if (!hasKernel(x)) return tf.gather(x, index as tf.Tensor1D);
  return tf.tidy(() => {
    const flat = index.rank === 1 ? index : index.flatten();
    const rows = withGradient(
      [flatRows(x)],
      (save) => {
        save([flat]);
        return taken(flatRows(x), flat);
      },
      (dy, [at]) => [scattered(dy, at, x.shape[0])],
    );
    return rows.reshape([...index.shape, ...x.shape.slice(1)]);
  });
}

/**
 * `x` with rows of `rows` in the places where `index` is not -1.
 * @param x [..., D]
 * @param rows [N, D]
 * @param index int32 of x's shape without the last axis: a row of `rows`, or -1. Several places may take the same row
 */
export function mergeRows(x: Tensor, rows: Tensor, index: Tensor): Tensor {
  return tf.tidy(() => {
    if (hasKernel(x) && hasKernel(rows)) {
      const size = x.shape[x.rank - 1];
      const merged = withGradient(
        [x.reshape([-1, size]), rows],
        (save) => {
          const flat = index.flatten();
          save([flat]);
          return taken(rows, flat, x.reshape([-1, size]));
        },
        (dy, [at]) => {
          const kept = tf.where(
            tf.less(at, tf.scalar(0, "int32")),
            tf.range(0, at.size, 1, "int32"),
            tf.fill([at.size], -1, "int32"),
          );
          return [taken(dy, kept), scattered(dy, at, rows.shape[0])];
        },
      );
      return merged.reshape(x.shape);
    }
    const replaced = index.greaterEqual(tf.scalar(0, "int32")).cast("float32").expandDims(index.rank);
    const placed = tf.gather(rows, index.maximum(tf.scalar(0, "int32")) as tf.Tensor1D);
    return x.mul(tf.sub(1, replaced)).add(placed.mul(replaced));
  });
}

/**
 * Rows `index` of `x`, where `index` visits each row at least once and `inverse[i]` is a place where row i went.
 * The gradient is a gather too: places other than `inverse` must receive no gradient (padding that is masked out).
 * @param x [N, ...]
 * @param index int32 [M]
 * @param inverse int32 [N]
 * @returns [M, ...]
 */
export function permuteRows(x: Tensor, index: Tensor, inverse: Tensor): Tensor {
  return withGradient(
    [x],
    (save) => {
      save([inverse]);
      return gathered(x, index);
    },
    (dy, [back]) => [gathered(dy, back)],
  );
}

/**
 * Which places of padded rows hold a token, and where it stands among the packed ones. S packed places, N padded ones.
 */
export interface Packing {
  /** int32 `[S]`: the padded place of each packed token; 0 for a free one. */
  index: Tensor;
  /** `[S]`: 1 for a token, 0 for a free place. */
  packed: Tensor;
  /** int32 `[N]`: the packed place of each padded token; 0 for a free one. */
  place: Tensor;
  /** `[N]`: 1 for a token, 0 for a free place. */
  padded: Tensor;
}

/** Rows `index` of `x`, 0 where `mask` is 0: both directions of `Packing`, and each the gradient of the other. */
function move(x: Tensor, to: { index: Tensor; mask: Tensor }, back: { index: Tensor; mask: Tensor }): Tensor {
  const along = (y: Tensor, { index, mask }: typeof to): Tensor =>
    tf.mul(gathered(y, index), tf.reshape(mask, [-1, ...new Array<number>(y.rank - 1).fill(1)]));
  return withGradient(
    [x],
    (save) => {
      save([back.index, back.mask]);
      return along(x, to);
    },
    (dy, [index, mask]) => [along(dy, { index, mask })],
  );
}

/**
 * The tokens of padded rows, one after another (flash-attention's `unpad_input`).
 * @param x [N, ...]
 * @returns [S, ...], 0 in free places
 */
export function packRows(x: Tensor, { index, packed, place, padded }: Packing): Tensor {
  return move(x, { index, mask: packed }, { index: place, mask: padded });
}

/** Packed tokens back in padded rows (`pad_input`). @param x [S, ...] @returns [N, ...], 0 in free places */
export function padRows(x: Tensor, { index, packed, place, padded }: Packing): Tensor {
  return move(x, { index: place, mask: padded }, { index, mask: packed });
}
