/** Inter-class augmentation: how much the response depends on seeing this image and not the hard negative's. */
import { tf } from "../engine/tensorflow";
import { stopGradient } from "./stop-gradient";

export interface ContrastOptions {
  /** Deviation 2. Paper: logp_neg has a gradient (true, the default); release: it is a constant (false). */
  gradientThroughNegative?: boolean;
  /** |logp_neg - logp| at most this: 20. */
  logRatioClamp?: number;
  /** |k3| at most this: 10. */
  klClamp?: number;
}

/**
 * KL[pi(.|x) || pi(.|x-)] per token by the k3 estimator: d = clamp(logp_neg - logp, +-20), k3 = clamp(exp(d) - d - 1,
 * +-10). TAPO maximises its token mean. As dk3/dlogp = 1 - exp(d) while unclamped, the pull on logp is upwards where
 * the true image makes the token likelier, and the opposite on logp_neg. Outside either clamp the gradient is 0.
 *
 * @param logProbs [B, T], on the response's own image
 * @param negativeLogProbs [B, T], the same tokens with x- in place of that image
 * @returns [B, T], in [0, klClamp]
 */
export function interClassKl(
  logProbs: tf.Tensor,
  negativeLogProbs: tf.Tensor,
  options: ContrastOptions = {},
): tf.Tensor {
  const { gradientThroughNegative = true, logRatioClamp = 20, klClamp = 10 } = options;
  return tf.tidy(() => {
    const negative = gradientThroughNegative ? negativeLogProbs : stopGradient(negativeLogProbs);
    const d = tf.clipByValue(tf.sub(negative, logProbs), -logRatioClamp, logRatioClamp);
    return tf.clipByValue(tf.sub(tf.expm1(d), d), -klClamp, klClamp); // expm1: exact for d near 0
  });
}
