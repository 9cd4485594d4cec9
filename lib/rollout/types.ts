/** Records of the rollout room. */

/** A prompt ready for the model, on the host. */
export interface PromptRow {
  /** Token ids with image placeholders expanded. */
  inputIds: readonly number[];
  /** M-RoPE positions: three rows (temporal, height, width) of `inputIds.length` values. */
  positionIds: readonly (readonly number[])[];
  /** Per token the row of the image features it stands for; -1 for text. */
  featureIndex: readonly number[];
}

/** One sampled response. */
export interface Rollout {
  /** Index into the prompts of the call. */
  promptIndex: number;
  /** Which of the prompt's samples, from 0. */
  sampleIndex: number;
  /** Produced tokens, the end token included where it was produced. */
  tokenIds: number[];
  /** Log-probabilities of those tokens under the tempered full softmax (before penalty, top-k, top-p and bans), or the model's own (`logProbsOf`). */
  logProbs: number[];
  /** Whether an end token was produced within the limit. */
  finished: boolean;
}
