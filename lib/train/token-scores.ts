/**
 * Log-probabilities of a group's responses, token by token: under the image they were sampled from, as the sampler left
 * them, or under the group's own image and the negative one, which the inter-class term of TAPO's loss is made of.
 */
import type { Params } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import { interClassKl } from "../loss/contrast";
import type { Group } from "../rollout/groups";
import { createScoreStep, withNegative } from "./rl-step";
import { groupRows } from "./rl-rollouts";
import type { RlSettings } from "./settings";
import type { Workbench } from "./workbench";

/** Of one response; all lists have one entry a token. */
export interface TokenScores {
  /** Texts of the tokens: together the response, but for a character that is cut off at the end. */
  tokens: string[];
  logProbs: number[];
  /** The same tokens with the negative image in place of the other; null where they were not scored under it. */
  negativeLogProbs: number[] | null;
  /** k3 estimate of the KL between the two, in [0, 10]; null likewise. */
  kl: number[] | null;
}

type Decode = Pick<Workbench, "processor">;

const textsOf = ({ processor }: Decode, ids: readonly number[]): string[] =>
  tokenTexts((some) => processor.tokenizer.decode(some, { skipSpecialTokens: false }), ids);

/** The text that each token adds. A character of several tokens is the last one's. */
export function tokenTexts(decode: (ids: readonly number[]) => string, ids: readonly number[]): string[] {
  const whole = ids.map((_, i) => decode(ids.slice(0, i + 1)).replace(/\uFFFD+$/, ""));
  return whole.map((text, i) => text.slice(i === 0 ? 0 : whole[i - 1].length));
}

/** The sampler's log-probs of a group's responses, each under the image and policy that it was sampled from. */
export function sampledScores(bench: Decode, { rollouts }: Pick<Group, "rollouts">): TokenScores[] {
  return rollouts.map(({ tokenIds, logProbs }) => ({
    tokens: textsOf(bench, tokenIds),
    logProbs,
    negativeLogProbs: null,
    kl: null,
  }));
}

/**
 * Scores the responses of one group under the image that the update conditions on (`conditionOn`), and under the
 * negative one. No tensor stays in memory.
 * @param params the policy; stays the caller's
 * @throws Error where the negative has other patches than its anchor (`groupRows`)
 */
export async function tokenScores(
  params: Params,
  bench: Workbench,
  group: Group,
  { settings, bf16 = false }: { settings: RlSettings; bf16?: boolean },
): Promise<TokenScores[]> {
  const { rows, images, negativeFeatureIndex, places } = groupRows([group], bench, settings, 1);
  const score = createScoreStep(bench, settings.temperature, bf16);
  const held: unknown[] = [rows, negativeFeatureIndex];
  const hold = <T>(tensors: T): T => {
    held.push(tensors);
    return tensors;
  };
  try {
    const batch = hold(await images());
    const own = hold(score(params, batch, rows));
    const negative = hold(score(params, batch, withNegative(rows, negativeFeatureIndex)));
    const kl = hold(interClassKl(own, negative));
    const [logProbs, negativeLogProbs, kls] = [own, negative, kl].map((tensor) => tensor.dataSync());
    return group.rollouts.map(({ tokenIds }, b) => {
      const of = (values: ArrayLike<number>): number[] => tokenIds.map((_, i) => values[b * places + i]);
      return {
        tokens: textsOf(bench, tokenIds),
        logProbs: of(logProbs),
        negativeLogProbs: of(negativeLogProbs),
        kl: of(kls),
      };
    });
  } finally {
    disposeTree(...held);
  }
}
