/** Scaled dot-product attention of grouped queries, as one fused kernel each way or composed of TensorFlow's ops. */
import { callKernel, usesKernels } from "./kernels";
import { rotary as rotated, tablesRepeat, withGradient, type RotaryTables } from "./ops";
import { tf, type Tensor } from "./tensorflow";

/** Added to the score of what must not be seen. */
export const MASKED = -1e9;

/** [length, length], 0 where a row may see a column (column <= row) and -1e9 elsewhere. */
export function causalMask(length: number): tf.Tensor2D {
  return tf.tidy(() => {
    const position = tf.range(0, length, 1, "int32");
    return position.expandDims(1).less(position).cast("float32").mul(MASKED) as tf.Tensor2D;
  });
}

/** What may be seen, and how keys and values lie. */
export interface AttentionOptions {
  /**
   * Added to the scores, [B or 1, Tq or 1, Tk]; carries no gradient. -1e9 (`MASKED`) hides a key. A query that sees no
   * key gets what must not be used: the kernel gives 0, the composition a mean.
   */
  mask?: Tensor | null;
  /** A query sees keys up to its own place. Tq = Tk. */
  causal?: boolean;
  /** Keys and values are [B, kvHeads, Tk, d] (a cache), otherwise [B, Tk, kvHeads, d]. */
  byHead?: boolean;
  /**
   * Queries and keys are rotated by their positions first: tables as `rotary` takes them, which carry no gradient. Tq =
   * Tk.
   */
  rotary?: RotaryTables | null;
}

/**
 * `softmax(q kᵀ / sqrt(d) + mask) v`, the heads of a group sharing keys and values (Ainslie et al. 2023, arXiv
 * 2305.13245).
 * @param q [B, Tq, heads, d]
 * @param k [B, Tk, kvHeads, d], or by head; heads a multiple of kvHeads
 * @param v as k
 * @returns [B, Tq, heads * d]
 */
export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { mask = null, causal = false, byHead = false, rotary = null }: AttentionOptions = {},
): Tensor {
  const [batch, length, heads, size] = q.shape;
  if (
    q.rank !== 4 ||
    k.rank !== 4 ||
    k.shape.join() !== v.shape.join() ||
    k.shape[0] !== batch ||
    k.shape[3] !== size ||
    heads % k.shape[byHead ? 1 : 2]! !== 0
  ) {
    throw new Error(
      `attention: q [${q.shape.join(", ")}], k [${k.shape.join(", ")}], v [${v.shape.join(", ")}]; expected [B, Tq, heads, d] and two of ${byHead ? "[B, kvHeads, Tk, d]" : "[B, Tk, kvHeads, d]"}`,
    );
  }
  const keys = k.shape[byHead ? 2 : 1];
  if (causal && keys !== length)
    throw new Error(`attention: causal, with ${length} queries and ${keys} keys; they must be as many`);
  if (
    mask &&
    (mask.rank !== 3 ||
      ![1, batch].includes(mask.shape[0]) ||
      ![1, length].includes(mask.shape[1]!) ||
      mask.shape[2] !== keys)
  ) {
    throw new Error(`attention: mask [${mask.shape.join(", ")}]; expected [1 or ${batch}, 1 or ${length}, ${keys}]`);
  }
  if (rotary && (byHead || keys !== length))
    throw new Error(
      `attention: rotary, with ${length} queries and ${keys} keys${byHead ? " by head" : ""}; they must be as many, and lie alike`,
    );
  return tf.tidy(() => {
    const inKernel = usesKernels() && (!rotary || tablesRepeat(q, rotary));
    const [queries, turned] = rotary && !inKernel ? [rotated(q, rotary), rotated(k, rotary)] : [q, k];
    const mixed = usesKernels()
      ? fused(queries, turned, v, mask, inKernel ? rotary : null, causal, byHead)
      : composed(queries, turned, v, mask, causal, byHead);
    return mixed.reshape([batch, length, heads * size]);
  });
}

function fused(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  mask: Tensor | null,
  rotary: RotaryTables | null,
  causal: boolean,
  byHead: boolean,
): Tensor {
  const how = { by_head: byHead, causal };
  const masks = mask ?? tf.zeros([0, 0, 0]);
  const tables = rotary ? [rotary.cos, rotary.sin] : [tf.zeros([0]), tf.zeros([0])];
  return withGradient(
    [q, k, v],
    (save) => {
      const [out, logSum] = callKernel("Attention", [q, k, v, masks, ...tables], 2, how);
      save([q, k, v, masks, ...tables, logSum]);
      return out;
    },
    (dy, saved) => callKernel("AttentionGrad", [dy, ...saved], 3, how),
  );
}

/**
 * The queries of a group are folded into the time axis, so keys and values aren't repeated. They are scaled before the
 * product: on CPU, Grappler would fuse product, scaling and mask into a slow reference kernel.
 */
function composed(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | null, causal: boolean, byHead: boolean): Tensor {
  const [batch, length, heads, size] = q.shape;
  const [keys, values] = byHead ? [k, v] : [k, v].map((x) => x.transpose([0, 2, 1, 3]));
  const [, kvHeads, count] = keys.shape;
  const group = heads / kvHeads;
  const split = q.reshape([batch, length, kvHeads, group, size]);
  const folded = (length === 1 ? split : split.transpose([0, 2, 3, 1, 4])).reshape([
    batch,
    kvHeads,
    group * length,
    size,
  ]);
  const products = tf.matMul(folded.mul(1 / Math.sqrt(size)), keys, false, true);
  let scores: Tensor = products.reshape([batch, kvHeads, group, length, count]);
  if (causal) scores = scores.add(causalMask(length));
  if (mask) scores = scores.add(mask.reshape([mask.shape[0], 1, 1, mask.shape[1]!, count]));
  const mixed = tf.matMul(tf.softmax(scores).reshape(products.shape), values);
  return length === 1 ? mixed : mixed.reshape([batch, kvHeads, group, length, size]).transpose([0, 3, 1, 2, 4]);
}
