/** What is logged of a step of Stage 2. */
import { extractAnswer } from "../reward/extract";
import type { Group } from "../rollout/groups";
import { commonest } from "../util/commonest";
import type { Importance, Pushed } from "./remote-rollouts";
import type { Collected } from "./rl-rollouts";

/** One logged step; rates over every sampled rollout of the step, losses over its updates. */
export interface RlLog {
  step: number;
  reward: number;
  accuracy: number;
  accuracyOpen: number | null;
  accuracyClosed: number | null;
  format: number;
  listing: number;
  /** Mean response length, tokens. */
  length: number;
  finished: number;
  /** Share of the most common answer among all; null where the prompts have one truth, or nothing was answered. */
  commonestAnswer: number | null;
  /** Share of sampled groups that dynamic sampling kept, and how many batches it took. */
  kept: number;
  generationBatches: number;
  groups: number;
  entropy: number | null;
  kl: number | null;
  negativeEntropy: number | null;
  clipFractionHigh: number | null;
  clipFractionLow: number | null;
  clipFractionDual: number | null;
  /** Mean over tokens of new / old probability, and of old - new log-prob (nats): the policy's move in its updates. */
  ratioMean: number | null;
  approxKl: number | null;
  gradNorm: number | null;
  /** Updates skipped for a gradient norm that is not finite. */
  skipped: number;
  /**
   * Mean (old - sampler's) log-prob of the first update's tokens sampled from the positive, nats: what conditioning on
   * the anchor changes. With rollouts elsewhere the gap is to the trainer's own log-probs under the sampled image.
   */
  conditioningGap: number | null;
  /** Rollouts elsewhere: steps since the weights that sampled were pushed. */
  staleness?: number;
  /** Rollouts elsewhere: mean importance weight of a token, and the share that was cut at the cap. */
  importance?: number | null;
  importanceCapped?: number | null;
  /** Rollouts elsewhere: how far a token's log-prob here is from the server's, the mean of absolute values. */
  logProbDifference?: number | null;
  /** Pre-training rows replayed: their mean loss a token, nats. */
  replay?: number | null;
  learningRate: number;
  /** Tokens sampled. */
  tokens: number;
  seconds: number;
}

/** Null of nothing. */
export const mean = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length;

function commonestAnswer(sampled: readonly Group[]): number | null {
  const answers = sampled.flatMap(({ rollouts }) => rollouts.map(({ text }) => extractAnswer(text)));
  const most = commonest(answers.filter((answer) => answer !== null));
  const truths = new Set(sampled.map(({ prompt }) => prompt.groundTruth)).size;
  return truths < 2 || most === null ? null : most.count / answers.length;
}

/** Rates over sampled rollouts. */
export function rolloutLog({
  sampled,
  generationBatches,
  groups,
}: Collected): Pick<
  RlLog,
  | "reward"
  | "accuracy"
  | "accuracyOpen"
  | "accuracyClosed"
  | "format"
  | "listing"
  | "length"
  | "tokens"
  | "finished"
  | "commonestAnswer"
  | "kept"
  | "generationBatches"
  | "groups"
> {
  const all = sampled.flatMap((group) =>
    group.rollouts.map((rollout) => ({ rollout, closed: group.prompt.options !== null })),
  );
  const over = (value: (r: (typeof all)[number]) => number, from = all): number | null => mean(from.map(value));
  return {
    reward: over(({ rollout }) => rollout.reward.overall)!,
    accuracy: over(({ rollout }) => rollout.reward.accuracy)!,
    accuracyOpen: over(
      ({ rollout }) => rollout.reward.accuracy,
      all.filter((r) => !r.closed),
    ),
    accuracyClosed: over(
      ({ rollout }) => rollout.reward.accuracy,
      all.filter((r) => r.closed),
    ),
    format: over(({ rollout }) => rollout.reward.format)!,
    listing: over(({ rollout }) => (rollout.lists ? 1 : 0))!,
    length: over(({ rollout }) => rollout.tokenIds.length)!,
    tokens: all.reduce((n, { rollout }) => n + rollout.tokenIds.length, 0),
    finished: over(({ rollout }) => (rollout.finished ? 1 : 0))!,
    commonestAnswer: commonestAnswer(sampled),
    kept: mean(sampled.map((group) => (group.kept ? 1 : 0)))!,
    generationBatches,
    groups: groups.length,
  };
}

/** What the log says of rollouts elsewhere; nothing of those here. */
export function remoteLog(
  remote: { pushed: Pushed } | null,
  index: number,
  importance: readonly Importance[],
): Pick<RlLog, "staleness" | "importance" | "importanceCapped" | "logProbDifference"> {
  if (!remote) return {};
  const total = (value: (of: Importance) => number): number => importance.reduce((sum, of) => sum + value(of), 0);
  const tokens = total((of) => of.tokens);
  return {
    staleness: index - remote.pushed.step,
    importance: tokens === 0 ? null : total((of) => of.sum) / tokens,
    importanceCapped: tokens === 0 ? null : total((of) => of.capped) / tokens,
    logProbDifference: tokens === 0 ? null : total((of) => of.difference) / tokens,
  };
}
