/** Greedy answers of a model that is loaded here: one to each prompt, as the paper evaluates. */
import type { Params } from "../engine/tensorflow";
import type { GenerationConfig } from "../model/generation-config";
import type { PromptRow, Rollout } from "../rollout/types";
import { withFeatures } from "../train/with-features";
import type { Workbench } from "../train/workbench";

/** How long an answer may be, and what the checkpoint says of generation. */
export interface GreedyOptions extends Partial<Pick<GenerationConfig, "eosTokenIds" | "repetitionPenalty">> {
  maxNewTokens: number;
  /** Of no consequence to greedy answers, but part of what a generator is asked. Default 0. */
  seed?: number;
}

/**
 * @param images of the bench, loaded; each prompt's own
 * @param options.eosTokenIds default the bench's
 * @returns an answer for each prompt, in their order
 */
export function greedyAnswers(
  params: Params,
  bench: Workbench,
  images: readonly string[],
  prompts: readonly PromptRow[],
  { maxNewTokens, eosTokenIds = bench.eosTokenIds, repetitionPenalty, seed = 0 }: GreedyOptions,
): Rollout[] {
  const options = {
    numGenerations: 1,
    maxNewTokens,
    temperature: 1,
    topP: 1,
    greedy: true,
    eosTokenIds,
    bannedTokenIds: bench.bannedTokenIds,
    seed,
    ...(repetitionPenalty === undefined ? {} : { repetitionPenalty }),
  };
  return withFeatures(bench, params, images, (features) =>
    bench.generator.generate(params, { prompts, features }, options),
  );
}
