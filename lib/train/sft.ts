/** Stage 1: supervised fine-tuning on records, loss on the assistant's turn only. */
import type { Conversation } from "../processor/conversation";
import { useXla } from "../engine/compiler";
import { adamWDefaults, adamWInit, cosineSchedule, type AdamWOptions, type AdamWState } from "../engine/optimizer";
import { nextTurn, throwIfAborted } from "../util/abort";
import { foldIn, random } from "../util/random";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { disposeTree, mapParams } from "../engine/tree";
import { sftLoss } from "../loss/sft";
import { isLora, isLoraWeight, loraSeed } from "../model/lora";
import { LORA_SEED } from "../model/project";
import { encodeImages } from "../model/vision";
import { commonShape, type VisionShape } from "../model/vision-plan";
import { conversationRow, conversationRows } from "../processor/conversation";
import type { SftSettings } from "./settings";
import { rowBatch, type BatchShape, type RowBatch, type TrainingRow } from "./batch";
import { packLengths } from "./pack";
import { rowLogProbs } from "./row-log-probs";
import { loadTrainingState, saveTrainingState, type Checkpointing } from "./training-state";
import { createUpdate, type Update, type UpdateOptions } from "./update";
import type { BatchImages, Workbench } from "./workbench";

/** What one SFT run is told besides its settings. */
export interface SftRun {
  /** One image, one user turn, one response each. */
  conversations: readonly Conversation[];
  /** Draws a further row per batch place from pre-training data (`replayRows`). */
  replay?: (seed: number) => Conversation;
  seed: number;
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
  loss: number;
  gradNorm: number;
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

/** One SFT update. */
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
    skipNotFinite: false,
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

/** The rows of one part of a mini-batch, packed. */
interface PlannedPart {
  images: string[];
  augmentationSeeds: number[];
  packed: TrainingRow[][];
}

/** Every part of every mini-batch of a run, and the one shape that all of them fit in. */
interface PlannedRun {
  steps: PlannedPart[][];
  shape: BatchShape;
  visionShape: VisionShape;
}

/**
 * Draws a whole run. Rows are packed into rows as long as the longest: longer packs would waste less and cost more
 * attention (measured: two of the longest in one are 10 % slower).
 */
function planRun(bench: Workbench, settings: SftSettings, run: SftRun): PlannedRun {
  const { conversations, seed } = run;
  const replayRows = run.replay ? settings.replayRows : 0;
  if (replayRows >= settings.batchSize)
    throw new Error(`SFT: sft.replayRows (${replayRows}) leaves no room in sft.batchSize (${settings.batchSize})`);
  const encoded = conversationRows(conversations, bench.processor, bench.images.grid);
  const parts = settings.gradientAccumulationSteps;
  // a batch larger than what there is takes every record once
  const ownRows = Math.min(settings.batchSize - replayRows, conversations.length);
  const perPart = Math.ceil((ownRows + replayRows) / parts);
  const perEpoch = Math.ceil(conversations.length / ownRows);
  const drawn = Array.from({ length: settings.epochs * perEpoch }, (_, index) => {
    const [epoch, b] = [Math.floor(index / perEpoch), index % perEpoch];
    const order = random(foldIn(seed, "sft-order", epoch)).shuffle(conversations.map((_, i) => i));
    const own = Array.from({ length: ownRows }, (_, i) => order[(b * ownRows + i) % order.length]);
    const rows = own.map((i) => ({ image: conversations[i].image!, row: encoded[i] }));
    for (let i = 0; i < replayRows; i++) {
      const conversation = run.replay!(foldIn(seed, "sft-replay", index, i));
      const image = conversation.image!;
      rows.push({ image, row: conversationRow(conversation, bench.processor, bench.images.grid(image)) });
    }
    return rows.map((row, i) => ({ ...row, augmentationSeed: foldIn(seed, "sft-augment", index, i) }));
  });
  const capacity = Math.max(...drawn.flat().map(({ row }) => row.inputIds.length));
  const steps = drawn.map((rows) =>
    Array.from({ length: Math.ceil(rows.length / perPart) }, (_, p): PlannedPart => {
      const part = rows.slice(p * perPart, (p + 1) * perPart);
      const images = part.map(({ image }) => image);
      const places = bench.places(images);
      const bins = packLengths(
        part.map(({ row }) => row.inputIds.length),
        capacity,
      );
      return {
        images,
        augmentationSeeds: part.map((row) => row.augmentationSeed),
        packed: bins.map((bin) => bin.map((i) => ({ ...part[i].row, image: places[i] }))),
      };
    }),
  );
  const all = steps.flat();
  const most = (count: (part: PlannedPart) => number): number => all.reduce((n, part) => Math.max(n, count(part)), 0);
  return {
    steps,
    shape: {
      lengthBucket: most(({ packed }) =>
        Math.max(...packed.map((rows) => rows.reduce((n, row) => n + row.inputIds.length, 0))),
      ),
      rowsBucket: most(({ packed }) => packed.length),
      placesBucket: most(scoredTokens),
    },
    visionShape: commonShape(all.map(({ images }) => bench.shape(images))),
  };
}

function scoredTokens({ packed }: PlannedPart): number {
  return packed.flat().reduce((n, row) => n + row.predicted.filter(Boolean).length, 0);
}

const readTokens = (parts: readonly PlannedPart[]): number =>
  parts.flatMap(({ packed }) => packed.flat()).reduce((n, { inputIds }) => n + inputIds.length, 0);

/**
 * Fine-tunes a copy of `initial`; the result belongs to the caller, `initial` stays as it is (but for `donateInitial`).
 * The last batch of an epoch is filled from its beginning. Every batch is drawn before the first, so that all have one
 * shape and one function is compiled.
 * @throws Error without conversations, naming the record (its place and image) that cannot be encoded, where a loss is
 * not finite, or where what was saved is of another run
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
  if (log.length > 0) await run.onResume?.(log, steps.length);
  for (const [index, parts] of steps.entries()) {
    if (index < log.length) continue;
    await bench.images.load(parts.flatMap(({ images }) => images));
    const batches = parts.map(({ images, augmentationSeeds, packed }, part): SftBatch => ({
      images: bench.batch(images, { seeds: augmentationSeeds, strength: settings.augmentation }, visionShape),
      rows: rowBatch(packed, bench.config, shape),
      dropoutSeed: loraSeed(params, foldIn(run.seed, "sft", index, part)),
    }));
    const rate = settings.learningRate * cosineSchedule(index, steps.length, settings.warmupSteps, 0.02);
    const learningRate = tf.scalar(rate);
    const next = update(
      params,
      state,
      batches,
      parts.reduce((n, part) => n + scoredTokens(part), 0),
      learningRate,
    );
    const [loss, gradNorm] = [next.metrics.loss.dataSync()[0], next.metrics.gradNorm.dataSync()[0]];
    disposeTree(next.metrics, learningRate, batches);
    [params, state] = [next.params, next.state];
    if (!Number.isFinite(loss)) {
      disposeTree(params, state);
      throw new Error(
        `SFT: the loss is ${loss} at step ${index + 1}; lower sft.learningRate (${settings.learningRate})`,
      );
    }
    const entry = { step: index + 1, loss, gradNorm, learningRate: rate, tokens: readTokens(parts) };
    log.push(entry);
    saveTrainingState(run.checkpointing, { params, state, log }, { steps: steps.length });
    await run.onStep?.(entry, steps.length);
    await nextTurn();
    if (run.signal?.aborted) {
      saveTrainingState(run.checkpointing, { params, state, log }, { steps: steps.length, now: true });
      disposeTree(params, state);
      throwIfAborted(run.signal);
    }
  }
  disposeTree(state);
  return { params, log };
}
