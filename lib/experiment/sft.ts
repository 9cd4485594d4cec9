/**
 * Stage 1: supervised fine-tuning on rationales (`sft`), or on the bare answers to the same questions (`sft-direct`).
 */
import { assertTrainable } from "../benchmark/roles";
import type { CotRecord } from "../cot/build";
import { namedDrawings, namingConversations } from "../cot/corpus";
import type { SftRecord } from "../formats/sharegpt";
import { conversationRow, type Conversation } from "../processor/conversation";
import type { SftMethod } from "../train/methods";
import { trainSft, type SftLog } from "../train/sft";
import type { Workbench } from "../train/workbench";
import { foldIn, random } from "../util/random";
import { cotData } from "./cot";
import { limitsOf, openImages, type ImageSizes } from "./images";
import { assertFits, plannedModel } from "./memory";
import { startOfTraining, trainedModel, type Trained } from "./models";
import { sftPhases } from "./plan";
import type { Settings } from "./settings";
import type { Watch } from "./stage";
import type { CotResult, Experiment } from "./types";

/** A record as a dialogue, with its system message. */
export const conversationOf = ({ system, image, user, assistant }: SftRecord): Conversation => ({
  ...(system === null ? {} : { system }),
  image,
  turns: [{ user, assistant }],
});

/**
 * Draws pre-training rows, which a tiny base is shown again beside what it is trained on.
 * @param setting that asks for them
 * @throws Error where the benchmark is not of a base that was pre-trained here
 */
export function replayOf(
  { benchmark: { extras }, settings: { cot } }: Pick<Experiment, "benchmark" | "settings">,
  reasons: boolean,
  setting: "sft.replayRows" | "rl.replayRows",
): (seed: number) => Conversation {
  if (!extras)
    throw new Error(
      `${setting} is for a base that was pre-trained here, whose pre-training rows they are; set ${setting}=0`,
    );
  const evaluated = extras.knowledge.filter((known) => known.evaluated);
  return (seed) => {
    const r = random(seed);
    const truth = r.choice(evaluated);
    const { rationale, direct } = namingConversations(truth, r.choice(namedDrawings(truth)), r, {
      comparedWords: cot.comparedWords,
    });
    return reasons ? rationale : { ...direct, turns: direct.turns.slice(0, 1) };
  };
}

/** The bench of the stage, on its records' images. */
export async function sftBench(
  { benchmark, bench, settings }: Experiment,
  data: CotResult,
): Promise<{ bench: Workbench; largest: ImageSizes | null }> {
  if (benchmark.squares) return { bench, largest: null };
  const names = [...new Set(data.records.map(({ record }) => record.image))];
  const own = new Map(benchmark.images("fewshot").map(({ id, file }) => [id, file]));
  const sources = new Map(
    names.map((name) => {
      const file = data.files.get(name) ?? own.get(name);
      if (!file) throw new Error(`${name}: the image is missing; \`data check\` says what else is`);
      return [name, file] as const;
    }),
  );
  const { images, largest } = await openImages(bench.processor, sources, {
    limits: limitsOf(settings.sft),
    alpha: settings.sft.alpha,
  });
  return { bench: bench.withImages(images), largest };
}

/** The records that fit `sft.maxLength`. @throws Error under `stop` at one that is longer, with its tokens */
function fitting(
  { settings, say }: Experiment,
  bench: Workbench,
  conversations: readonly Conversation[],
): { kept: Conversation[]; longest: number } {
  const { maxLength } = settings.sft;
  let longest = 0;
  const kept = conversations.filter((conversation, i) => {
    const row = conversationRow(conversation, bench.processor, bench.images.grid(conversation.image!));
    const tokens = row.inputIds.length;
    if (tokens <= maxLength) {
      longest = Math.max(longest, tokens);
      return true;
    }
    const what = `record ${i} (${conversation.image}) has ${tokens} tokens, more than sft.maxLength=${maxLength}`;
    if (settings.onBadRow === "stop")
      throw new Error(`${what}; raise it, lower sft.maxPixels, or leave such records out (onBadRow=skip)`);
    say(`${what}; left out`);
    return false;
  });
  return { kept, longest };
}

/** Training images must be trainable ones; files of records from elsewhere were checked when they were read. */
function checkImages({ benchmark }: Experiment, data: CotResult): void {
  const own = data.records.map(({ record }) => record.image).filter((image) => !data.files.has(image));
  assertTrainable(benchmark, own);
}

/** Settings, and groups of them, that a Stage-1 model depends on. */
export const SFT_PARTS = [
  "shots",
  "cot",
  "sft",
  "lora",
  "teacher",
  "teacherModel",
  "similarity",
  "onBadRow",
] as const satisfies readonly (keyof Settings)[];

const recordOf = (method: SftMethod, { record, direct }: CotRecord): SftRecord => (method === "sft" ? record : direct);

/**
 * A Stage-1 model; the caller disposes its parameters.
 * @throws Error naming the record, image or setting that is wrong
 */
export function sftModel(experiment: Experiment, method: SftMethod, watch: Watch = {}): Promise<Trained<SftLog>> {
  const { settings, benchmark } = experiment;
  let records: CotResult["records"] = [];
  return trainedModel<SftLog>(experiment, {
    method,
    settings: SFT_PARTS,
    saving: settings.sft,
    images: () => {
      const images = new Set(records.map(({ record }) => record.image)).size;
      const subcategories = new Set(records.map(({ concept }) => concept)).size;
      return `${images} few-shot images of ${subcategories} sub-categories of ${benchmark.title}, those with an accepted rationale`;
    },
    watch,
    note: ({ loss }) => (loss === null ? "gradient not finite, update skipped" : `loss ${loss.toFixed(3)}`),
    train: async ({ checkpointing, onResume, onStep }) => {
      const data = await cotData(experiment, watch);
      if (data.records.length === 0)
        throw new Error(
          `SFT: none of ${data.attempts} rationales was kept (cot/data-card.json says why). Another teacher may have some (teacher=FILE or an endpoint's URL; a file of answer-only records does for sft-direct); Stage 2 can do without (start=base)`,
        );
      records = data.records;
      checkImages(experiment, data);
      const { bench, largest } = await sftBench(experiment, data);
      const { kept, longest } = fitting(
        experiment,
        bench,
        data.records.map((one) => conversationOf(recordOf(method, one))),
      );
      if (largest) {
        const promptTokens = largest.imageTokens;
        const sizes = {
          promptTokens,
          responseTokens: Math.max(0, longest - promptTokens),
          imagePatches: largest.imagePatches,
        };
        assertFits(experiment, sftPhases(plannedModel(experiment), settings, sizes));
      }
      return trainSft(startOfTraining(experiment), bench, settings.sft, {
        conversations: kept,
        replay: settings.sft.replayRows > 0 ? replayOf(experiment, method === "sft", "sft.replayRows") : undefined,
        seed: foldIn(settings.seed, "sft"),
        bf16: experiment.bf16,
        checkpointing,
        donateInitial: true,
        signal: watch.signal,
        onResume,
        onStep,
      });
    },
  });
}
