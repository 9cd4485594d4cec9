/** Records of `lib/rollout`. */

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
  /**
   * Log-probabilities of those tokens under the tempered full softmax (before penalty, top-k, top-p and bans), or the
   * model's own (`logProbsOf`).
   */
  logProbs: number[];
  /** Whether an end token was produced within the limit. */
  finished: boolean;
}

/** Settings of one `generate` call. */
export interface GenerateOptions {
  /** Samples per prompt. */
  numGenerations: number;
  maxNewTokens: number;
  /** Divides the logits; log-probs are of the tempered softmax. Ignored for the choice when greedy. */
  temperature: number;
  topP: number;
  greedy?: boolean;
  eosTokenIds: readonly number[];
  bannedTokenIds: readonly number[];
  seed: number;
  /** Number of the first prompt in a longer list: draws are those of the list as one call. Default 0. */
  firstPrompt?: number;
  /** Only the k most probable tokens; 0 (default) for all. */
  topK?: number;
  /** Penalty on tokens of prompt and response (`LogitsOptions`); 1 (default) for none. */
  repetitionPenalty?: number;
  /** Log-probs under the tempered softmax (default), or under the model's own. */
  logProbsOf?: "tempered" | "model";
  /** Called after each produced token with how many rows are still open, and the rows so far. */
  onToken?: (step: number, openRows: number, rollouts: readonly Rollout[]) => void;
}
