/** The accuracy reward. */
import { lowerComposed, namesIn, normaliseName } from "./listing";
import { firstAnswer, tightenTags } from "./tags";

export interface AccuracyOptions {
  /**
   * Deviation 5. The release (and the paper's wording) counts an answer that contains the truth, whatever else it
   * names: false, the default. True fails an answer that names another of `names`.
   */
  strict?: boolean;
  /** The sub-categories an answer could name, the truth among them or not. Needed when `strict`. */
  names?: readonly string[];
}

/**
 * 1 where the ground truth is contained, case-insensitively and letters composed (NFC), in the first
 * `<answer>...</answer>`, else 0. White space around `<`, `>` and `/` is removed first. With `strict`, longer names are
 * matched first: for the truth "lily", the answer "fire lily" fails, and for "fire lily" the known name "lily" inside
 * it does no harm.
 * @throws {Error} when `strict` is set without `names`, or the ground truth is empty
 */
export function accuracyReward(response: string, groundTruth: string, options: AccuracyOptions = {}): 0 | 1 {
  if (groundTruth.trim() === "") throw new Error("accuracyReward: the ground truth is empty; every answer contains it");
  const answer = firstAnswer(tightenTags(response));
  if (answer === null || !lowerComposed(answer).includes(lowerComposed(groundTruth))) return 0;
  if (!options.strict) return 1;
  if (!options.names || options.names.length === 0) {
    throw new Error("accuracyReward: strict needs `names`, the sub-categories that an answer could name");
  }
  const truth = normaliseName(groundTruth);
  return namesIn(answer, [groundTruth, ...options.names]).every((name) => name === truth) ? 1 : 0;
}
