/** Generation for one image and one question: what a notebook cell wants. */
import type { Params } from "../engine/tensorflow";
import type { Workbench } from "./workbench";
import type { Rollout } from "../rollout/types";

/** A rollout with its text. */
export type TextRollout = Rollout & { text: string };

/** Answers to a user turn about one image of the bench; greedy unless a temperature is given. */
export async function generateText(
  params: Params,
  bench: Workbench,
  image: string,
  text: string,
  options: { samples?: number; temperature?: number; maxNewTokens?: number; seed?: number } = {},
): Promise<TextRollout[]> {
  const { samples = 1, temperature = 0, maxNewTokens = 80, seed = 0 } = options;
  await bench.images.load([image]);
  const features = bench.features(params, [image]);
  const rollouts = bench.generator.generate(
    params,
    { prompts: [bench.prompt(text, bench.places([image])[0])], features },
    {
      numGenerations: samples,
      maxNewTokens,
      temperature: temperature === 0 ? 1 : temperature,
      topP: 1,
      greedy: temperature === 0,
      eosTokenIds: bench.eosTokenIds,
      bannedTokenIds: bench.bannedTokenIds,
      seed,
    },
  );
  features.dispose();
  return rollouts.map((rollout) => ({ ...rollout, text: bench.processor.tokenizer.decode(rollout.tokenIds) }));
}
