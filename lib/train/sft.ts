/** Stage 1: supervised fine-tuning on records, loss on the assistant's turn only. */
import { useXla } from "../engine/compiler";
import { adamWDefaults, adamWInit, cosineSchedule, type AdamWOptions, type AdamWState } from "../engine/optimizer";
import { nextTurn, throwIfAborted } from "../util/abort";
import { foldIn } from "../util/random";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import { sftLoss } from "../loss/sft";
import { isLora, isLoraWeight, loraSeed } from "../model/lora";
import { LORA_SEED } from "../model/project";
import { encodeImages } from "../model/vision";
import type { SftSettings } from "./settings";
import { rowBatch, type RowBatch } from "./batch";
import { rowLogProbs } from "./row-log-probs";
import { planRun, readTokens, scoredTokens, type PlannedRun, type PlannedStep, type SftSource } from "./sft-plan";
import { finiteOrNull, isStuck, saveStoppedBatch, stoppedBatchFile, stuckError } from "./stopped-batch";
import { runTraining, type Held, type PlannedTraining, type TrainingRun } from "./training";
import { createUpdate, type Update, type UpdateOptions } from "./update";
import type { BatchImages, Workbench } from "./workbench";

/** What one SFT run is told besides its settings. */
export interface SftRun extends SftSource, TrainingRun {
  bf16: boolean;
  /** Hears the steps that were logged before, where the run is taken up again. */
  onResume?: (log: readonly SftLog[], total: number) => void | Promise<void>;
  onStep?: (log: SftLog, total: number) => void | Promise<void>;
}

/** One logged step. */
export interface SftLog {
  step: number;
  /** Null where it was not finite. */
  loss: number | null;
  /** Null where it was not finite: that step changed nothing. */
  gradNorm: number | null;
  /** 1 where the update was skipped for a gradient norm that is not finite, else 0. */
  skipped: number;
  learningRate: number;
  /** Tokens read: prompts and responses, replayed rows too. */
  tokens: number;
}

/** The optimizer's settings for a run: the vision tower has its own factor. */
export function optimizerOptions(weightDecay: number, visionLearningRateScale: number, beta2 = 0.98): AdamWOptions {
  return {
    ...adamWDefaults,
    beta2,
    weightDecay,
    learningRateScale: (name) => (name.startsWith("visual.") ? visionLearningRateScale : 1),
  };
}

/**
 * Names that a run trains: the adapter where there is one, else all; none of the vision tower where its learning rate
 * is 0.
 */
export function trainableNames(params: Params, visionLearningRateScale: number): string[] {
  const names = Object.keys(params);
  const trained = names.some(isLora) ? names.filter(isLoraWeight) : names;
  return trained.filter((name) => visionLearningRateScale > 0 || !name.startsWith("visual."));
}

/** The optimizer's state for what a run trains. */
export function trainedState(params: Params, visionLearningRateScale: number): AdamWState {
  return adamWInit(
    Object.fromEntries(trainableNames(params, visionLearningRateScale).map((name) => [name, params[name]])),
  );
}

/** A part of a mini-batch: packed rows and their images. */
export interface SftBatch {
  images: BatchImages;
  rows: RowBatch;
  /** int32 [2], of LoRA's dropout (`loraSeed`); null where nothing is dropped. */
  dropoutSeed: Tensor | null;
}

/** One SFT update. Skipped (nothing changes, metric `skipped` is 1) where the gradient norm is not finite. */
export function createSftStep(
  bench: Workbench,
  settings: SftSettings,
  how: UpdateOptions<SftBatch>["compile"],
): Update<SftBatch> {
  const { config } = bench;
  const recompute = settings.gradientCheckpointing === "layers";
  return createUpdate<SftBatch>({
    name: "sft.step",
    trainable: (params) => trainableNames(params, settings.visionLearningRateScale),
    optimizer: optimizerOptions(settings.weightDecay, settings.visionLearningRateScale),
    maxGradNorm: settings.maxGradNorm,
    skipNotFinite: true,
    parts: settings.gradientAccumulationSteps,
    compile: how,
    loss: (given, batch, { tokens }) => {
      const params = batch.dropoutSeed ? { ...given, [LORA_SEED]: batch.dropoutSeed } : given;
      const logProbs = rowLogProbs(
        params,
        config,
        encodeImages(params, config, batch.images.pixelValues, batch.images.vision, recompute),
        batch.rows,
        1,
        recompute,
      );
      return {
        loss: sftLoss(logProbs, batch.rows.weights, { kind: "token", normaliser: tokens as tf.Scalar }),
        tokens: tf.sum(batch.rows.weights),
        metrics: {},
      };
    },
  });
}

/**
 * The tensors of a step's parts; the caller disposes them.
 * @param seed of this step
 */
export async function sftBatches(
  bench: Workbench,
  params: Params,
  settings: Pick<SftSettings, "augmentation">,
  { parts, shape, visionShape }: PlannedStep,
  seed: number,
): Promise<SftBatch[]> {
  await bench.images.load(parts.flatMap(({ images }) => images));
  return parts.map(({ images, augmentationSeeds, packed }, part) => ({
    images: bench.batch(images, { seeds: augmentationSeeds, strength: settings.augmentation }, visionShape),
    rows: rowBatch(packed, bench.config, shape),
    dropoutSeed: loraSeed(params, foldIn(seed, part)),
  }));
}

/**
 * Fine-tunes a copy of `initial`; the result belongs to the caller, `initial` stays as it is (but for `donateInitial`).
 * Where it throws, nothing stays in memory. The last batch of an epoch is filled from its beginning. Every batch is
 * drawn before the first, so that all have one shape and one function is compiled.
 * A step whose gradient norm is not finite changes nothing.
 * @throws Error without conversations, naming the record (its place and image) that cannot be encoded, after three such
 * steps in a row (the batch is saved then), or where what was saved is of another run
 */
export function trainSft(
  initial: Params,
  bench: Workbench,
  settings: SftSettings,
  run: SftRun,
): Promise<{ params: Params; log: SftLog[] }> {
  return runTraining<SftLog>(initial, run, () => {
    if (run.conversations.length === 0) throw new Error("SFT: there are no records to train on");
    const planned = planRun(bench, settings, run);
    return {
      steps: planned.steps.length,
      score: ({ loss }) => (loss === null ? null : -loss),
      fresh: (params) => trainedState(params, settings.visionLearningRateScale),
      loop: sftLoop(bench, settings, run, planned),
    };
  });
}

function sftLoop(
  bench: Workbench,
  settings: SftSettings,
  run: SftRun,
  { steps, shape, visionShape }: PlannedRun,
): PlannedTraining<SftLog>["loop"] {
  const update = bench.compiled(["sft.step", settings, run.bf16], () =>
    createSftStep(bench, settings, {
      bf16: run.bf16,
      xla: useXla(settings.compiler, { oneShape: true, recomputes: settings.gradientCheckpointing === "layers" }),
    }),
  );
  /** One step. @returns its loss and the like */
  const take = async (held: Held<SftLog>, index: number, rate: number): Promise<Record<string, number>> => {
    const parts = steps[index];
    const seed = foldIn(run.seed, "sft", index);
    const batches = await sftBatches(bench, held.params, settings, { parts, shape, visionShape }, seed);
    const learningRate = tf.scalar(rate);
    try {
      const tokens = parts.reduce((n, part) => n + scoredTokens(part), 0);
      held.isWhole = false;
      const { metrics, ...next } = update(held.params, held.state, batches, tokens, learningRate);
      Object.assign(held, next);
      const numbers = Object.entries(metrics).map(([name, metric]) => [name, metric.dataSync()[0]] as const);
      disposeTree(metrics);
      return Object.fromEntries(numbers);
    } finally {
      disposeTree(learningRate, batches);
    }
  };

  return async (held, save) => {
    const { log } = held;
    const stuck = (): Error =>
      stuckError(
        "SFT",
        log.length,
        stoppedBatchFile(run.checkpointing),
        `lower sft.learningRate (${settings.learningRate})`,
      );
    if (log.length >= steps.length && isStuck(log, steps.length)) throw stuck();
    if (log.length > 0) await run.onResume?.(log, steps.length);
    for (let index = log.length; index < steps.length; index++) {
      const parts = steps[index];
      const rate = settings.learningRate * cosineSchedule(index, steps.length, settings.warmupSteps, 0.02);
      const { loss, gradNorm, skipped } = await take(held, index, rate);
      const entry: SftLog = {
        step: index + 1,
        loss: finiteOrNull(loss),
        gradNorm: finiteOrNull(gradNorm),
        skipped,
        learningRate: rate,
        tokens: readTokens(parts),
      };
      log.push(entry);
      held.isWhole = true;
      await run.onStep?.(entry, steps.length);
      save();
      if (isStuck(log, steps.length)) {
        const batch = { parts, shape, visionShape };
        const stopped = { step: index + 1, learningRate: rate, seed: run.seed, bf16: run.bf16, batch };
        saveStoppedBatch(run.checkpointing, { stage: "sft", ...stopped });
        save(true);
        throw stuck();
      }
      await nextTurn();
      throwIfAborted(run.signal);
    }
  };
}
