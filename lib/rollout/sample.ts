/**
 * Drawing the next token on the host, from probabilities that the model returned.
 *
 * On a CPU this beats sampling inside the compiled function: walking a cumulative sum touches half the row once and needs
 * no sort, since a token is outside the nucleus only if all tokens more probable than it already hold `topP`.
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

/** Whether `token` belongs to the nucleus: the tokens more probable than it hold less than `topP` (Holtzman et al. 2020). */
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
 * @param probabilities rows of `size` values, this row at `start`
 * @param uniform source of uniform numbers in [0, 1)
 */
export function sampleToken(probabilities: Float32Array, start: number, size: number, options: SamplingOptions, uniform: () => number): number {
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

/** The most probable token that is not banned. */
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
  if (best < 0) throw new Error("sampling: the probabilities are not numbers (NaN); the model's parameters have diverged");
  return best;
}
