/** The SFT loss. */
import { tf } from "../engine/tensorflow";
import { average, type Average } from "./masked";

/**
 * Cross entropy on the assistant's tokens: `-mean(logp)` over the mask, a token mean over the whole mini-batch.
 * For accumulated micro-batches give `{ kind: "token", normaliser }`, the mini-batch's count of assistant tokens.
 * @param logProbs [B, T] of the next tokens (`tokenLogProbs`, temperature 1)
 * @param assistantMask [B, T] of 0 and 1; 1 where the token predicted belongs to the assistant's turn
 */
export function sftLoss(logProbs: tf.Tensor, assistantMask: tf.Tensor, how?: Average): tf.Scalar {
  return tf.tidy(() => tf.neg(average(logProbs, assistantMask, how)));
}
