/** DAPO's policy loss: clip-higher, dual clip, no reference model. */
import { tf } from "../engine/tensorflow";
import { average, tokenMean, type Average } from "./masked";

export interface PolicyBatch {
  /** [B, T], of the policy being trained. */
  logProbs: tf.Tensor;
  /** [B, T], of the policy before the updates on this rollout batch. No gradient. */
  oldLogProbs: tf.Tensor;
  /** [B] or [B, T]. No gradient. */
  advantages: tf.Tensor;
  /** [B, T] of 0 and 1, float32. */
  responseMask: tf.Tensor;
}

export interface PolicyOptions {
  /** Ratio clipped to [1 - low, 1 + high]: 0.2, 0.28. */
  clipRatioLow?: number;
  clipRatioHigh?: number;
  /** Where the advantage is below 0 the loss of a token is at most `dual * -A`: 3. */
  clipRatioDual?: number;
  /** |log ratio| at most this: 20. */
  logRatioClamp?: number;
  /** Deviation 4; the paper's token mean by default. */
  average?: Average;
}

/**
 * r = exp(clamp(logp - logp_old, +-20)); per token max(-A r, -A clip(r, 0.8, 1.28)), and where A < 0 at most -3A; mean
 * over response tokens. Metrics are means over this batch's tokens (scalars): fractions clipped above, below and by the
 * dual clip, mean ratio, and approxKl = mean(logp_old - logp), the release's `ppo_kl`.
 */
export function policyLoss(
  batch: PolicyBatch,
  options: PolicyOptions = {},
): { loss: tf.Scalar; metrics: Record<string, tf.Scalar> } {
  const { clipRatioLow = 0.2, clipRatioHigh = 0.28, clipRatioDual = 3, logRatioClamp = 20 } = options;
  const { logProbs, oldLogProbs, responseMask } = batch;
  return tf.tidy(() => {
    const column = batch.advantages.rank === 1 ? tf.reshape(batch.advantages, [-1, 1]) : batch.advantages;
    const advantages = tf.mul(column, tf.ones(logProbs.shape)); // broadcast here: tfjs's min and max gradients don't
    const logRatio = tf.clipByValue(tf.sub(logProbs, oldLogProbs), -logRatioClamp, logRatioClamp);
    const ratio = tf.exp(logRatio);
    const plain = tf.neg(tf.mul(advantages, ratio));
    const clipped = tf.neg(tf.mul(advantages, tf.clipByValue(ratio, 1 - clipRatioLow, 1 + clipRatioHigh)));
    const upper = tf.maximum(plain, clipped); // a tie, inside the clip range, sends the gradient through `plain`
    const ceiling = tf.mul(advantages, -clipRatioDual);
    const negative = tf.less(advantages, 0);
    const perToken = tf.where(negative, tf.minimum(upper, ceiling), upper);
    const fraction = (flag: tf.Tensor): tf.Scalar => tokenMean(tf.cast(flag, "float32"), responseMask);
    const binds = tf.greater(clipped, plain);
    const metrics: Record<string, tf.Scalar> = {
      clipFractionHigh: fraction(tf.logicalAnd(binds, tf.logicalNot(negative))),
      clipFractionLow: fraction(tf.logicalAnd(binds, negative)),
      clipFractionDual: fraction(tf.logicalAnd(negative, tf.greater(upper, ceiling))),
      ratioMean: tokenMean(ratio, responseMask),
      approxKl: tf.neg(tokenMean(logRatio, responseMask)),
    };
    return { loss: average(perToken, responseMask, options.average), metrics };
  });
}
