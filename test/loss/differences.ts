/** Central finite differences for scalar losses; the engine computes in float32, so steps are coarse. */
import { tf } from "../../lib/engine/tensorflow";

/** The numerical gradient of `loss` at `x`, one element at a time. */
export function numericalGradient(loss: (x: tf.Tensor) => tf.Tensor, x: tf.Tensor, step = 1e-2): number[] {
  const values = Array.from(x.dataSync());
  return values.map((_, i) => {
    const at = (delta: number): number =>
      tf.tidy(
        () =>
          loss(
            tf.tensor(
              values.map((v, j) => (j === i ? v + delta : v)),
              x.shape,
              "float32",
            ),
          ).dataSync()[0],
      );
    return (at(step) - at(-step)) / (2 * step);
  });
}

/** The gradient tfjs computes. */
export function gradient(loss: (x: tf.Tensor) => tf.Tensor, x: tf.Tensor): number[] {
  return tf.tidy(() => Array.from(tf.grad(loss)(x).dataSync()));
}

/** The largest absolute difference of two lists; Infinity where the lengths differ or a value is not finite. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  const gaps = Array.from(a, (v, i) => Math.abs(v - b[i]));
  return gaps.every(Number.isFinite) ? Math.max(0, ...gaps) : Infinity;
}
