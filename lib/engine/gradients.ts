/** Gradients with respect to a record of parameters, with the loss's by-products. */
import { tf, type Params, type Tensor } from "./tensorflow";

/**
 * Value, metrics and gradients of `loss` at `params`.
 * @param trainable names to differentiate; the others are constants
 * @param loss returns the scalar loss and further tensors worth reporting
 */
export function valueAndGradients(
  params: Params,
  trainable: readonly string[],
  loss: (params: Params) => { loss: Tensor; metrics: Params },
): { loss: Tensor; metrics: Params; gradients: Params } {
  let metrics: Params = {};
  const { value, grads } = tf.valueAndGrads((...leaves: Tensor[]) => {
    const replaced = { ...params };
    trainable.forEach((name, i) => (replaced[name] = leaves[i]));
    const out = loss(replaced);
    metrics = Object.fromEntries(Object.entries(out.metrics).map(([name, tensor]) => [name, tf.keep(tensor.clone())]));
    return out.loss as tf.Scalar;
  })(trainable.map((name) => params[name]));
  return { loss: value, metrics, gradients: Object.fromEntries(trainable.map((name, i) => [name, grads[i]])) };
}
