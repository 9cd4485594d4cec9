/**
 * One step of TAPO as `trainRl` runs it: 32 prompts, groups of 10 (5 samples from the anchor, 5 from the positive) of
 * 60 tokens, rewards, then one update on all 320 responses with the negative image's log-probs and their gradient, at
 * once (`a=N`: in N parts; `p=N`: fewer prompts). The loop is the shipped one, held between its steps.
 *
 * Against GRPO in TRL: 32 prompts x 10 completions of the same length, rewards, one update on all 320, accumulated over
 * four passes or at once. Equal: weights, questions, anchor images, sampling, how much is generated and trained on,
 * every second response rewarded. Not equal: the peer has no triplets, hence half the images in its rollouts, one
 * forward pass per update instead of two, no augmentation; it tokenizes its prompts and processes its images in every
 * step, as its users do; and it trains on whole rows, where this side reads a group's prompt once.
 */
import { foldIn } from "../../../lib/util/random";
import { trainRl } from "../../../lib/train/rl";
import type { BenchCase } from "../types";
import { words } from "../variant";
import { NEW_TOKENS, open, parameters, triplets } from "./vlm";

const GROUPS = 32;

export async function setUp(variant: string): Promise<BenchCase> {
  const { p = GROUPS, a = 1, bf16 } = words(variant);
  const groups = Number(p);
  const experiment = await open();
  const { bench, base, settings } = experiment;
  const { tokenizer } = bench.processor;
  // Every second response is right, so that dynamic sampling keeps every group.
  let answers = 0;
  const decode: typeof tokenizer.decode = (...args) =>
    `<answer> ${answers++ % 2 ? "right" : "wrong"}</answer>${tokenizer.decode(...args)}`;
  const prompts = (await triplets(experiment, groups)).map((prompt) => ({ ...prompt, groundTruth: "right" }));
  const rl = {
    ...settings.rl,
    steps: Infinity,
    groupsPerStep: groups,
    groupsPerGeneration: groups,
    updatesPerStep: 1,
    gradientAccumulationSteps: Number(a),
    maxGenerationBatches: 1,
    maxNewTokens: NEW_TOKENS,
    schedule: "constant" as const,
    reward: "substring" as const,
  };

  let report: (tokens: number) => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  let resume: (() => void) | null = null;
  const start = (): void => {
    trainRl(
      base,
      { ...bench, eosTokenIds: [], processor: { ...bench.processor, tokenizer: { ...tokenizer, decode } } },
      rl,
      {
        method: "tapo",
        prompts,
        seed: foldIn(0, "bench"),
        bf16: bf16 === true,
        onStep: (log) => {
          if (log.groups !== groups || log.skipped > 0)
            throw new Error(`tapo-step: ${log.groups} of ${groups} groups, ${log.skipped} updates skipped`);
          report(log.length * groups * rl.numGenerations);
          return new Promise<void>((go) => (resume = go));
        },
      },
    ).catch((error: unknown) => fail(error));
  };
  const rows = groups * rl.numGenerations;
  return {
    run: () =>
      new Promise<number>((resolve, reject) => {
        [report, fail] = [resolve, reject];
        if (resume) resume();
        else start();
      }),
    work: {
      groups,
      rows,
      promptTokens: prompts.reduce(
        (n, { user, anchor }) => n + bench.prompt(user, bench.places([anchor])[0]).inputIds.length,
        0,
      ),
      newTokens: rows * NEW_TOKENS,
      parameters: parameters(base),
    },
  };
}
