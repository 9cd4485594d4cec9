/** Stage 1: supervised fine-tuning on records, loss on the assistant's turn only. */
import type { Conversation } from "../data/corpus";
import { compile } from "../engine/compile";
import { valueAndGradients } from "../engine/gradients";
import { adamWDefaults, adamWInit, adamWUpdate, clipByGlobalNorm, cosineSchedule, type AdamWOptions, type AdamWState } from "../engine/optimizer";
import { foldIn, random } from "../engine/random";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { disposeTree, mapParams } from "../engine/tree";
import { sftLoss } from "../loss/sft";
import { isLora, isLoraWeight } from "../model/lora";
import { encodeImages } from "../model/vision";
import type { VisionInputs } from "../model/vision-plan";
import { conversationRow } from "../processor/conversation";
import type { SftSettings } from "../settings";
import { augment, drawAugmentation, toPatches, type Augmentation } from "./augment";
import { rowBatch, type RowBatch, type TrainingRow } from "./batch";
import { rowLogProbs } from "./row-log-probs";
import type { Workbench } from "./workbench";

/** What one SFT run is told besides its settings. */
export interface SftRun {
  /** One image, one user turn, one response each. */
  conversations: readonly Conversation[];
  /** Draws a further row per batch place from pre-training data (`replayRows`). */
  replay?: (seed: number) => Conversation;
  seed: number;
  bf16: boolean;
  onStep?: (log: SftLog, total: number) => void | Promise<void>;
}

/** One logged step. */
export interface SftLog {
  step: number;
  loss: number;
  gradNorm: number;
  learningRate: number;
}

const roundUp = (n: number, multiple: number): number => Math.ceil(n / multiple) * multiple;

/** The optimizer's settings for a run: the vision tower has its own factor. */
export function optimizerOptions(weightDecay: number, visionLearningRateScale: number, beta2 = 0.98): AdamWOptions {
  return { ...adamWDefaults, beta2, weightDecay, learningRateScale: (name) => (name.startsWith("visual.") ? visionLearningRateScale : 1) };
}

/** Names that a run trains: the adapter where there is one, else all; none of the vision tower where its learning rate is 0. */
export function trainableNames(params: Params, visionLearningRateScale: number): string[] {
  const names = Object.keys(params);
  const trained = names.some(isLora) ? names.filter(isLoraWeight) : names;
  return trained.filter((name) => visionLearningRateScale > 0 || !name.startsWith("visual."));
}

/** The optimizer's state for what a run trains. */
export function trainedState(params: Params, visionLearningRateScale: number): AdamWState {
  return adamWInit(Object.fromEntries(trainableNames(params, visionLearningRateScale).map((name) => [name, params[name]])));
}

/** A compiled SFT step. */
export function createSftStep(bench: Workbench, settings: SftSettings, bf16: boolean) {
  const { config, processor } = bench;
  const optimizer = optimizerOptions(settings.weightDecay, settings.visionLearningRateScale);
  const step = (params: Params, state: AdamWState, bank: Tensor, batch: { imageIds: Tensor; augmentation: Augmentation; vision: VisionInputs; rows: RowBatch }, learningRate: Tensor) => {
    const patches = toPatches(augment(tf.gather(bank, batch.imageIds as tf.Tensor1D), batch.augmentation), processor.imageConfig);
    const { loss, gradients } = valueAndGradients(params, trainableNames(params, settings.visionLearningRateScale), (p) => {
      const features = encodeImages(p, config, patches, batch.vision);
      const [places] = batch.rows.targets.shape;
      const logProbs = tf.reshape(rowLogProbs(p, config, features, batch.rows, 1), [1, places]);
      return { loss: sftLoss(logProbs, tf.reshape(batch.rows.weights, [1, places])), metrics: {} };
    });
    const clipped = clipByGlobalNorm(gradients, settings.maxGradNorm);
    const updated = adamWUpdate(params, clipped.gradients, state, learningRate, optimizer);
    return { params: updated.params, state: updated.state, metrics: { loss, gradNorm: clipped.norm } };
  };
  return compile(step, { name: "sft.step", bf16 });
}

/**
 * Fine-tunes a copy of `initial`; the result belongs to the caller, `initial` stays as it is.
 * Every batch has the same shape: the last one of an epoch is filled from its beginning.
 * @throws Error without conversations, or where a loss is not finite
 */
export async function trainSft(initial: Params, bench: Workbench, settings: SftSettings, run: SftRun): Promise<{ params: Params; log: SftLog[] }> {
  const { conversations, seed } = run;
  if (conversations.length === 0) throw new Error("SFT: there are no records to train on");
  const replayRows = run.replay ? settings.replayRows : 0;
  if (replayRows >= settings.batchSize) throw new Error(`SFT: sft.replayRows (${replayRows}) leaves no room in sft.batchSize (${settings.batchSize})`);
  const encodeRow = (conversation: Conversation): Omit<TrainingRow, "image"> => conversationRow(conversation, bench.processor, bench.grid);
  const encoded = conversations.map(encodeRow);
  const ownRows = Math.min(settings.batchSize - replayRows, conversations.length);
  const batchRows = ownRows + replayRows;
  // replayed rows may be longer than the records: room for them, the same in every batch
  const length = roundUp(Math.max(...encoded.map((r) => r.inputIds.length)) + (replayRows > 0 ? 16 : 0), 8);
  const places = roundUp(Math.max(...encoded.map((r) => r.predicted.filter(Boolean).length)) + (replayRows > 0 ? 8 : 0), 8);
  const perEpoch = Math.ceil(conversations.length / ownRows);
  const total = perEpoch * settings.epochs;
  const step = bench.compiled(["sft.step", settings, run.bf16], () => createSftStep(bench, settings, run.bf16));
  const vision = bench.vision(batchRows);

  let params = mapParams(initial, (p) => p.clone());
  let state = trainedState(params, settings.visionLearningRateScale);
  const log: SftLog[] = [];
  for (let epoch = 0; epoch < settings.epochs; epoch++) {
    const order = random(foldIn(seed, "sft-order", epoch)).shuffle(conversations.map((_, i) => i));
    for (let b = 0; b < perEpoch; b++) {
      const index = log.length;
      const chosen = Array.from({ length: ownRows }, (_, i) => order[(b * ownRows + i) % order.length]);
      const rows: { conversation: Conversation; row: Omit<TrainingRow, "image"> }[] = chosen.map((i) => ({ conversation: conversations[i], row: encoded[i] }));
      for (let i = 0; i < replayRows; i++) {
        for (let attempt = 0; ; attempt++) {
          if (attempt === 100) throw new Error(`SFT: 100 replayed conversations in a row are longer than ${length} tokens or ${places} of response`);
          const conversation = run.replay!(foldIn(seed, "sft-replay", index, i, attempt));
          const row = encodeRow(conversation);
          if (row.inputIds.length > length || row.predicted.filter(Boolean).length > places) continue;
          rows.push({ conversation, row });
          break;
        }
      }
      const batch = {
        imageIds: tf.tensor1d(rows.map(({ conversation }) => bench.bank.indexOf(conversation.image!)), "int32"),
        augmentation: drawAugmentation(rows.map((_, i) => foldIn(seed, "sft-augment", index, i)), bench.bank.size, settings.augmentation, new Array<boolean>(batchRows).fill(false)),
        rows: rowBatch(rows.map(({ row }, i) => ({ ...row, image: i })), bench.config, { lengthBucket: length, places: { layout: "rows", size: places }, grid: bench.grid, tokensPerImage: bench.tokensPerImage }),
      };
      const rate = settings.learningRate * cosineSchedule(index, total, settings.warmupSteps, 0.02);
      const learningRate = tf.scalar(rate);
      const next = step(params, state, bench.bank.images, { ...batch, vision }, learningRate);
      const [loss, gradNorm] = [next.metrics.loss.dataSync()[0], next.metrics.gradNorm.dataSync()[0]];
      disposeTree(params, state, next.metrics, learningRate, batch);
      [params, state] = [next.params, next.state];
      if (!Number.isFinite(loss)) {
        disposeTree(params, state);
        throw new Error(`SFT: the loss is ${loss} at step ${index + 1}; lower sft.learningRate (${settings.learningRate})`);
      }
      const entry = { step: index + 1, loss, gradNorm, learningRate: rate };
      log.push(entry);
      await run.onStep?.(entry, total);
    }
  }
  disposeTree(state);
  return { params, log };
}
