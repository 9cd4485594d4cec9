/** Log-probabilities of given tokens, from logits. */
import { callKernel, usesKernels } from "../engine/kernels";
import { withGradient } from "../engine/ops";
import { tf } from "../engine/tensorflow";

/**
 * `log softmax(logits / temperature)[target]` per row: the tempered full softmax, before top-p and before any ban
 * (paper and release take every log-probability so). Stable: the row maximum is subtracted first.
 *
 * The gradient is written by hand, `(onehot(target) - softmax(logits / temperature)) * dy / temperature`: one softmax
 * where tracing the operations one by one would keep several [N, V] tensors.
 *
 * @param logits [N, V] float32
 * @param targets [N] int32, in [0, V)
 * @param temperature above 0; 1 leaves the logits as they are
 * @returns [N], nats, at most 0
 * @throws {Error} on other ranks, differing N, or a temperature that is not above 0
 */
export function tokenLogProbs(logits: tf.Tensor2D, targets: tf.Tensor1D, temperature = 1): tf.Tensor1D {
  const [n, v] = logits.shape;
  if (logits.rank !== 2 || targets.rank !== 1 || targets.shape[0] !== n) {
    throw new Error(`tokenLogProbs: logits [${logits.shape}] and targets [${targets.shape}]; [N, V] and [N] expected`);
  }
  if (!(temperature > 0)) throw new Error(`tokenLogProbs: temperature is ${temperature}; it must be above 0`);
  if (usesKernels()) {
    const how = { temperature };
    return withGradient(
      [logits],
      (save) => {
        const [logProbs, logSum] = callKernel("TokenLogProbs", [logits, targets], 2, how);
        save([logits, targets, logSum]);
        return logProbs;
      },
      (dy, saved) => callKernel("TokenLogProbsGrad", [dy, ...saved], 1, how),
    ) as tf.Tensor1D;
  }
  const temper = (x: tf.Tensor): tf.Tensor => (temperature === 1 ? x : tf.div(x, temperature));
  return withGradient(
    [logits],
    (save) => {
      save([logits, targets]);
      return tf.tidy(() => {
        const tempered = temper(logits);
        const shifted = tf.sub(tempered, tf.max(tempered, 1, true));
        const rows = tf.range(0, n, 1, "int32");
        const picked = tf.gatherND(shifted, tf.stack([rows, targets], 1));
        return tf.sub(picked, tf.log(tf.sum(tf.exp(shifted), 1)));
      });
    },
    (dy, saved) => [
      tf.tidy(() => {
        const residual = tf.sub(tf.oneHot(saved[1] as tf.Tensor1D, v), tf.softmax(temper(saved[0])));
        return tf.mul(residual, temper(tf.reshape(dy, [n, 1])));
      }),
    ],
  ) as tf.Tensor1D;
}
