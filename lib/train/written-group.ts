/** Responses that somebody wrote, as a group: to ask what a model thinks of them (`tokenScores`). */
import { makeGroup, scoreResponse, type Group, type RlPrompt } from "../rollout/groups";
import { specialTokenIn, specialTokensOf } from "../processor/special-tokens";
import type { Workbench } from "./workbench";

/**
 * A group of written responses to a prompt, rewarded as rollouts are; nothing was sampled, so their log-probs are 0.
 * @param strict whether an answer that names another sub-category fails (`rl.reward=strict`)
 * @throws Error for fewer than two responses (advantages need two), for an empty one, or for one with a special token
 * in its text
 */
export function writtenGroup(
  { processor, eosTokenIds }: Pick<Workbench, "processor" | "eosTokenIds">,
  prompt: RlPrompt,
  responses: readonly string[],
  strict = true,
): Group {
  if (responses.length < 2)
    throw new Error(`writtenGroup: give at least two responses (advantages need two); there are ${responses.length}`);
  const rollouts = responses.map((text, i) => {
    if (text.trim() === "") throw new Error(`writtenGroup: response ${i} is empty`);
    const token = specialTokenIn(text, specialTokensOf(processor.tokenizer));
    if (token !== null) throw new Error(`writtenGroup: response ${i} has the special token ${token} in its text`);
    const tokenIds = [...processor.tokenizer.encode(text), eosTokenIds[0]];
    return {
      tokenIds,
      logProbs: tokenIds.map(() => 0),
      text,
      source: "anchor" as const,
      ...scoreResponse(text, prompt, strict),
      finished: true,
    };
  });
  return makeGroup(prompt, [0, 0, 0], rollouts);
}
