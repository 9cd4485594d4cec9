/**
 * Gradient checkpointing (Chen et al. 2016, arXiv 1604.06174): a part of the model keeps its inputs alone, and the
 * backward pass computes the part again. Less memory for about a third more computing.
 */
import { runAfter } from "./recorder";
import { tf, type Tensor } from "./tensorflow";

/** Gradients of `fn` at `inputs` for `dy`, from within the backward pass of another gradient. */
function nestedGradients(fn: (inputs: Tensor[]) => Tensor, inputs: Tensor[], dy: Tensor): Tensor[] {
  const { state } = tf.engine();
  const outer = state.activeTape; // tfjs clears it when a gradient is done, and the outer one still has to free what it saved
  try {
    const { grads } = tf.engine().gradients(() => fn(inputs), inputs, dy, true);
    return grads.map((grad, i) => grad ?? tf.zerosLike(inputs[i]));
  } finally {
    state.activeTape = outer;
  }
}

/**
 * `fn(inputs)`, computed again in the backward pass. In a compiled function the second computation waits for `dy`:
 * TensorFlow's optimizer would otherwise merge it with the first, and keep what it was meant to save (as in
 * tf.recompute_grad).
 * @param inputs float32 tensors; every tensor that `fn` reads must be among them, but those that outlive the step
 * (TensorFlow has the others freed by then)
 * @param fn pure; called once now and once in the backward pass
 * @param constants tensors of any type that outlive the step and need no gradient (a seed); what `fn` makes of them is
 * made again too
 */
export function recomputed(
  inputs: Tensor[],
  fn: (inputs: Tensor[], constants: Tensor[]) => Tensor,
  constants: Tensor[] = [],
): Tensor {
  const op = tf.customGrad((...args) => {
    const save = args[args.length - 1] as unknown as (tensors: Tensor[]) => void;
    save(inputs);
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor[] => {
      const again = constants.map((x) => runAfter(x, dy));
      return nestedGradients(
        (all) => fn(all, again),
        saved.map((x) => runAfter(x, dy)),
        dy,
      );
    };
    return { value: fn(inputs, constants), gradFunc };
  });
  return op(...inputs);
}
