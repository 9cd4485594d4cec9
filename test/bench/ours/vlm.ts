/**
 * What the model cases share: the experiment on the committed base, and the rows and prompts that both sides work on.
 * The peers ask for theirs here, so that there is one source of them:
 *
 *     node --import tsx test/bench/ours/vlm.ts rows|prompts|triplets COUNT       prints them as JSON
 *
 * Variants are words joined by commas: `f32` or `bf16` (matrix products), `g=N` (samples per prompt), and what a case
 * adds.
 */
import { namingConversations } from "../../../lib/cot/corpus";
import { IMAGE_SIZE, loadImage } from "../../../lib/benchmark/emoji-fgvr";
import { foldIn, random } from "../../../lib/util/random";
import type { Params } from "../../../lib/engine/tensorflow";
import { openExperiment } from "../../../lib/experiment/open";
import { rlPrompts } from "../../../lib/experiment/rl";
import type { Experiment } from "../../../lib/experiment/types";
import { conversationRow } from "../../../lib/processor/conversation";
import { createGenerator } from "../../../lib/rollout/generate";
import type { RlPrompt } from "../../../lib/rollout/groups";
import { loadSettings } from "../../../lib/experiment/load-settings";
import type { TrainingRow } from "../../../lib/train/batch";
import type { BenchCase } from "../types";

const SEED = 2026;

/** How many tokens every rollout makes; end tokens are off. */
export const NEW_TOKENS = 60;

/** A row of the SFT batch: tokens, and the path of its image. */
export type SftRow = Omit<TrainingRow, "image"> & { image: string };

/** The shipped experiment with the defaults, whatever the environment says. */
export function open(): Promise<Experiment> {
  return openExperiment(loadSettings({ environment: {} }));
}

/** Rationales as Stage 1 trains on them, one image each. */
export function sftRows({ bench, benchmark }: Experiment, count: number): SftRow[] {
  const evaluated = benchmark.extras!.knowledge.filter((k) => k.evaluated);
  return Array.from({ length: count }, (_, i) => {
    const r = random(foldIn(SEED, "row", i));
    const truth = r.choice(evaluated);
    const { rationale } = namingConversations(truth, r.choice(truth.drawings), r);
    return {
      ...conversationRow(rationale, bench.processor, bench.images.grid(rationale.image!)),
      image: rationale.image!,
    };
  });
}

/** Stage-2 prompts with their triplets, open and closed questions mixed. */
export async function triplets(experiment: Experiment, count: number): Promise<RlPrompt[]> {
  return random(foldIn(SEED, "prompts")).sample(await rlPrompts(experiment), count);
}

/** Prompts with the tokens of each: the user turn after the image, the assistant's turn opened. */
export async function prompts(experiment: Experiment, count: number) {
  return (await triplets(experiment, count)).map(({ user, anchor }) => ({
    user,
    image: anchor,
    inputIds: experiment.bench.prompt(user, experiment.bench.places([anchor])[0]).inputIds,
  }));
}

/** How many parameters. */
export const parameters = (params: Params): number => Object.values(params).reduce((n, p) => n + p.size, 0);

/**
 * `count` prompts x `group` samples of `NEW_TOKENS` tokens: vision tower, prefill, decoding. The checksum is how many
 * tokens were made.
 */
export async function rolloutCase(
  count: number,
  group: number,
  options: { bf16: boolean; xla: boolean },
): Promise<BenchCase> {
  const experiment = await open();
  const { bench, base, settings } = experiment;
  const asked = await prompts(experiment, count);
  const places = bench.places(asked.map(({ image }) => image));
  const rows = asked.map(({ user }, i) => bench.prompt(user, places[i]));
  const generator = options.bf16 || options.xla ? createGenerator(bench.config, options) : bench.generator;
  let seed = 0;
  return {
    run: () => {
      const features = bench.features(
        base,
        asked.map(({ image }) => image),
      );
      const { temperature, topP } = settings.rl;
      const rollouts = generator.generate(
        base,
        { prompts: rows, features },
        {
          numGenerations: group,
          maxNewTokens: NEW_TOKENS,
          temperature,
          topP,
          eosTokenIds: [],
          bannedTokenIds: bench.bannedTokenIds,
          seed: seed++,
        },
      );
      features.dispose();
      return rollouts.reduce((n, { tokenIds }) => n + tokenIds.length, 0);
    },
    work: {
      rows: count * group,
      images: count,
      promptTokens: rows.reduce((n, { inputIds }) => n + inputIds.length, 0),
      newTokens: count * group * NEW_TOKENS,
      parameters: parameters(base),
    },
    dispose: () => experiment.close(),
  };
}

async function print(what: string, count: number): Promise<void> {
  const experiment = await open();
  const rows =
    what === "rows" ? sftRows(experiment, count) : what === "prompts" ? await prompts(experiment, count) : null;
  if (!rows) throw new Error(`vlm.ts: no ${JSON.stringify(what)}; expected rows or prompts`);
  const pixels = await Promise.all(
    rows.map(async ({ image }) => Buffer.from((await loadImage(image)).data).toString("base64")),
  );
  const { bannedTokenIds, processor } = experiment.bench;
  const { temperature, topP } = experiment.settings.rl;
  process.stdout.write(
    JSON.stringify({
      rows,
      pixels,
      side: IMAGE_SIZE,
      padTokenId: processor.tokenizer.padTokenId,
      bannedTokenIds,
      newTokens: NEW_TOKENS,
      temperature,
      topP,
      model: experiment.settings.model,
    }),
  );
  experiment.close();
}

if (require.main === module) void print(process.argv[2], Number(process.argv[3]));
