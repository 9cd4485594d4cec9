/** A gradient barrier: tfjs has none. */
import { tf } from "../engine/tensorflow";

const barrier = tf.customGrad((x) => ({
  value: (x as tf.Tensor).clone(),
  gradFunc: (dy: tf.Tensor) => tf.zerosLike(dy),
}));

/** The same values, of whatever shape; no gradient flows to what made them. */
export function stopGradient<T extends tf.Tensor>(x: T): T {
  return barrier(x) as T;
}
