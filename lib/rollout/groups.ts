/** Groups of rollouts: what one prompt's samples, from anchor and positive image, become before the update. */
import type { Random } from "../util/random";
import { groupAdvantages, keepGroup } from "../loss/advantages";
import { firstAnswer, listing, reward, tightenTags, type Reward } from "../reward";

/** One training prompt with its triplet. */
export interface RlPrompt {
  /**
   * Paths: x, x+ (another image of the sub-category), x- (of the most similar other sub-category). `rl.secondView` and
   * `rl.contrastImage` may put others in the places of x+ and x-.
   */
  anchor: string;
  positive: string;
  negative: string;
  /** The user turn after the image. */
  user: string;
  groundTruth: string;
  /** Options of a closed prompt, null for an open one. */
  options: readonly string[] | null;
  /** Every sub-category of the domain: what the strict reward and the listing check know. */
  domainNames: readonly string[];
}

/** A rollout with its text and reward. */
export interface ScoredRollout {
  tokenIds: number[];
  /** Under the image it was sampled from. */
  logProbs: number[];
  text: string;
  /** The image it was sampled from; `positive` is the second view, the anchor with noise where `noiseStep` says so. */
  source: "anchor" | "positive";
  reward: Reward;
  /** Whether the answer names two or more sub-categories. */
  lists: boolean;
  finished: boolean;
}

/** One prompt's rollouts; anchor's and positive's form one group (intra-class augmentation). */
export interface Group {
  prompt: RlPrompt;
  /** Seed of the augmentation of anchor, positive and negative. */
  augmentationSeeds: [number, number, number];
  /** Where the second view is the anchor with noise in place of the positive: how strong (`noiseScales`). */
  noiseStep?: number;
  rollouts: ScoredRollout[];
  advantages: number[];
  /** Whether its mean accuracy lies inside (0.01, 0.99): dynamic sampling keeps it. */
  kept: boolean;
}

/** Reward and listing of one response. */
export function scoreResponse(text: string, prompt: RlPrompt, strict: boolean): { reward: Reward; lists: boolean } {
  const scored = reward(text, prompt.groundTruth, strict ? { strict: true, names: prompt.domainNames } : {});
  return {
    reward: scored,
    lists: listing(firstAnswer(tightenTags(text)) ?? "", prompt.options ?? prompt.domainNames) >= 2,
  };
}

/** Puts a group together: advantages over all its rewards, and whether it is kept. */
export function makeGroup(
  prompt: RlPrompt,
  augmentationSeeds: Group["augmentationSeeds"],
  rollouts: ScoredRollout[],
): Group {
  return {
    prompt,
    augmentationSeeds,
    rollouts,
    advantages: groupAdvantages(rollouts.map((r) => r.reward.overall)),
    kept: keepGroup(rollouts.map((r) => r.reward.accuracy)),
  };
}

/** An endless shuffled pass over `items`: every item once before any comes again. */
export function deck<T>(items: readonly T[], random: Random): () => T {
  let left: T[] = [];
  return () => {
    if (left.length === 0) left = random.shuffle(items);
    return left.pop()!;
  };
}
