/** Stage 1: supervised fine-tuning on records, loss on the assistant's turn only. */
import { useXla } from "../engine/compiler";
import { adamWDefaults, adamWInit, cosineSchedule, type AdamWOptions, type AdamWState } from "../engine/optimizer";
import { nextTurn, throwIfAborted } from "../util/abort";
import { foldIn } from "../util/random";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { disposeTree, mapParams } from "../engine/tree";
import { sftLoss } from "../loss/sft";
import { isLora, isLoraWeight, loraSeed } from "../model/lora";
import { LORA_SEED } from "../model/project";
import { encodeImages } from "../model/vision";
import type { SftSettings } from "./settings";
import { rowBatch, type RowBatch } from "./batch";
import { rowLogProbs } from "./row-log-probs";
import { planRun, readTokens, scoredTokens, type PlannedStep, type SftSource } from "./sft-plan";
import { finiteOrNull, isStuck, saveStoppedBatch, stoppedBatchFile, stuckError } from "./stopped-batch";
import { loadTrainingState, saveTrainingState, type Checkpointing } from "./training-state";
import { createUpdate, type Update, type UpdateOptions } from "./update";
import type { BatchImages, Workbench } from "./workbench";

/** What one SFT run is told besides its settings. */
export interface SftRun extends SftSource {
  bf16: boolean;
  /** Where the run is saved as it goes, and taken up again; default nowhere. */
  checkpointing?: Checkpointing;
  /** The initial parameters are used up: no copy of them is kept beside the trained ones. */
  donateInitial?: boolean;
  /** Hears the steps that were logged before, where the run is taken up again. */
  onResume?: (log: readonly SftLog[], total: number) => void | Promise<void>;
  onStep?: (log: SftLog, total: number) => void | Promise<void>;
  /** Stops after the step under way; a checkpoint of it is written where `checkpointing` says so. */
  signal?: AbortSignal;
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

const score = ({ loss }: SftLog): number | null => (loss === null ? null : -loss);

/**
 * Fine-tunes a copy of `initial`; the result belongs to the caller, `initial` stays as it is (but for `donateInitial`).
 * The last batch of an epoch is filled from its beginning. Every batch is drawn before the first, so that all have one
 * shape and one function is compiled.
 * A step whose gradient norm is not finite changes nothing.
 * @throws Error without conversations, naming the record (its place and image) that cannot be encoded, after three such
 * steps in a row (the batch is saved then), or where what was saved is of another run
 */
export async function trainSft(
  initial: Params,
  bench: Workbench,
  settings: SftSettings,
  run: SftRun,
): Promise<{ params: Params; log: SftLog[] }> {
  if (run.conversations.length === 0) throw new Error("SFT: there are no records to train on");
  const { steps, shape, visionShape } = planRun(bench, settings, run);
  const update = bench.compiled(["sft.step", settings, run.bf16], () =>
    createSftStep(bench, settings, {
      bf16: run.bf16,
      xla: useXla(settings.compiler, { oneShape: true, recomputes: settings.gradientCheckpointing === "layers" }),
    }),
  );
  const saved = loadTrainingState<SftLog>(run.checkpointing, initial);
  let params = saved?.params ?? (run.donateInitial ? initial : mapParams(initial, (p) => p.clone()));
  if (saved && run.donateInitial) disposeTree(initial);
  let state = saved?.state ?? trainedState(params, settings.visionLearningRateScale);
  const log: SftLog[] = saved?.log ?? [];
  const stuck = (): Error =>
    stuckError(
      "SFT",
      log.length,
      stoppedBatchFile(run.checkpointing),
      `lower sft.learningRate (${settings.learningRate})`,
    );
  if (log.length >= steps.length && isStuck(log, steps.length)) {
    disposeTree(params, state);
    throw stuck();
  }
  if (log.length > 0) await run.onResume?.(log, steps.length);
  for (const [index, parts] of steps.entries()) {
    if (index < log.length) continue;
    const batches = await sftBatches(
      bench,
      params,
      settings,
      { parts, shape, visionShape },
      foldIn(run.seed, "sft", index),
    );
    const rate = settings.learningRate * cosineSchedule(index, steps.length, settings.warmupSteps, 0.02);
    const learningRate = tf.scalar(rate);
    const next = update(
      params,
      state,
      batches,
      parts.reduce((n, part) => n + scoredTokens(part), 0),
      learningRate,
    );
    const [loss, gradNorm, skipped] = [next.metrics.loss, next.metrics.gradNorm, next.metrics.skipped].map(
      (metric) => metric.dataSync()[0],
    );
    disposeTree(next.metrics, learningRate, batches);
    [params, state] = [next.params, next.state];
    const entry: SftLog = {
      step: index + 1,
      loss: finiteOrNull(loss),
      gradNorm: finiteOrNull(gradNorm),
      skipped,
      learningRate: rate,
      tokens: readTokens(parts),
    };
    log.push(entry);
    await run.onStep?.(entry, steps.length);
    saveTrainingState(run.checkpointing, { params, state, log }, { steps: steps.length, score });
    if (isStuck(log, steps.length)) {
      const batch = { parts, shape, visionShape };
      const stopped = {
        stage: "sft",
        step: index + 1,
        learningRate: rate,
        seed: run.seed,
        bf16: run.bf16,
        batch,
      } as const;
      saveStoppedBatch(run.checkpointing, stopped);
      saveTrainingState(run.checkpointing, { params, state, log }, { steps: steps.length, now: true, score });
      disposeTree(params, state);
      throw stuck();
    }
    await nextTurn();
    if (run.signal?.aborted) {
      saveTrainingState(
        run.checkpointing,
        { params, state, log },
        { steps: steps.length, now: log.length < steps.length, score },
      );
      disposeTree(params, state);
      throwIfAborted(run.signal);
    }
  }
  disposeTree(state);
  return { params, log };
}
