/** The first phase: the vision tower learns names, words and a pre-trained network's features of single images. */
import * as path from "node:path";
import { adamWDefaults, adamWInit, cosineSchedule } from "../../lib/engine/optimizer";
import { tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import type { Knowledge } from "../../lib/benchmark/emoji-fgvr/knowledge";
import type { ModelConfig } from "../../lib/model/config";
import { visionInputs, visionPlan, type Grid } from "../../lib/model/vision-plan";
import type { PreprocessorConfig } from "../../lib/processor/preprocessor-config";
import { drawAugmentation } from "../../lib/train/augment";
import { createVisionStep, initVision, type VisionBatch } from "../../lib/train/pretrain-vision";
import { loadTrainingState, saveTrainingState, type Checkpointing } from "../../lib/train/training-state";
import { foldIn, random } from "../../lib/util/random";
import { print } from "../output";
import type { Recipe, VisionRecipe } from "./recipes";
import { sampler } from "./sampler";
import type { TeacherData } from "./teacher";

export interface VisionLog {
  step: number;
  seconds: number;
  concept: number;
  words: number;
  teacher: number;
}

/** What the phase reads. */
export interface VisionData {
  knowledge: readonly Knowledge[];
  /** RGB bytes of a drawing. */
  pixels: (path: string) => Uint8Array;
  size: number;
  teacher: TeacherData;
  isFlag: ReadonlySet<string>;
}

/** `data/cache/emoji-study/noto/1f431.png` -> `noto/1f431` */
const drawingKey = (file: string): string => {
  const [style, name] = file.split("/").slice(-2);
  return `${style}/${path.basename(name, ".png")}`;
};

/** What every batch is drawn from; made once. */
interface Pool {
  /** A concept with drawings, by its weight; `u` in [0, 1). */
  pick: (u: number) => Knowledge;
  /** Place of a concept and of a visual word in the heads. */
  conceptIndex: ReadonlyMap<string, number>;
  vocabulary: ReadonlyMap<string, number>;
}

function poolOf(knowledge: readonly Knowledge[], evaluatedWeight: number): Pool {
  const drawable = knowledge.filter((k) => k.drawings.length > 0);
  return {
    pick: sampler(drawable, evaluatedWeight),
    conceptIndex: new Map(knowledge.map((k, i) => [k.id, i])),
    vocabulary: new Map([...new Set(knowledge.flatMap((k) => k.words))].map((word, i) => [word, i])),
  };
}

/** One batch: labelled drawings first, then icons. */
function drawBatch(
  { pixels, size, teacher, isFlag }: VisionData,
  recipe: VisionRecipe,
  { pick, conceptIndex, vocabulary }: Pool,
  seed: number,
): Omit<VisionBatch, "vision"> {
  const r = random(seed);
  const labelledCount = recipe.images - recipe.icons;
  const chosen = Array.from({ length: labelledCount }, () => {
    const k = pick(r.uniform());
    return { k, file: r.choice(k.drawings).path };
  });
  const icons = Array.from({ length: recipe.icons }, () => r.integer(teacher.iconCount));
  const bytes = size * size * 3;
  const images = new Float32Array(recipe.images * bytes);
  const words = new Float32Array(recipe.images * vocabulary.size);
  const targets = new Float32Array(recipe.images * teacher.dimensions);
  const conceptIds = new Int32Array(recipe.images);
  chosen.forEach(({ k, file }, n) => {
    images.set(pixels(file), n * bytes);
    for (const word of k.words) words[n * vocabulary.size + vocabulary.get(word)!] = 1;
    targets.set(teacher.drawingFeature(drawingKey(file)), n * teacher.dimensions);
    conceptIds[n] = conceptIndex.get(k.id)!;
  });
  icons.forEach((icon, i) => {
    const n = labelledCount + i;
    images.set(teacher.icons.subarray(icon * bytes, (icon + 1) * bytes), n * bytes);
    targets.set(
      teacher.iconFeatures.subarray(icon * teacher.dimensions, (icon + 1) * teacher.dimensions),
      n * teacher.dimensions,
    );
  });
  return {
    images: tf.tensor4d(images, [recipe.images, size, size, 3]),
    augmentation: drawAugmentation(
      Array.from({ length: recipe.images }, (_, n) => foldIn(seed, "augment", n)),
      size,
      recipe.augmentation,
      Array.from({ length: recipe.images }, (_, n) => n >= labelledCount || !isFlag.has(chosen[n].k.id)),
    ),
    labelled: tf.tensor1d(Float32Array.from({ length: recipe.images }, (_, n) => (n < labelledCount ? 1 : 0))),
    conceptIds: tf.tensor1d(conceptIds, "int32"),
    words: tf.tensor2d(words, [recipe.images, vocabulary.size]),
    teacher: tf.tensor2d(targets, [recipe.images, teacher.dimensions]),
  };
}

/** Trains the tower; the parameters, heads among them, are the caller's. Goes on from the last checkpoint. */
export function visionPhase(
  config: ModelConfig,
  format: PreprocessorConfig,
  { recipe, vision: phase }: { recipe: Recipe; vision: VisionRecipe },
  data: VisionData,
  { seed, checkpointing }: { seed: number; checkpointing: Checkpointing },
): { params: Params; log: VisionLog[] } {
  const pool = poolOf(data.knowledge, recipe.evaluatedWeight);
  const side = data.size / format.patchSize;
  const grids = new Array<Grid>(phase.images).fill([1, side, side]);
  const vision = visionInputs(visionPlan(config, grids));
  const step = createVisionStep(config, format, {
    optimizer: { ...adamWDefaults, beta2: 0.98, weightDecay: phase.weightDecay },
    maxGradNorm: recipe.maxGradNorm,
    weights: phase.weights,
    bf16: recipe.bf16,
  });
  const heads = { concepts: data.knowledge.length, words: pool.vocabulary.size, teacher: data.teacher.dimensions };
  const initial = initVision(config, heads, seed);
  const saved = loadTrainingState<VisionLog>(checkpointing, initial);
  if (saved) disposeTree(initial);
  let params = saved?.params ?? initial;
  let state = saved?.state ?? adamWInit(params);
  const log = saved?.log ?? [];
  const before = log.at(-1)?.seconds ?? 0;
  const started = Date.now();
  for (let i = log.length; i < phase.steps; i++) {
    const batch = drawBatch(data, phase, pool, foldIn(seed, "vision", i));
    const learningRate = tf.scalar(phase.learningRate * cosineSchedule(i, phase.steps, phase.warmupSteps, 0.02));
    const next = step(params, state, { ...batch, vision }, learningRate);
    const metrics = next.metrics as Params;
    const [concept, words, teacher, loss] = ["concept", "words", "teacher", "loss"].map(
      (name) => metrics[name].dataSync()[0],
    );
    disposeTree(params, state, next.metrics, learningRate, batch);
    [params, state] = [next.params, next.state];
    if (!Number.isFinite(loss)) throw new Error(`pretrain: the loss of the vision phase is ${loss} at step ${i}`);
    log.push({ step: i + 1, seconds: before + (Date.now() - started) / 1000, concept, words, teacher });
    if ((i + 1) % 50 === 0) {
      const recent = log.slice(-50);
      const mean = (of: (entry: VisionLog) => number): string =>
        (recent.reduce((sum, entry) => sum + of(entry), 0) / recent.length).toFixed(3);
      print(
        `vision ${i + 1}/${phase.steps}  ${log.at(-1)!.seconds.toFixed(0)} s  concept ${mean((e) => e.concept)}  words ${mean((e) => e.words)}  teacher ${mean((e) => e.teacher)}`,
      );
    }
    saveTrainingState(checkpointing, { params, state, log }, { steps: phase.steps, now: i + 1 === phase.steps });
  }
  disposeTree(state, vision);
  return { params, log };
}
