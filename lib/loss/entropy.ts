/** The entropy terms. */
import { tf } from "../engine/tensorflow";
import { average, type Average } from "./masked";

/**
 * H estimated from the sampled tokens alone, `-mean(logp)` over response tokens (paper and release). TAPO ADDS
 * 0.03 H to the loss: entropy is minimised.
 * @param logProbs [B, T]
 * @param responseMask [B, T] of 0 and 1
 */
export function sampledEntropy(logProbs: tf.Tensor, responseMask: tf.Tensor, how?: Average): tf.Scalar {
  return tf.tidy(() => tf.neg(average(logProbs, responseMask, how)));
}
