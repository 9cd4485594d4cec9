/** The phases after the tower's: the whole model learns from dialogues about drawings, and from text. */
import {
  defaultCorruption,
  namedDrawings,
  namingConversations,
  perceptionConversation,
  textConversation,
} from "../../lib/cot/corpus";
import type { Knowledge } from "../../lib/benchmark/emoji-fgvr/knowledge";
import { adamWDefaults, adamWInit, cosineSchedule } from "../../lib/engine/optimizer";
import { tf, type Params, type Tensor } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import type { ModelConfig } from "../../lib/model/config";
import { imagePlaces, visionInputs, visionPlan, type Grid, type ImagePlace } from "../../lib/model/vision-plan";
import { conversationRow, type Conversation } from "../../lib/processor/conversation";
import type { Processor } from "../../lib/processor/processor";
import type { PreprocessorConfig } from "../../lib/processor/preprocessor-config";
import { drawAugmentation } from "../../lib/train/augment";
import { rowBatch, type RowBatch, type TrainingRow } from "../../lib/train/batch";
import type { ImageBank } from "../../lib/train/images";
import { packLengths } from "../../lib/train/pack";
import { AUXILIARY_WEIGHT, createPretrainStep, type PretrainBatch } from "../../lib/train/pretrain";
import { loadTrainingState, saveTrainingState, type Checkpointing } from "../../lib/train/training-state";
import { foldIn, random, type Random } from "../../lib/util/random";
import { print } from "../output";
import type { LanguageRecipe, Recipe } from "./recipes";
import { sampler } from "./sampler";

/** What the phases read. */
export interface LanguageData {
  knowledge: readonly Knowledge[];
  bank: ImageBank;
  /** Side of a drawing in pixels, and its patches. */
  size: number;
  grid: Grid;
  isFlag: ReadonlySet<string>;
}

/** Columns of the log. */
export const LOG_COLUMNS = "step,seconds,learning_rate,loss,language,auxiliary,grad_norm";

/** Packed batches have a multiple of this many rows, so that few shapes are compiled. */
const ROWS_BUCKET = 8;

/** Draws until the row fits. */
function fit(
  draw: () => Conversation,
  processor: Processor,
  grid: Grid,
  image: ImagePlace | null,
  limit: number,
): TrainingRow {
  for (let attempt = 0; attempt < 100; attempt++) {
    const row = { ...conversationRow(draw(), processor, grid), image };
    if (row.inputIds.length <= limit) return row;
  }
  throw new Error(`pretrain: no conversation of at most ${limit} tokens in 100 draws`);
}

/** What every batch is drawn from; made once. */
interface Pool {
  /** A concept by its weight; `u` in [0, 1). */
  draw: (u: number) => Knowledge;
  /** Place of a concept in the head. */
  conceptIndex: ReadonlyMap<string, number>;
  /** Where the features of a step's images stand. */
  places: readonly ImagePlace[];
}

/** Draws of one step: its rows, and how its images are changed. */
interface StepSeeds {
  rows: Random;
  augmentation: number;
}

/** The rows of one step, as tensors. */
function drawBatch(
  config: ModelConfig,
  processor: Processor,
  { bank, size, grid, isFlag }: LanguageData,
  { recipe, phase }: { recipe: Recipe; phase: LanguageRecipe },
  { draw, conceptIndex, places }: Pool,
  { rows: r, augmentation }: StepSeeds,
): Omit<PretrainBatch, "vision"> {
  const drawn = Array.from({ length: phase.images }, (_, n) => {
    const truth = draw(r.uniform());
    return { truth, drawing: r.choice(n < phase.named ? namedDrawings(truth) : truth.drawings) };
  });
  const { comparedWords, textSwap, judgedTexts: judged } = phase;
  const corpus = { comparedWords, judged, textCorruption: { ...defaultCorruption, swap: textSwap } };
  const row = (make: () => Conversation, image: ImagePlace | null, limit: number): TrainingRow =>
    fit(make, processor, grid, image, limit);
  const long = [
    ...drawn
      .slice(0, phase.named)
      .map(({ truth, drawing }, n) =>
        row(() => namingConversations(truth, drawing, r, corpus).rationale, places[n], phase.longRow.tokens),
      ),
    ...Array.from({ length: phase.texts }, () =>
      row(() => textConversation(draw(r.uniform()), r, corpus), null, phase.longRow.tokens),
    ),
  ];
  const short = drawn.map(({ truth, drawing }, n) =>
    row(
      () =>
        n < phase.named
          ? namingConversations(truth, drawing, r, corpus).direct
          : perceptionConversation(truth, drawing, r),
      places[n],
      phase.shortRow.tokens,
    ),
  );
  const group = (rows: TrainingRow[], shape: LanguageRecipe["longRow"]): RowBatch => {
    if (!phase.packed)
      return rowBatch(
        rows.map((one) => [one]),
        config,
        { lengthBucket: shape.tokens, placesBucket: shape.places },
      );
    const lengths = rows.map(({ inputIds }) => inputIds.length);
    const packs = packLengths(lengths, phase.longRow.tokens).map((indices) => indices.map((i) => rows[i]));
    return rowBatch(packs, config, {
      lengthBucket: phase.longRow.tokens,
      placesBucket: shape.places,
      rowsBucket: ROWS_BUCKET,
    });
  };
  return {
    imageIds: tf.tensor1d(
      drawn.map((d) => bank.indexOf(d.drawing.path)),
      "int32",
    ),
    augmentation: drawAugmentation(
      drawn.map((_, n) => foldIn(augmentation, n)),
      size,
      recipe.augmentation,
      drawn.map((d) => !isFlag.has(d.truth.id)),
    ),
    conceptIds: tf.tensor1d(
      drawn.map((d) => conceptIndex.get(d.truth.id)!),
      "int32",
    ),
    groups: [group(long, phase.longRow), group(short, phase.shortRow)],
  };
}

/** The concept head: new in each phase, thrown away after it. */
function conceptHead(concepts: number, width: number, seed: number): Tensor {
  return tf.randomNormal([concepts, width], 0, 0.02, "float32", foldIn(seed, "auxiliary"));
}

/**
 * Trains the model; the parameters given are disposed, those returned are the caller's. Goes on from the last
 * checkpoint.
 * @param number of the phase, from 0: its draws depend on it
 * @returns the parameters without the concept head, and one line of `LOG_COLUMNS` a step
 * @throws Error where the loss is not finite
 */
export function languagePhase(
  config: ModelConfig,
  processor: Processor,
  format: PreprocessorConfig,
  { recipe, phase, number }: { recipe: Recipe; phase: LanguageRecipe; number: number },
  data: LanguageData,
  initial: Params,
  { seed, checkpointing }: { seed: number; checkpointing: Checkpointing },
): { params: Params; log: string[] } {
  // the first phase has the seed itself, as when there was one
  const phaseSeed = number === 0 ? seed : foldIn(seed, "phase", number);
  const { knowledge, bank, grid } = data;
  const grids = new Array<Grid>(phase.images).fill(grid);
  const vision = visionInputs(visionPlan(config, grids));
  const pool: Pool = {
    draw: sampler(knowledge, recipe.evaluatedWeight),
    conceptIndex: new Map(knowledge.map((k, i) => [k.id, i])),
    places: imagePlaces(config, grids),
  };
  const step = createPretrainStep(config, format, {
    optimizer: {
      ...adamWDefaults,
      beta2: 0.98,
      weightDecay: recipe.weightDecay,
      learningRateScale: (name: string) => (name.startsWith("visual.") ? phase.visionLearningRateScale : 1),
    },
    maxGradNorm: recipe.maxGradNorm,
    auxiliaryWeight: phase.auxiliaryWeight,
    bf16: recipe.bf16,
  });
  let params: Params = {
    ...initial,
    [AUXILIARY_WEIGHT]: conceptHead(knowledge.length, config.vision.outHiddenSize, phaseSeed),
  };
  const saved = loadTrainingState<string>(checkpointing, params);
  if (saved) disposeTree(params);
  params = saved?.params ?? params;
  let state = saved?.state ?? adamWInit(params);
  const log = saved?.log ?? [];
  const before = Number(log.at(-1)?.split(",")[1] ?? 0);
  const started = Date.now();
  const seconds = (): number => before + (Date.now() - started) / 1000;
  let smooth: number[] | null = null;
  for (let i = log.length; i < phase.steps; i++) {
    const seeds = { rows: random(foldIn(phaseSeed, "step", i)), augmentation: foldIn(phaseSeed, "augment", i) };
    const batch = drawBatch(config, processor, data, { recipe, phase }, pool, seeds);
    const shapes = batch.groups.map((g) => `${g.inputIds.shape.join("x")} ${g.targets.size}`).join(" + ");
    const rate = phase.learningRate * cosineSchedule(i, phase.steps, phase.warmupSteps, 0.02);
    const learningRate = tf.scalar(rate);
    const next = step(params, state, bank.images, { ...batch, vision }, learningRate);
    const numbers = ["loss", "language", "auxiliary", "gradNorm", "loss0", "loss1"].map(
      (name) => (next.metrics as Params)[name].dataSync()[0],
    );
    disposeTree(params, state, next.metrics, learningRate, batch);
    [params, state] = [next.params, next.state];
    if (!Number.isFinite(numbers[0]))
      throw new Error(`pretrain: the loss is ${numbers[0]} at step ${i}; nothing was saved after the last checkpoint`);
    smooth = smooth ? smooth.map((s, n) => 0.95 * s + 0.05 * numbers[n]) : numbers;
    log.push(
      [i + 1, seconds().toFixed(1), rate.toExponential(3), ...numbers.slice(0, 4).map((x) => x.toFixed(4))].join(","),
    );
    if ((i + 1) % 25 === 0 || i === 0) {
      print(
        `${i + 1}/${phase.steps}  ${seconds().toFixed(0)} s  loss ${smooth[0].toFixed(3)}  rationale+text ${smooth[4].toFixed(3)}  short ${smooth[5].toFixed(3)}  concept head ${smooth[2].toFixed(3)}  grad ${numbers[3].toFixed(2)}  rows and places ${shapes}`,
      );
    }
    saveTrainingState(checkpointing, { params, state, log }, { steps: phase.steps, now: i + 1 === phase.steps });
  }
  disposeTree(state, vision);
  const { [AUXILIARY_WEIGHT]: head, ...model } = params;
  head.dispose();
  return { params: model, log };
}
