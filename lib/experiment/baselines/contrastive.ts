/**
 * The contrastive baseline on the shipped data, the paper's "MLLM against CLIP" in small: two towers trained from nothing on the
 * pre-training pairs of the base (`clip-base`), then continued on the few-shot images of SFT (`clip-fewshot`), and evaluated on
 * the same rows. Stages as in `experiment.ts`: loaded where saved under the same code, data and settings.
 */
import { createHash } from "node:crypto";
import * as path from "node:path";
import { IMAGE_SIZE, loadImage } from "../../benchmark/emoji-fgvr";
import { countPairs, drawPairs, nameCaption, type PairCounts } from "./pairs";
import type { Pair } from "../../train/contrastive";
import { compile } from "../../engine/compile";
import { foldIn, random } from "../../util/random";
import { tf, type Params, type Tensor } from "../../engine/tensorflow";
import { disposeTree } from "../../engine/tree";
import { chooseNames } from "../../eval/choose";
import type { PredictionRow } from "../../eval/rows";
import {
  assertTrainable,
  evaluationRows,
  modelFolder,
  trainedConcepts,
  type Experiment,
  type OnProgress,
} from "../experiment";
import { isFresh, stageStamp, stampFile } from "../stamp";
import type { ContrastiveLoss } from "../../loss/contrastive";
import {
  contrastiveConfig,
  embedPooled,
  embedTexts,
  initContrastive,
  loadContrastive,
  pooledFeatures,
  saveContrastive,
  textInputs,
  type ContrastiveConfig,
  type TextInputs,
} from "../../model/contrastive";
import { visionInputs, visionPlan, type Grid, type VisionInputs } from "../../model/vision-plan";
import { processorFiles } from "../../processor/processor";
import { readJsonl, writeJsonl, writeText } from "../../util/files";
import { toPatches } from "../../train/augment";
import { trainContrastive, type ContrastiveLog, type ContrastiveRun } from "../../train/contrastive";
import { loadImageBank, type ImageBank } from "../../train/images";

/** The two rows of the table. */
export const CONTRASTIVE_METHODS = ["clip-base", "clip-fewshot"] as const;
export type ContrastiveMethod = (typeof CONTRASTIVE_METHODS)[number];

/** Numbers of the two stages: those of the base's pre-training (`pretrain`) and of SFT where they have one. */
export interface ContrastiveRecipe {
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

/** What a stage leaves; the caller disposes the parameters. */
export interface ContrastiveModel {
  config: ContrastiveConfig;
  params: Params;
  log: ContrastiveLog[];
}

/** The pairs that training may draw from. */
export function pairCounts({ knowledge }: Experiment): PairCounts {
  return countPairs(knowledge);
}

/** Few-shot pairs of the seen sub-categories a run trains on: every image with its name. */
export function fewShotPairs(experiment: Experiment): Pair[] {
  const { benchmark } = experiment;
  const concepts = trainedConcepts(experiment);
  const pairs = benchmark
    .fewShotExamples()
    .filter((e) => concepts.has(e.conceptId))
    .map((e): Pair => ({
      image: e.path,
      conceptId: e.conceptId,
      caption: nameCaption(benchmark.concept(e.conceptId).name),
    }));
  assertTrainable(
    experiment,
    pairs.map((pair) => pair.image),
  );
  return pairs;
}

/** Drawings of the pre-training designers, of every concept. @throws Error where one belongs to another role */
export function pretrainingImages({ benchmark, knowledge }: Pick<Experiment, "benchmark" | "knowledge">): string[] {
  const allowed = new Set(benchmark.concepts.flatMap((c) => benchmark.drawings(c, "pretraining").map((d) => d.path)));
  const images = knowledge.flatMap((k) => k.drawings.map((d) => d.path));
  const foreign = images.find((image) => !allowed.has(image));
  if (foreign !== undefined) throw new Error(`${foreign}: is no drawing of a pre-training designer`);
  return images;
}

/** A batch of the few-shot stage: `own` images of distinct sub-categories, then replayed pre-training pairs of other concepts. */
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

function stamp(experiment: Experiment, name: ContrastiveMethod, recipe: ContrastiveRecipe): string {
  const { fewshotLearningRate: _, ...first } = recipe;
  const parts =
    name === "clip-base"
      ? [stageStamp(experiment, name, []), first]
      : [stageStamp(experiment, name, ["cot", "sft"]), recipe];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

async function loadOrTrain(
  experiment: Experiment,
  name: ContrastiveMethod,
  recipe: ContrastiveRecipe,
  train: () => Promise<ContrastiveModel>,
): Promise<ContrastiveModel> {
  const folder = modelFolder(experiment, name === "clip-base" ? "contrastive" : "contrastive-fewshot");
  const logFile = path.join(experiment.folder, "logs", `${name}.jsonl`);
  const wanted = stamp(experiment, name, recipe);
  if (isFresh(folder, wanted)) return { ...loadContrastive(folder), log: readJsonl<ContrastiveLog>(logFile) };
  const result = await train();
  writeJsonl(logFile, result.log);
  saveContrastive(folder, result.config, result.params, processorFiles(experiment.settings.model));
  writeText(stampFile(folder), wanted);
  return result;
}

const flags = ({ benchmark }: Experiment): ((id: string) => boolean) => {
  const isFlag = new Set(benchmark.concepts.filter((c) => c.kind === "flag").map((c) => c.id));
  return (id) => isFlag.has(id);
};

/** Trains, or loads, one of the two models. */
export async function contrastiveModel(
  experiment: Experiment,
  method: ContrastiveMethod,
  recipe: ContrastiveRecipe = contrastiveRecipe,
  onProgress?: OnProgress,
): Promise<ContrastiveModel> {
  const { settings, bench, knowledge, bf16 } = experiment;
  const replayed = {
    images: Math.min(recipe.images, knowledge.length),
    named: recipe.named,
    evaluatedWeight: recipe.evaluatedWeight,
  };
  const isFlag = flags(experiment);
  const common = {
    processor: bench.processor,
    loss: recipe.loss,
    maxGradNorm: 1,
    bf16,
    seed: foldIn(settings.seed, method),
    onStep: (entry: ContrastiveLog, total: number) =>
      onProgress?.(
        entry.step,
        total,
        `loss ${entry.loss.toFixed(3)}, own text first ${(100 * entry.matched).toFixed(0)} %`,
      ),
  } satisfies Partial<ContrastiveRun>;
  return loadOrTrain(experiment, method, recipe, async () => {
    const replayBank = pretrainingImages(experiment);
    if (method === "clip-base") {
      const config = contrastiveConfig(bench.config);
      const initial = initContrastive(config, settings.seed);
      const bank = await loadImageBank(replayBank, IMAGE_SIZE, loadImage);
      try {
        const result = await trainContrastive(initial, {
          ...common,
          config,
          bank,
          steps: recipe.steps,
          learningRate: recipe.learningRate,
          visionLearningRateScale: 0.5,
          weightDecay: recipe.weightDecay,
          warmupSteps: Math.min(100, recipe.steps),
          augmentation: recipe.augmentation,
          mayMirror: (id) => !isFlag(id),
          auxiliary: { weight: recipe.auxiliaryWeight, concepts: knowledge.map((k) => k.id) },
          pairs: (step) => drawPairs(knowledge, replayed, foldIn(settings.seed, "pairs", step)),
        });
        return { config, ...result };
      } finally {
        disposeTree(initial);
        bank.dispose();
      }
    }
    const { config, params: initial } = await contrastiveModel(experiment, "clip-base", recipe, onProgress);
    const examples = fewShotPairs(experiment);
    const bank = await loadImageBank([...replayBank, ...examples.map((pair) => pair.image)], IMAGE_SIZE, loadImage);
    const { sft } = settings;
    const own = Math.min(sft.batchSize - sft.replayRows, new Set(examples.map((pair) => pair.conceptId)).size);
    try {
      const result = await trainContrastive(initial, {
        ...common,
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
            (seed) => drawPairs(knowledge, { ...replayed, named: replayed.images }, seed),
            { own, replay: sft.replayRows },
            foldIn(settings.seed, "few-shot", step),
          ),
      });
      return { config, ...result };
    } finally {
      disposeTree(initial);
      bank.dispose();
    }
  });
}

/** Where the baselines' predictions are, beside those of the main job, which stay as they are. */
export const baselineFolder = ({ folder }: Pick<Experiment, "folder">): string => path.join(folder, "baselines");

/** Embeddings of images and texts on the host, in batches of equal size. */
export function createEmbedder(
  { config, params }: Pick<ContrastiveModel, "config" | "params">,
  { processor }: Pick<Experiment["bench"], "processor">,
  bank: ImageBank,
  batchSize = 64,
) {
  const side = bank.size / processor.imageConfig.patchSize;
  const encode = compile(
    (p: Params, images: Tensor, ids: Tensor, plan: VisionInputs) =>
      embedPooled(
        p,
        pooledFeatures(
          p,
          config.towers,
          toPatches(tf.gather(images, ids as tf.Tensor1D), processor.imageConfig),
          plan,
          batchSize,
        ),
      ),
    { name: "contrastive.images" },
  );
  const read = compile((p: Params, texts: TextInputs) => embedTexts(p, config, texts), { name: "contrastive.texts" });
  /** Keyed vectors; the last batch is filled with its last item. */
  const batched = (keys: readonly string[], embed: (batch: readonly string[]) => Tensor): Map<string, Float32Array> => {
    const out = new Map<string, Float32Array>();
    for (let start = 0; start < keys.length; start += batchSize) {
      const rows = embed(Array.from({ length: batchSize }, (_, i) => keys[Math.min(start + i, keys.length - 1)]));
      const values = rows.dataSync() as Float32Array;
      keys
        .slice(start, start + batchSize)
        .forEach((key, i) => out.set(key, values.slice(i * config.projectionDim, (i + 1) * config.projectionDim)));
      rows.dispose();
    }
    return out;
  };
  return {
    images: (paths: readonly string[]): Map<string, Float32Array> => {
      const plan = visionInputs(visionPlan(config.towers, new Array<Grid>(batchSize).fill([1, side, side])));
      const out = batched([...new Set(paths)], (batch) => {
        const ids = tf.tensor1d(
          batch.map((image) => bank.indexOf(image)),
          "int32",
        );
        const rows = encode(params, bank.images, ids, plan);
        ids.dispose();
        return rows;
      });
      disposeTree(plan);
      return out;
    },
    names: (names: readonly string[]): Map<string, Float32Array> =>
      batched([...new Set(names)], (batch) => {
        const texts = textInputs(batch.map(nameCaption), config, (text) => processor.tokenizer.encode(text));
        const rows = read(params, texts);
        disposeTree(texts);
        return rows;
      }),
  };
}

/** Predictions of a contrastive model on the rows of every other method (`baselines/<method>.jsonl`). */
export async function evaluateContrastive(
  experiment: Experiment,
  method: ContrastiveMethod,
  recipe: ContrastiveRecipe = contrastiveRecipe,
  onProgress?: OnProgress,
): Promise<PredictionRow[]> {
  const { bench, benchmark, settings } = experiment;
  const file = path.join(baselineFolder(experiment), `${method}.jsonl`);
  const wanted = createHash("sha256")
    .update(JSON.stringify([stamp(experiment, method, recipe), stageStamp(experiment, `evaluate ${method}`, ["eval"])]))
    .digest("hex");
  if (isFresh(file, wanted)) return readJsonl<PredictionRow>(file);
  const model = await contrastiveModel(experiment, method, recipe, onProgress);
  const rows = evaluationRows(experiment);
  const paths = rows.map((row) => row.image_path);
  const bank = await loadImageBank(paths, IMAGE_SIZE, loadImage);
  const embed = createEmbedder(model, bench, bank);
  const predictions = chooseNames(
    rows,
    { images: embed.images(paths), names: embed.names(benchmark.subcategories().map((c) => c.name)) },
    { method, seed: settings.seed, namesOfDomain: (domain) => benchmark.subcategories({ domain }).map((c) => c.name) },
  );
  disposeTree(model.params);
  bank.dispose();
  writeJsonl(file, predictions);
  writeText(stampFile(file), wanted);
  return predictions;
}
