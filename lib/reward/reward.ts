/** The reward of a response: 0.9 accuracy + 0.1 format. */
import { accuracyReward, type AccuracyOptions } from "./accuracy";
import { formatReward } from "./format";

export interface RewardOptions extends AccuracyOptions {
  /** Share of the format; the accuracy has the rest. Default 0.1, in [0, 1]. */
  formatWeight?: number;
}

/** The reward and its two parts; `overall` in [0, 1]. */
export interface Reward {
  overall: number;
  accuracy: 0 | 1;
  format: 0 | 1;
}

/**
 * `(1 - w) accuracy + w format`, w = 0.1 (paper, section on TAPO; release, `compute_score`).
 * @throws {Error} when `formatWeight` is outside [0, 1]
 */
export function reward(response: string, groundTruth: string, options: RewardOptions = {}): Reward {
  const weight = options.formatWeight ?? 0.1;
  if (!(weight >= 0 && weight <= 1)) throw new Error(`reward: formatWeight is ${weight}; it must be in [0, 1]`);
  const accuracy = accuracyReward(response, groundTruth, options);
  const format = formatReward(response);
  return { overall: (1 - weight) * accuracy + weight * format, accuracy, format };
}
