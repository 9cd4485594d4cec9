/**
 * The contrastive baseline on the shipped data, the paper's "MLLM against CLIP" in small: two towers trained from
 * nothing on the pre-training pairs of the base (`clip-base`), then continued on the few-shot images of SFT
 * (`clip-fewshot`), and evaluated on the same questions. Its stages are loaded where they were saved under the same
 * code, data and settings.
 */
import * as path from "node:path";
import { isStudy } from "../../benchmark/drawn";
import { assertTrainable, fewShotImages } from "../../benchmark/roles";
import type { Extras, SquareImages } from "../../benchmark/types";
import { countPairs, drawPairs, nameCaption, type PairCounts } from "./pairs";
import type { Pair } from "../../train/contrastive";
import { foldIn, random } from "../../util/random";
import type { Params } from "../../engine/tensorflow";
import { disposeTree } from "../../engine/tree";
import { chooseNames } from "../../eval/choose";
import type { PredictionRow } from "../../eval/rows";
import { BASELINE_METHODS, type BaselineMethod } from "../../train/methods";
import { trained } from "../cot";
import { evaluationQuestions } from "../evaluate";
import { placesOf } from "../models";
import { modelFolder } from "../model-folder";
import { runStage, type Watch } from "../stage";
import type { Experiment } from "../types";
import type { ContrastiveLoss } from "../../loss/contrastive";
import {
  contrastiveConfig,
  initContrastive,
  loadContrastive,
  saveContrastive,
  type ContrastiveConfig,
} from "../../model/contrastive";
import { processorFiles } from "../../processor/processor";
import { throwIfAborted } from "../../util/abort";
import { createEmbedder } from "./embedder";
import { readJsonl, writeJsonl } from "../../util/files";
import { trainContrastive, type ContrastiveLog, type ContrastiveRun } from "../../train/contrastive";
import { loadImageBank } from "../../train/images";

/** The two rows of the table. */
export const CONTRASTIVE_METHODS = BASELINE_METHODS;
export type ContrastiveMethod = BaselineMethod;

/** Numbers of the two stages: those of the base's pre-training (`pretrain`) and of SFT where they have one. */
export interface ContrastiveRecipe {
  /**
   * Where the vision tower starts: from nothing, or as the base has it, where that tower had a pre-training of its own.
   */
  tower: "nothing" | "base";
  /** Updates of the first stage. */
  steps: number;
  loss: ContrastiveLoss;
  /** Pairs of a step, the first `named` of them with the name; and how much oftener sub-categories are drawn. */
  images: number;
  named: number;
  evaluatedWeight: number;
  learningRate: number;
  /** Weight of the concept head, which the base's pre-training has too. */
  auxiliaryWeight: number;
  weightDecay: number;
  augmentation: number;
  /** Peak learning rate of the few-shot stage; its epochs, batch and replay are SFT's. */
  fewshotLearningRate: number;
}

export const contrastiveRecipe: ContrastiveRecipe = {
  tower: "nothing",
  steps: 2200,
  loss: "sigmoid",
  images: 80,
  named: 32,
  evaluatedWeight: 2.5,
  learningRate: 2e-3,
  auxiliaryWeight: 0.2,
  weightDecay: 0.05,
  augmentation: 1,
  fewshotLearningRate: 1e-3,
};

/** For the study's base: its tower is given, so fewer steps at a smaller rate. */
const studyContrastiveRecipe: ContrastiveRecipe = {
  ...contrastiveRecipe,
  tower: "base",
  steps: 1800,
  learningRate: 1e-3,
};

/** The recipe that fits a benchmark's base. */
export const contrastiveRecipeOf = (benchmark: string): ContrastiveRecipe =>
  isStudy(benchmark) ? studyContrastiveRecipe : contrastiveRecipe;

/** Parameters of the first stage before its first step; the caller's. */
function initialTowers(experiment: Experiment, config: ContrastiveConfig, recipe: ContrastiveRecipe): Params {
  const initial = initContrastive(config, experiment.settings.seed);
  if (recipe.tower === "nothing") return initial;
  for (const [name, tensor] of Object.entries(experiment.base)) {
    if (!name.startsWith("visual.")) continue;
    initial[name].dispose();
    initial[name] = tensor.clone();
  }
  return initial;
}

/** What a stage leaves; the caller disposes the parameters. */
export interface ContrastiveModel {
  config: ContrastiveConfig;
  params: Params;
  log: ContrastiveLog[];
}

/**
 * What the baseline trains on.
 * @throws Error where the benchmark has no image-text pairs of its own, with what is missing
 */
export function pairSource({ benchmark }: Pick<Experiment, "benchmark">): { extras: Extras; squares: SquareImages } {
  const { extras, squares } = benchmark;
  if (!extras || !squares)
    throw new Error(
      `contrastive: ${benchmark.name} has no image-text pairs of a base's pre-training, and no square images; emoji-fgvr and the emoji-study benchmarks have both. ` +
        "`zero-shot` compares with a published CLIP or SigLIP on any benchmark",
    );
  return { extras, squares };
}

/** The pairs that training may draw from. */
export function pairCounts(experiment: Pick<Experiment, "benchmark">): PairCounts {
  return countPairs(pairSource(experiment).extras.knowledge);
}

/** Few-shot pairs of the seen sub-categories a run trains on: every image with its name. */
export function fewShotPairs(experiment: Pick<Experiment, "benchmark" | "settings">): Pair[] {
  const { benchmark, settings } = experiment;
  const pairs = fewShotImages(benchmark, trained(experiment), settings.shots).map(({ id, subcategory }): Pair => ({
    image: id,
    conceptId: subcategory.id,
    caption: nameCaption(subcategory.name),
  }));
  assertTrainable(
    benchmark,
    pairs.map((pair) => pair.image),
  );
  return pairs;
}

/** Images of pre-training, of every concept. @throws Error where one has a role in the benchmark */
export function pretrainingImages(experiment: Pick<Experiment, "benchmark">): string[] {
  const images = [...pairSource(experiment).extras.pretrainingImages];
  for (const role of ["fewshot", "dev", "test"] as const) {
    const taken = new Set(experiment.benchmark.images(role).map(({ id }) => id));
    const foreign = images.find((image) => taken.has(image));
    if (foreign !== undefined) throw new Error(`${foreign}: is a ${role} image, not one of pre-training`);
  }
  return images;
}

/**
 * A batch of the few-shot stage: `own` images of distinct sub-categories, then replayed pre-training pairs of other
 * concepts.
 */
export function fewShotBatch(
  examples: readonly Pair[],
  replay: (seed: number) => readonly Pair[],
  sizes: { own: number; replay: number },
  seed: number,
): Pair[] {
  const chosen = new Map<string, Pair>();
  for (const pair of [...random(seed).shuffle(examples)])
    if (chosen.size < sizes.own && !chosen.has(pair.conceptId)) chosen.set(pair.conceptId, pair);
  const others = replay(foldIn(seed, "replay"))
    .filter((pair) => !chosen.has(pair.conceptId))
    .slice(0, sizes.replay);
  return [...chosen.values(), ...others];
}

/** A model of the baseline as a stage: loaded, or trained and saved. */
function loadOrTrain(
  experiment: Experiment,
  { name, recipe }: { name: ContrastiveMethod; recipe: ContrastiveRecipe },
  train: () => Promise<ContrastiveModel>,
): Promise<ContrastiveModel> {
  const places = placesOf(experiment.folder, name);
  const { fewshotLearningRate: _, ...first } = recipe;
  return runStage(experiment, {
    name,
    target: path.join("models", name),
    settings: name === "clip-base" ? [] : ["shots", "cot", "sft"],
    inputs: name === "clip-base" ? first : recipe,
    load: (from) => {
      const there = placesOf(from, name);
      return { ...loadContrastive(there.model), log: readJsonl<ContrastiveLog>(there.log) };
    },
    make: async (_, beforeSaving) => {
      const result = await train();
      beforeSaving();
      writeJsonl(places.log, result.log);
      saveContrastive(places.model, result.config, result.params, processorFiles(modelFolder(experiment.settings)));
      return result;
    },
  });
}

/** What both stages share. */
function commonRun(experiment: Experiment, method: ContrastiveMethod, { recipe, watch }: BaselineOptions) {
  const { settings, bench, bf16 } = experiment;
  const { onProgress } = watch;
  return {
    processor: bench.processor,
    loss: recipe.loss,
    maxGradNorm: 1,
    bf16,
    seed: foldIn(settings.seed, method),
    onStep: async (entry: ContrastiveLog, total: number) => {
      const note = `loss ${entry.loss.toFixed(3)}, own text first ${(100 * entry.matched).toFixed(0)} %`;
      await onProgress?.(entry.step, total, note);
      throwIfAborted(watch.signal);
    },
  } satisfies Partial<ContrastiveRun>;
}

/** How many pairs of pre-training are in a batch. */
const replayed = (recipe: ContrastiveRecipe, concepts: number) => ({
  images: Math.min(recipe.images, concepts),
  named: recipe.named,
  evaluatedWeight: recipe.evaluatedWeight,
});

/** The first stage, from nothing, on the pairs that the base was pre-trained on. */
async function trainBase(experiment: Experiment, options: BaselineOptions): Promise<ContrastiveModel> {
  const { settings, bench } = experiment;
  const { recipe } = options;
  const { extras, squares } = pairSource(experiment);
  const { knowledge } = extras;
  const isFlag = new Set(knowledge.filter(({ kind }) => kind === "flag").map(({ id }) => id));
  const config = contrastiveConfig(bench.config);
  const initial = initialTowers(experiment, config, recipe);
  const bank = await loadImageBank(pretrainingImages(experiment), squares.size, squares.load);
  try {
    const result = await trainContrastive(initial, {
      ...commonRun(experiment, "clip-base", options),
      config,
      bank,
      steps: recipe.steps,
      learningRate: recipe.learningRate,
      visionLearningRateScale: 0.5,
      weightDecay: recipe.weightDecay,
      warmupSteps: Math.min(100, recipe.steps),
      augmentation: recipe.augmentation,
      mayMirror: (id) => !isFlag.has(id),
      auxiliary: { weight: recipe.auxiliaryWeight, concepts: knowledge.map((k) => k.id) },
      pairs: (step) => drawPairs(knowledge, replayed(recipe, knowledge.length), foldIn(settings.seed, "pairs", step)),
    });
    return { config, ...result };
  } finally {
    disposeTree(initial);
    bank.dispose();
  }
}

/** The second stage, on the few-shot images. */
async function trainFewShot(experiment: Experiment, options: BaselineOptions): Promise<ContrastiveModel> {
  const { settings } = experiment;
  const { recipe } = options;
  const { extras, squares } = pairSource(experiment);
  const { config, params: initial } = await contrastiveModel(experiment, "clip-base", options);
  const examples = fewShotPairs(experiment);
  const images = [...pretrainingImages(experiment), ...examples.map((pair) => pair.image)];
  const bank = await loadImageBank(images, squares.size, squares.load);
  const { sft } = settings;
  const own = Math.min(sft.batchSize - sft.replayRows, new Set(examples.map((pair) => pair.conceptId)).size);
  const batch = replayed(recipe, extras.knowledge.length);
  try {
    const result = await trainContrastive(initial, {
      ...commonRun(experiment, "clip-fewshot", options),
      config,
      bank,
      steps: sft.epochs * Math.ceil(examples.length / own),
      learningRate: recipe.fewshotLearningRate,
      visionLearningRateScale: sft.visionLearningRateScale,
      weightDecay: sft.weightDecay,
      warmupSteps: sft.warmupSteps,
      augmentation: sft.augmentation,
      mayMirror: () => false,
      auxiliary: null,
      pairs: (step) =>
        fewShotBatch(
          examples,
          (seed) => drawPairs(extras.knowledge, { ...batch, named: batch.images }, seed),
          { own, replay: sft.replayRows },
          foldIn(settings.seed, "few-shot", step),
        ),
    });
    return { config, ...result };
  } finally {
    disposeTree(initial);
    bank.dispose();
  }
}

/** What a baseline is told. */
export interface BaselineOptions {
  recipe: ContrastiveRecipe;
  watch: Watch;
}

/** Trains, or loads, one of the two models. @throws Error where the benchmark has not what it needs */
export function contrastiveModel(
  experiment: Experiment,
  method: ContrastiveMethod,
  options: BaselineOptions,
): Promise<ContrastiveModel> {
  const train = method === "clip-base" ? trainBase : trainFewShot;
  return loadOrTrain(experiment, { name: method, recipe: options.recipe }, () => train(experiment, options));
}

/** Where the baselines' predictions are, beside those of the main job, which stay as they are. */
export const baselineFolder = ({ folder }: Pick<Experiment, "folder">): string => path.join(folder, "baselines");

/** Predictions of a contrastive model on the questions of every other method (`baselines/<method>.jsonl`). */
export function evaluateContrastive(
  experiment: Experiment,
  method: ContrastiveMethod,
  options: BaselineOptions,
): Promise<PredictionRow[]> {
  const { bench, benchmark, settings, folder } = experiment;
  const target = path.join("baselines", `${method}.jsonl`);
  const { squares } = pairSource(experiment);
  return runStage(experiment, {
    name: `evaluate ${method}`,
    target,
    settings: ["shots", "cot", "sft", "eval"],
    inputs: options.recipe,
    load: (from) => readJsonl<PredictionRow>(path.join(from, target)),
    make: async (_, beforeSaving) => {
      const model = await contrastiveModel(experiment, method, options);
      const { questions } = await evaluationQuestions(experiment);
      const paths = questions.map((question) => question.image_path);
      const bank = await loadImageBank(paths, squares.size, squares.load);
      const embed = createEmbedder(model, bench, bank);
      const namesOfDomain = (domain: string): string[] => benchmark.subcategories({ domain }).map(({ name }) => name);
      const names = embed.names(benchmark.subcategories().map(({ name }) => name));
      const table = { images: embed.images(paths), names };
      const rows = chooseNames(questions, table, { method, seed: settings.seed, namesOfDomain });
      disposeTree(model.params);
      bank.dispose();
      beforeSaving();
      writeJsonl(path.join(folder, target), rows);
      return rows;
    },
  });
}
