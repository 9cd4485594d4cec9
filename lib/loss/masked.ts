/** Averages over the response tokens of a batch. */
import { tf } from "../engine/tensorflow";
import { MICRO_BATCH_SIZE } from "./micro-batch";

/** How per-token values become one number (deviation 4). */
export type Average =
  /**
   * Paper: one mean over all response tokens of the mini-batch. Where the batch at hand is only a part of it, give the
   * whole mini-batch's token count as `normaliser` and sum the parts' losses: the update is then the same.
   */
  | { kind: "token"; normaliser?: number | tf.Scalar }
  /**
   * Release: a mean per micro-batch of `size` sequences (4), then over micro-batches. Depends on the split. Where the
   * batch at hand is one of `parts` equal ones, say so: their losses add up to the mini-batch's.
   */
  | { kind: "micro-batch"; size: number; parts?: number };

/** The paper's average. */
export const TOKEN_MEAN: Average = { kind: "token" };

/** The release's average. */
export const MICRO_BATCH_MEAN: Average = { kind: "micro-batch", size: MICRO_BATCH_SIZE };

/**
 * `sum(values * mask) / max(normaliser, 1)`; the normaliser is `sum(mask)` unless given. An empty mask gives 0.
 * @param values [B, T], finite also where the mask is 0
 * @param mask [B, T] of 0 and 1, float32
 */
export function tokenMean(values: tf.Tensor, mask: tf.Tensor, normaliser?: number | tf.Scalar): tf.Scalar {
  return tf.tidy(() => tf.div(tf.sum(tf.mul(values, mask)), tf.maximum(normaliser ?? tf.sum(mask), 1)));
}

/**
 * The mean over micro-batches of `size` consecutive sequences of each one's token mean.
 * @throws {Error} when B is not a multiple of `size` (pad with masked sequences: an empty micro-batch counts as 0)
 */
export function microBatchMean(values: tf.Tensor, mask: tf.Tensor, size: number): tf.Scalar {
  const [batch, length] = mask.shape;
  if (!Number.isInteger(size) || size < 1 || batch % size !== 0) {
    throw new Error(`microBatchMean: a batch of ${batch} sequences does not split into micro-batches of ${size}`);
  }
  return tf.tidy(() => {
    const shape = [batch / size, size * length];
    const sums = tf.sum(tf.reshape(tf.mul(values, mask), shape), 1);
    return tf.mean(tf.div(sums, tf.maximum(tf.sum(tf.reshape(mask, shape), 1), 1)));
  });
}

/** The average of `values` over the tokens of `mask`, in the paper's or the release's way. */
export function average(values: tf.Tensor, mask: tf.Tensor, how: Average = TOKEN_MEAN): tf.Scalar {
  return how.kind === "token"
    ? tokenMean(values, mask, how.normaliser)
    : tf.tidy(() => tf.div(microBatchMean(values, mask, how.size), how.parts ?? 1));
}
