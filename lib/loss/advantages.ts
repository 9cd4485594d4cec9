/** Group-relative advantages and dynamic sampling: numbers, on the host. */
import { average, sum } from "../util/sums";

export interface AdvantageOptions {
  /** Added to the standard deviation. Default 1e-6. */
  epsilon?: number;
}

/**
 * `(R - mean) / (std + 1e-6)` over one group of rollouts, std unbiased (divided by n - 1). Equal rewards give exact
 * zeros. With intra-class augmentation the n1 rollouts of the anchor and the n2 of the positive are ONE group.
 * @throws {Error} for fewer than two rewards, or one that is not finite
 */
export function groupAdvantages(rewards: readonly number[], options: AdvantageOptions = {}): number[] {
  if (rewards.length < 2) {
    throw new Error(`groupAdvantages: a group of ${rewards.length}; an unbiased standard deviation needs two rollouts`);
  }
  const bad = rewards.findIndex((reward) => !Number.isFinite(reward));
  if (bad >= 0) throw new Error(`groupAdvantages: rewards[${bad}] is ${rewards[bad]}; a finite number is expected`);
  if (rewards.every((reward) => reward === rewards[0])) return rewards.map(() => 0);
  const mean = average(rewards);
  const squares = sum(rewards.map((reward) => (reward - mean) ** 2));
  const scale = Math.sqrt(squares / (rewards.length - 1)) + (options.epsilon ?? 1e-6);
  return rewards.map((reward) => (reward - mean) / scale);
}

/**
 * DAPO's filter: true where the group's mean accuracy lies strictly inside (low, high), (0.01, 0.99) by default, so
 * that a group all right or all wrong, which has no advantage to learn from, is dropped.
 * @throws {Error} for an empty group
 */
export function keepGroup(accuracies: readonly number[], low = 0.01, high = 0.99): boolean {
  if (accuracies.length === 0) throw new Error("keepGroup: the group is empty");
  const mean = average(accuracies);
  return mean > low && mean < high;
}
