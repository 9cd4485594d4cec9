/**
 * The compositions that run hot, each with a gradient written by hand where that saves kernels or memory, and as one
 * fused kernel each way where there is one (`kernels.ts`). Pure functions of tensors: no host reads, no branches on
 * data, so that `compile` can trace them.
 */
import { callKernel, usesKernels } from "./kernels";
import { tf, type Tensor } from "./tensorflow";

type Save = (tensors: Tensor[]) => void;

/** Runs `forward`, and `backward` (one gradient per input, in order) when a gradient is asked for. */
export function withGradient(
  inputs: Tensor[],
  forward: (save: Save) => Tensor,
  backward: (dy: Tensor, saved: Tensor[]) => Tensor[],
): Tensor {
  const op = tf.customGrad((...args) => {
    const save = args[args.length - 1] as unknown as Save;
    return { value: forward(save), gradFunc: (dy: Tensor, saved: Tensor[]) => backward(dy, saved) };
  });
  return op(...inputs);
}

const leadingAxes = (x: Tensor): number[] => Array.from({ length: x.rank - 1 }, (_, axis) => axis);

/**
 * Root-mean-square normalisation, `weight * x / sqrt(mean(x²) + eps)` over the last axis (Zhang & Sennrich 2019).
 * @param x [..., D]
 * @param weight [D]
 */
export function rmsNorm(x: Tensor, weight: Tensor, eps: number): Tensor {
  if (usesKernels()) {
    return withGradient(
      [x, weight],
      (save) => {
        const [y, scale] = callKernel("RmsNorm", [x, weight], 2, { eps });
        save([x, weight, scale]);
        return y;
      },
      (dy, saved) => callKernel("RmsNormGrad", [dy, ...saved], 2),
    );
  }
  return withGradient(
    [x, weight],
    (save) => {
      const scale = x.square().mean(-1, true).add(eps).rsqrt();
      const normalised = x.mul(scale);
      save([normalised, scale, weight]);
      return normalised.mul(weight);
    },
    (dy, [normalised, scale, w]) => {
      const product = dy.mul(normalised);
      const dWeight = product.sum(leadingAxes(product));
      // mean(dy·w·x̂) per row as a matrix-vector product: Σ_d (dy·x̂)_d w_d / D
      const size = w.size;
      const projection = tf.matMul(
        product.reshape([-1, size]) as tf.Tensor2D,
        w.div(size).reshape([size, 1]) as tf.Tensor2D,
      );
      const dx = dy
        .mul(w)
        .sub(normalised.mul(projection.reshape(scale.shape)))
        .mul(scale);
      return [dx, dWeight];
    },
  );
}

/** `silu(gate) * up`, silu(x) = x σ(x) (Shazeer 2020). Both [..., F]. */
export function swiglu(gate: Tensor, up: Tensor): Tensor {
  if (usesKernels()) {
    return withGradient(
      [gate, up],
      (save) => {
        save([gate, up]);
        return callKernel("SwiGlu", [gate, up], 1)[0];
      },
      (dy, saved) => callKernel("SwiGluGrad", [dy, ...saved], 2),
    );
  }
  return withGradient(
    [gate, up],
    (save) => {
      const sigmoid = gate.sigmoid();
      const silu = gate.mul(sigmoid);
      save([sigmoid, silu, up]);
      return silu.mul(up);
    },
    (dy, [sigmoid, silu, u]) => {
      // silu' = σ + silu (1 − σ) = σ − silu σ + silu
      const slope = sigmoid.add(silu.sub(silu.mul(sigmoid)));
      return [dy.mul(u).mul(slope), dy.mul(silu)];
    },
  );
}

/** GELU with the exact error function, `x Φ(x)` (Hendrycks & Gimpel 2016); not the tanh approximation. */
export function geluExact(x: Tensor): Tensor {
  if (usesKernels()) {
    return withGradient(
      [x],
      (save) => {
        save([x]);
        return callKernel("Gelu", [x], 1)[0];
      },
      (dy, [input]) => callKernel("GeluGrad", [dy, input], 1),
    );
  }
  return withGradient(
    [x],
    (save) => {
      const phi = x.mul(Math.SQRT1_2).erf().add(1).mul(0.5);
      save([x, phi]);
      return x.mul(phi);
    },
    (dy, [input, phi]) => {
      const density = input
        .square()
        .mul(-0.5)
        .exp()
        .mul(1 / Math.sqrt(2 * Math.PI));
      return [dy.mul(phi.add(input.mul(density)))];
    },
  );
}

/** Swaps the two halves of the last axis. */
function swapHalves(x: Tensor): Tensor {
  const [first, second] = tf.split(x, 2, -1);
  return tf.concat([second, first], -1);
}

/** Cosines and signed sines `[-sin, sin]` over the whole head dimension, broadcastable to what `rotary` turns. */
export type RotaryTables = { cos: Tensor; sin: Tensor };

/** Tables of angles [..., headDim/2]: both halves of the head turn by the same angles. */
export function rotaryTablesOf(angles: Tensor): RotaryTables {
  return tf.tidy(() => {
    const cos = angles.cos();
    const sin = angles.sin();
    return { cos: tf.concat([cos, cos], -1), sin: tf.concat([sin.neg(), sin], -1) };
  });
}

/** Whether rows of `x` take the tables one after the other, and over again: what the kernel knows. */
export function tablesRepeat(x: Tensor, { cos }: RotaryTables): boolean {
  if (x.rank < 2 || cos.rank !== x.rank || cos.shape[x.rank - 2] !== 1 || cos.shape[x.rank - 1] !== x.shape[x.rank - 1])
    return false;
  const first = cos.shape.findIndex((size) => size !== 1);
  return cos.shape.slice(first, x.rank - 2).every((size, axis) => size === x.shape[first + axis]);
}

/**
 * Rotary position embedding in the "rotate half" layout (Su et al. 2021; Hugging Face's `rotate_half`).
 * @param x [..., headDim]
 * @param tables from `rotaryTablesOf`, broadcastable to x; they carry no gradient
 */
export function rotary(x: Tensor, tables: RotaryTables): Tensor {
  if (usesKernels() && tablesRepeat(x, tables)) {
    return withGradient(
      [x],
      (save) => {
        save([tables.cos, tables.sin]);
        return callKernel("Rotary", [x, tables.cos, tables.sin], 1, { inverse: false })[0];
      },
      (dy, saved) => callKernel("Rotary", [dy, ...saved], 1, { inverse: true }),
    );
  }
  return withGradient(
    [x],
    (save) => {
      save([tables.cos, tables.sin]);
      return x.mul(tables.cos).add(swapHalves(x).mul(tables.sin));
    },
    (dy, [cos, sin]) => [dy.mul(cos).add(swapHalves(dy.mul(sin)))],
  );
}
