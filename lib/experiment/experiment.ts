/**
 * The shipped experiment, stage by stage: what notebooks and command line call. Each stage loads what an earlier call
 * saved under the same code, data and settings, and makes it otherwise.
 */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { buildCotData, dataCard, type CotData, type Observation } from "../cot/build";
import { shuffledRationales } from "../cot/shuffle";
import { namedDrawings, namingConversations } from "../cot/corpus";
import type { Conversation } from "../processor/conversation";
import type { Knowledge } from "../benchmark/emoji-fgvr/knowledge";
import {
  closedOptions,
  domainQuestion,
  ensureDrawings,
  IMAGE_SIZE,
  loadEmojiFgvr,
  loadImage,
  loadImages,
  measure,
  type EmojiFgvr,
  type EvaluationRow,
} from "../benchmark/emoji-fgvr";
import { emojiKnowledge } from "../benchmark/emoji-fgvr/knowledge";
import { paperPrompts, tinyPrompts, type PromptSet } from "../benchmark/prompts";
import { writeSharegpt, type SftRecord } from "../formats/sharegpt";
import { foldIn, random } from "../util/random";
import { withoutNativeEngine } from "./estimate";
import { useBf16 } from "../engine/precision";
import { isNative, nativeLoadError, type Params } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import type { PredictionRow } from "../eval/rows";
import { predict, type ImageControl } from "../eval/predict";
import { adapterOf, loadTrained, saveTrained, startOfSft } from "./adapters";
import { loadModel } from "../model/checkpoint";
import { loadProcessor, processorFiles } from "../processor/processor";
import { modelCard } from "./model-card";
import { withScalarLog } from "../report/scalar-log";
import type { RlPrompt } from "../rollout/groups";
import { observe } from "../cot/offline-teacher";
import { readJsonl, writeJsonl, writeText } from "../util/files";
import { runFolder } from "./run";
import type { Settings } from "./settings";
import { isFresh, stageStamp, stampFile } from "./stamp";
import { trainRl, type RlLog, type RlMethod } from "../train/rl";
import { trainSft, type SftLog } from "../train/sft";
import { squareWorkbench, type Workbench } from "../train/workbench";

/** The methods of the results table. */
export type Method = "base" | "base-cot" | "sft-direct" | "sft" | RlMethod;

/** Which methods answer at once, without reasoning. */
const DIRECT: readonly Method[] = ["base", "sft-direct"];

/** Called with progress of a stage: done of total, and a short note. */
export type OnProgress = (done: number, total: number, note: string) => void | Promise<void>;

/** An open experiment; `close` frees every tensor. */
export interface Experiment {
  settings: Settings;
  /** Whether matrix products of the training steps run in bfloat16 on this machine. */
  bf16: boolean;
  folder: string;
  /** Folders of other runs, whose models are taken where they have the stamp asked for. */
  sources?: readonly string[];
  /** Name of the method in prediction rows, where it is not the method's own. */
  label?: string;
  benchmark: EmojiFgvr;
  knowledge: readonly Knowledge[];
  bench: Workbench;
  base: Params;
  prompts: PromptSet;
  close(): void;
}

/** Opens the experiment: draws the images where needed, loads base model and processor. */
export async function openExperiment(settings: Settings): Promise<Experiment> {
  if (settings.scale === "paper")
    throw new Error(
      "scale paper is for Qwen2.5-VL on photographs: commands cot, sft, triplets, rl and evaluate (notebook 07, docs/real-data.md); the shipped experiment has the scales smoke and default",
    );
  if (!isNative && settings.scale !== "smoke") throw new Error(withoutNativeEngine(settings, nativeLoadError() ?? ""));
  await ensureDrawings();
  const benchmark = loadEmojiFgvr();
  const knowledge = await emojiKnowledge(benchmark);
  const { config, params } = loadModel(settings.model);
  const roles = ["fewshot", "dev", settings.eval.role] as const;
  const images = [
    ...benchmark
      .subcategories()
      .flatMap((c) => [...new Set(roles)].flatMap((role) => benchmark.drawings(c, role).map((d) => d.path))),
    ...knowledge.filter((k) => k.evaluated).flatMap((k) => k.drawings.map((d) => d.path)),
  ];
  const bench = await squareWorkbench({
    config,
    processor: loadProcessor(settings.model),
    paths: images,
    imageSize: IMAGE_SIZE,
    loadImage,
  });
  return {
    settings,
    bf16: useBf16(settings.precision),
    folder: runFolder(settings),
    benchmark,
    knowledge,
    bench,
    base: params,
    prompts: settings.prompts === "paper" ? paperPrompts : tinyPrompts,
    close: () => {
      disposeTree(params);
      bench.dispose();
    },
  };
}

/** Seen sub-categories that a run trains on: all, or as many as `cot.subCategories` says, spread over the domains. */
export function trainedConcepts({ benchmark, settings }: Experiment): Set<string> {
  const seen = benchmark.subcategories({ split: "seen" });
  const limit = settings.cot.subCategories;
  if (limit === 0 || limit >= seen.length) return new Set(seen.map((c) => c.id));
  return new Set(
    random(foldIn(settings.seed, "sub-categories"))
      .sample(seen, limit)
      .map((c) => c.id),
  );
}

// ---------------------------------------------------------------- Stage 1, data

/** What `cotData` leaves: observations, records and their data card. */
export interface CotResult extends CotData {
  observations: Observation[];
  card: ReturnType<typeof dataCard>;
}

/** Observes the few-shot images and builds the chain-of-thought records (`cot/records.json`, sharegpt). */
export async function cotData(experiment: Experiment, onProgress?: OnProgress): Promise<CotResult> {
  const { settings, benchmark, knowledge, bench, base, folder } = experiment;
  const file = path.join(folder, "cot", "observations.jsonl");
  const stamp = stageStamp(experiment, "cot", ["cot"]);
  const concepts = trainedConcepts(experiment);
  const examples = benchmark.fewShotExamples().filter((e) => concepts.has(e.conceptId));
  type Stored = Omit<Observation, "beliefs"> & { beliefs: [string, number][] };
  let observations: Observation[];
  if (isFresh(file, stamp)) observations = readJsonl<Stored>(file).map((o) => ({ ...o, beliefs: new Map(o.beliefs) }));
  else {
    const pixels = await loadImages(examples.map((e) => e.path));
    observations = await observe(
      base,
      bench,
      examples.map((e) => ({
        image: e.path,
        concept: e.conceptId,
        domain: e.domain,
        question: domainQuestion(e.domain),
        colors: measure(pixels.get(e.path)!, e.domain === "flag" ? "flag" : "object").colors,
      })),
      {
        descriptions: settings.cot.descriptionsPerImage,
        beliefs: settings.cot.beliefSamples,
        seed: foldIn(settings.seed, "teacher"),
        onBatch: (done, total) => onProgress?.(done, total, "images described"),
      },
    );
    writeJsonl(
      file,
      observations.map((o): Stored => ({ ...o, beliefs: [...o.beliefs] })),
    );
    writeText(stampFile(file), stamp);
  }
  const domainOf = new Map(benchmark.subcategories().map((c) => [c.id, c.domain]));
  const built = buildCotData(observations, knowledge, domainOf, {
    conceptsPerImage: settings.cot.conceptsPerImage,
    redundancyWeight: settings.cot.redundancyWeight,
    prompts: experiment.prompts,
    closedOptions: (id, seed) => closedOptions(benchmark, benchmark.concept(id), seed),
    seed: foldIn(settings.seed, "cot"),
  });
  const data =
    settings.cot.rationales === "own"
      ? built
      : {
          ...built,
          records: shuffledRationales(built.records, domainOf, foldIn(settings.seed, "shuffled rationales")),
        };
  const card = dataCard(data);
  writeSharegpt(
    path.join(folder, "cot", "records.json"),
    data.records.map((r) => r.record),
  );
  writeSharegpt(
    path.join(folder, "cot", "records-direct.json"),
    data.records.map((r) => r.direct),
  );
  writeText(path.join(folder, "cot", "data-card.json"), `${JSON.stringify(card, null, 2)}\n`);
  return { ...data, observations, card };
}

// ---------------------------------------------------------------- models

export const modelFolder = (experiment: Pick<Experiment, "folder">, name: string): string =>
  path.join(experiment.folder, "models", name);

/**
 * Loads a stage's model and log, or trains and saves them. A trained adapter is saved in PEFT's form (`adapters/<name>`), and merged as
 * a plain model (`models/<name>`); what is returned holds it beside the base, so that RL goes on training it.
 */
async function loadOrTrain<Log extends { step: number }>(
  experiment: Experiment,
  name: string,
  stamp: string,
  train: (write: (log: Log) => void) => Promise<{ params: Params; log: Log[] }>,
): Promise<{ params: Params; log: Log[] }> {
  const { folder: run, settings, label = name } = experiment;
  const placesIn = (folder: string) => ({
    model: path.join(folder, "models", name),
    logFile: path.join(folder, "logs", `${name}.jsonl`),
    adapter: adapterOf({ settings, folder }, name),
  });
  const saved = [run, ...(experiment.sources ?? [])]
    .map(placesIn)
    .find(
      ({ model, logFile, adapter }) =>
        isFresh(model, stamp) && existsSync(logFile) && (!adapter || existsSync(adapter.folder)),
    );
  if (saved) return { params: loadTrained(experiment, saved.model, saved.adapter), log: readJsonl<Log>(saved.logFile) };
  const { model: folder, logFile, adapter } = placesIn(run);
  const result = await withScalarLog(
    { folder: run, stage: name, run: settings.run, name: `${label}, seed ${settings.seed}`, config: { ...settings } },
    train,
  );
  const card = modelCard({
    method: name,
    variant: experiment.label,
    settings,
    stamp,
    parameters: Object.values(result.params).reduce((n, { size }) => n + size, 0),
    images: `few-shot images of ${trainedConcepts(experiment).size} sub-categories of Emoji-FGVR`,
    steps: result.log.length,
  });
  saveTrained(experiment, folder, adapter, result.params, { ...processorFiles(settings.model), "README.md": card });
  writeJsonl(logFile, result.log);
  writeText(stampFile(folder), stamp);
  return result;
}

/** Training images must be few-shot ones (or pre-training ones, replayed): a test or dev image is an error. */
export function assertTrainable(experiment: Pick<Experiment, "benchmark">, paths: Iterable<string>): void {
  const { benchmark } = experiment;
  const allowed = new Set(
    benchmark
      .subcategories()
      .flatMap((c) =>
        [...(c.split === "seen" ? benchmark.drawings(c, "fewshot") : []), ...benchmark.drawings(c, "pretraining")].map(
          (d) => d.path,
        ),
      ),
  );
  for (const image of paths)
    if (!allowed.has(image)) throw new Error(`${image}: is no training image of a seen sub-category`);
}

const toConversation = ({ system, image, user, assistant }: SftRecord): Conversation => ({
  ...(system === null ? {} : { system }),
  image,
  turns: [{ user, assistant }],
});

/** Stage 1: SFT on rationales (`sft`) or on the bare answers to the same questions (`sft-direct`). */
export async function sftModel(
  experiment: Experiment,
  name: "sft" | "sft-direct",
  onProgress?: OnProgress,
): Promise<{ params: Params; log: SftLog[] }> {
  const { settings, bench, knowledge } = experiment;
  return loadOrTrain(
    experiment,
    name,
    stageStamp(experiment, name, ["cot", "sft", "lora"]),
    async (write: (log: SftLog) => void) => {
      const { records } = await cotData(experiment);
      const conversations = records.map((r) => toConversation(name === "sft" ? r.record : r.direct));
      assertTrainable(
        experiment,
        conversations.map((c) => c.image!),
      );
      const evaluated = knowledge.filter((k) => k.evaluated);
      const replay = (seed: number): Conversation => {
        const r = random(seed);
        const truth = r.choice(evaluated);
        const { rationale, direct } = namingConversations(truth, r.choice(namedDrawings(truth)), r);
        return name === "sft" ? rationale : { ...direct, turns: direct.turns.slice(0, 1) };
      };
      const start = startOfSft(experiment);
      const trained = await trainSft(start, bench, settings.sft, {
        conversations,
        replay: settings.sft.replayRows > 0 ? replay : undefined,
        seed: foldIn(settings.seed, "sft"),
        bf16: experiment.bf16,
        onStep: (log, total) => {
          write(log);
          return onProgress?.(log.step, total, `loss ${log.loss.toFixed(3)}`);
        },
      });
      disposeTree(start);
      return trained;
    },
  );
}

/** Stage-2 prompts: every few-shot image as anchor, with an open and a closed question drawn by `rl.openShare`. */
export function rlPrompts(experiment: Experiment): RlPrompt[] {
  const { benchmark, settings, prompts } = experiment;
  const concepts = trainedConcepts(experiment);
  return benchmark
    .triplets(foldIn(settings.seed, "triplets"))
    .filter((t) => concepts.has(t.anchor.conceptId))
    .flatMap(({ anchor, positive, negative }, i) =>
      [0, 1].map((turn): RlPrompt => {
        const r = random(foldIn(settings.seed, "rl-prompt", i, turn));
        const truth = benchmark.concept(anchor.conceptId);
        const options =
          r.uniform() < settings.rl.openShare ? null : closedOptions(benchmark, truth, r.integer(2 ** 31));
        const question = domainQuestion(anchor.domain);
        return {
          anchor: anchor.path,
          positive: positive.path,
          negative: negative.path,
          user:
            settings.prompts === "paper"
              ? prompts.stage2(options ? `${question} Options: ${options.join(", ")}.` : question)
              : prompts.reason(question, options ?? undefined),
          groundTruth: truth.name,
          options,
          domainNames: benchmark.subcategories({ domain: anchor.domain }).map((c) => c.name),
        };
      }),
    );
}

/** Stage 2: one RL method, from the SFT model. */
export async function rlModel(
  experiment: Experiment,
  method: RlMethod,
  onProgress?: OnProgress,
  onLog?: (log: RlLog) => void,
): Promise<{ params: Params; log: RlLog[] }> {
  const { settings, bench } = experiment;
  return loadOrTrain(
    experiment,
    method,
    stageStamp(experiment, method, ["cot", "sft", "rl", "lora"]),
    async (write: (log: RlLog) => void) => {
      const { params: initial } = await sftModel(experiment, "sft");
      const prompts = rlPrompts(experiment);
      assertTrainable(
        experiment,
        prompts.flatMap((p) => [p.anchor, p.positive, p.negative]),
      );
      const result = await trainRl(initial, bench, settings.rl, {
        method,
        prompts,
        seed: foldIn(settings.seed, "rl"),
        bf16: experiment.bf16,
        onStep: async (log, total) => {
          write(log);
          onLog?.(log);
          await onProgress?.(
            log.step,
            total,
            `reward ${log.reward.toFixed(3)}, format ${log.format.toFixed(2)}, kept ${(100 * log.kept).toFixed(0)} %`,
          );
        },
      });
      disposeTree(initial);
      return result;
    },
  );
}

/** Parameters of a method; the caller disposes them. */
export async function methodParams(experiment: Experiment, method: Method, onProgress?: OnProgress): Promise<Params> {
  if (method === "base" || method === "base-cot") return loadModel(experiment.settings.model).params;
  if (method === "sft" || method === "sft-direct") return (await sftModel(experiment, method, onProgress)).params;
  return (await rlModel(experiment, method, onProgress)).params;
}

// ---------------------------------------------------------------- evaluation

/** Evaluation rows of both settings; the same for every method. */
export function evaluationRows({ benchmark, settings }: Experiment): EvaluationRow[] {
  return (["closed", "open"] as const).flatMap((setting) => {
    const shuffled = benchmark.evaluationRows({
      role: settings.eval.role,
      setting,
      seed: foldIn(settings.seed, "evaluation"),
    });
    const rows =
      settings.eval.optionOrder === "shuffled"
        ? shuffled
        : shuffled.map((row) =>
            row.options
              ? { ...row, options: [row.ground_truth, ...row.options.filter((o) => o !== row.ground_truth)] }
              : row,
          );
    return settings.eval.limit > 0 && settings.eval.limit < rows.length
      ? random(foldIn(settings.seed, "limit")).sample(rows, settings.eval.limit)
      : rows;
  });
}

/** Predictions of a method (`predictions/<method>.jsonl`), or of a control (`controls/<method>-<control>.jsonl`). */
export async function evaluate(
  experiment: Experiment,
  method: Method,
  onProgress?: OnProgress,
  control: ImageControl = "own",
): Promise<PredictionRow[]> {
  const { settings, bench, prompts, folder } = experiment;
  const named = experiment.label ?? method;
  const name = control === "own" ? named : `${named}-${control}-image${control === "none" ? "" : "s"}`;
  const file = path.join(folder, control === "own" ? "predictions" : "controls", `${name}.jsonl`);
  const parts: (keyof Settings)[] = method.startsWith("base")
    ? ["eval"]
    : method.startsWith("sft")
      ? ["cot", "sft", "lora", "eval"]
      : ["cot", "sft", "rl", "lora", "eval"];
  const stamp = stageStamp(experiment, `evaluate ${name}`, parts);
  if (isFresh(file, stamp)) return readJsonl<PredictionRow>(file);
  const params = await methodParams(experiment, method, onProgress);
  const rows = await predict(params, bench, evaluationRows(experiment), {
    method: name,
    seed: settings.seed,
    reason: !DIRECT.includes(method),
    prompts,
    maxNewTokens: settings.eval.maxNewTokens,
    batchSize: settings.eval.batchSize,
    control,
    onBatch: (done, total) => onProgress?.(done, total, "rows answered"),
  });
  disposeTree(params);
  writeJsonl(file, rows);
  writeText(stampFile(file), stamp);
  return rows;
}
