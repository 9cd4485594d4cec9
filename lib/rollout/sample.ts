/**
 * Drawing the next token on the host, from probabilities that the model returned: what `choose.ts` does in the graph is
 * measured against this, and rows that it leaves undecided are drawn here. Walking a cumulative sum touches half the
 * row once and needs no sort, since a token is outside the nucleus only if all tokens more probable than it already
 * hold `topP`.
 */

/** How tokens are drawn. */
export interface SamplingOptions {
  /** Nucleus mass in (0, 1]; 1 draws from the full softmax. */
  topP: number;
  /** Token ids that are never drawn (image placeholders). */
  bannedTokenIds: readonly number[];
  /** Take the most probable token instead of drawing. */
  greedy: boolean;
}

/**
 * Whether `token` belongs to the nucleus: the tokens more probable than it hold less than `topP` (Holtzman et al.
 * 2020).
 */
function inNucleus(probabilities: Float32Array, start: number, size: number, token: number, topP: number): boolean {
  const p = probabilities[start + token];
  if (topP >= 1 || p > 1 - topP) return true; // the mass outside the nucleus is at most 1 - topP
  let above = 0;
  for (let i = start; i < start + size; i++) if (probabilities[i] > p) above += probabilities[i];
  return above < topP;
}

/**
 * Draws one token from a row of probabilities (the tempered full softmax).
 * Banned tokens and tokens outside the nucleus are rejected and drawn again, which is the renormalised distribution.
 * After 1,000 rejections, which takes banned tokens of nearly all the mass, the most probable token is taken.
 * @param probabilities rows of `size` values, this row at `start`
 * @param uniform source of uniform numbers in [0, 1)
 * @throws Error where the probabilities are NaN, or every token is banned
 */
export function sampleToken(
  probabilities: Float32Array,
  start: number,
  size: number,
  options: SamplingOptions,
  uniform: () => number,
): number {
  if (options.greedy) return argmax(probabilities, start, size, options.bannedTokenIds);
  for (let attempt = 0; attempt < 1000; attempt++) {
    let remaining = uniform();
    let token = size - 1;
    for (let i = 0; i < size; i++) {
      remaining -= probabilities[start + i];
      if (remaining < 0) {
        token = i;
        break;
      }
    }
    if (options.bannedTokenIds.includes(token) || !(probabilities[start + token] > 0)) continue; // NaN too: argmax reports it
    if (inNucleus(probabilities, start, size, token, options.topP)) return token;
  }
  return argmax(probabilities, start, size, options.bannedTokenIds);
}

/**
 * The most probable token that is not banned.
 * @throws Error where the probabilities are NaN, or every token is banned
 */
export function argmax(probabilities: Float32Array, start: number, size: number, banned: readonly number[]): number {
  let best = -1;
  let bestProbability = -Infinity;
  for (let i = 0; i < size; i++) {
    const p = probabilities[start + i];
    if (p > bestProbability && !banned.includes(i)) {
      best = i;
      bestProbability = p;
    }
  }
  if (best < 0)
    throw new Error(
      "sampling: no token can be chosen: the probabilities are not numbers (NaN), where the model's parameters have diverged, or every token is banned",
    );
  return best;
}

/** How `sampleFromLogits` changes logits before it draws. */
export interface LogitsOptions extends SamplingOptions {
  /** Divides the logits; not looked at when greedy. */
  temperature: number;
  /** Only the k most probable tokens; 0 for all. */
  topK: number;
  /**
   * Divides the positive logits of seen tokens and multiplies their negative ones (Keskar et al. 2019, section 4.1); 1
   * for none.
   */
  repetitionPenalty: number;
}

/** The natural logarithm of `sum(exp(logits / temperature))` of a row. @throws Error where logits are not numbers */
function logSumExp(logits: Float32Array, start: number, size: number, temperature: number): number {
  let largest = -Infinity;
  for (let i = start; i < start + size; i++) largest = Math.max(largest, logits[i]); // NaN stays
  let total = 0;
  for (let i = start; i < start + size; i++) total += Math.exp((logits[i] - largest) / temperature);
  if (!Number.isFinite(largest) || !Number.isFinite(total))
    throw new Error("sampling: the logits are not numbers (NaN); the model's parameters have diverged");
  return largest / temperature + Math.log(total);
}

/** Log-probability of `token` under the softmax of a row of logits, all tokens of the vocabulary in the sum. */
export function logProbOf(logits: Float32Array, start: number, size: number, token: number, temperature = 1): number {
  return logits[start + token] / temperature - logSumExp(logits, start, size, temperature);
}

/** Logits of a row after the repetition penalty, -Infinity for banned tokens. */
function penalised(
  logits: Float32Array,
  start: number,
  size: number,
  seen: Iterable<number>,
  { repetitionPenalty, bannedTokenIds }: LogitsOptions,
): Float64Array {
  const scores = Float64Array.from(logits.subarray(start, start + size));
  if (repetitionPenalty !== 1)
    for (const token of seen)
      scores[token] = scores[token] < 0 ? scores[token] * repetitionPenalty : scores[token] / repetitionPenalty;
  for (const token of bannedTokenIds) scores[token] = -Infinity;
  return scores;
}

/**
 * Chooses one token from a row of logits in transformers' order: repetition penalty, bans, temperature, top-k, top-p.
 * At both cuts a token stays whose value equals the last kept one's.
 * @param logits rows of `size` values as the model gave them, this row at `start`
 * @param seen tokens of prompt and response so far, each once
 * @param uniform source of uniform numbers in [0, 1); asked once, and not at all when greedy
 * @throws Error where the logits are not numbers, or every token is banned
 */
export function sampleFromLogits(
  logits: Float32Array,
  start: number,
  size: number,
  seen: Iterable<number>,
  options: LogitsOptions,
  uniform: () => number,
): number {
  logSumExp(logits, start, size, 1);
  const scores = penalised(logits, start, size, seen, options);
  let best = 0;
  for (let i = 1; i < size; i++) if (scores[i] > scores[best]) best = i;
  if (scores[best] === -Infinity) throw new Error("sampling: every token is banned");
  if (options.greedy) return best;

  const { temperature, topK, topP } = options;
  const largest = scores[best];
  const weightOf = (score: number): number => Math.exp((score - largest) / temperature);
  let threshold = -Infinity; // the lowest score that stays
  if ((topK > 0 && topK < size) || topP < 1) {
    const limit = topK > 0 ? Math.min(topK, size) : size;
    const all = scores.reduce((sum, score) => sum + weightOf(score), 0);
    // Of 151,936 scores few matter to either cut: the highest are sorted, and more of them where they do not decide it.
    for (let reach = 4 * temperature; ; reach *= 4) {
      const floor = reach < 1e4 * temperature ? largest - reach : -Infinity;
      const descending = scores
        .filter((score) => score >= floor)
        .sort()
        .reverse();
      if (floor > -Infinity && topK > 0 && descending.length < limit) continue;
      threshold = descending[Math.min(limit, descending.length) - 1];
      if (topP >= 1) break;
      let total = all;
      if (limit < size) {
        total = 0;
        for (let i = 0; i < descending.length && descending[i] >= threshold; i++) total += weightOf(descending[i]);
      }
      const last = Math.min(limit, descending.length) - 1;
      let above = 0;
      let i = 0;
      for (; i < last && above + weightOf(descending[i]) < topP * total; i++) above += weightOf(descending[i]);
      if (i === last && last < limit - 1 && floor > -Infinity) continue; // the nucleus may reach further
      threshold = descending[i];
      break;
    }
  }
  const weights = scores.map((score) => (score >= threshold ? weightOf(score) : 0));
  let remaining = uniform() * weights.reduce((a, b) => a + b, 0);
  let last = best;
  for (let i = 0; i < size; i++) {
    if (weights[i] === 0) continue;
    last = i;
    remaining -= weights[i];
    if (remaining < 0) return i;
  }
  return last; // what rounding left over
}
