/**
 * The compiled functions of Stage 2: scoring (log-probs of given responses, no gradient) and one update. The loss itself
 * is `lib/loss/tapo.ts`.
 */
import { compile } from "../engine/compile";
import { valueAndGradients } from "../engine/gradients";
import { adamWUpdate, clipByGlobalNorm, type AdamWState } from "../engine/optimizer";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { MICRO_BATCH_MEAN, TOKEN_MEAN } from "../loss/masked";
import { tapoLoss } from "../loss/tapo";
import { encodeImages } from "../model/vision";
import type { VisionInputs } from "../model/vision-plan";
import type { RlSettings } from "../settings";
import { augment, toPatches, type Augmentation } from "./augment";
import type { RowBatch } from "./batch";
import { rowLogProbs } from "./row-log-probs";
import { optimizerOptions, trainableNames } from "./sft";
import type { Workbench } from "./workbench";

/** The images of a batch: rows of the bank and their augmentation. */
export interface BatchImages {
  /** int32 `[N]` */
  imageIds: Tensor;
  augmentation: Augmentation;
  vision: VisionInputs;
}

/** One mini-batch of B responses with R places each. */
export interface RlBatch {
  images: BatchImages;
  rows: RowBatch;
  /** int32 `[B,T]`: the rows' feature index with the negative image in place of theirs. */
  negativeFeatureIndex: Tensor;
  /** `[B,R]`, of the policy before the updates of this rollout batch. */
  oldLogProbs: Tensor;
  /** `[B]` */
  advantages: Tensor;
  /** `[B,R]` taken once before the updates, where the negative is not recomputed (deviation 2); null otherwise. */
  staleNegativeLogProbs: Tensor | null;
}

function batchFeatures(params: Params, bench: Workbench, bank: Tensor, images: BatchImages): Tensor {
  const pixels = augment(tf.gather(bank, images.imageIds as tf.Tensor1D), images.augmentation);
  return encodeImages(params, bench.config, toPatches(pixels, bench.processor.imageConfig), images.vision);
}

/** `(params, bank, images, rows)` to log-probs `[S]` of the rows' scored tokens. */
export function createScoreStep(bench: Workbench, temperature: number, bf16: boolean) {
  const score = (params: Params, bank: Tensor, images: BatchImages, rows: RowBatch) => rowLogProbs(params, bench.config, batchFeatures(params, bench, bank, images), rows, temperature);
  return compile(score, { name: "rl.score", bf16 });
}

/**
 * One update: `(params, state, bank, batch, learningRate)` to new params, state and metrics. Skipped (nothing changes,
 * metric `skipped` is 1) where the gradient norm is not finite.
 * @param contrast whether the negative image enters the loss (inter-class augmentation)
 */
export function createRlStep(bench: Workbench, settings: RlSettings, contrast: boolean, bf16: boolean) {
  const { config } = bench;
  const optimizer = optimizerOptions(settings.weightDecay, settings.visionLearningRateScale);
  const lossOptions = {
    clipRatioLow: settings.clipRatioLow,
    clipRatioHigh: settings.clipRatioHigh,
    clipRatioDual: settings.clipRatioDual,
    klCoefficient: contrast ? settings.klCoefficient : 0,
    entropyCoefficient: contrast ? settings.entropyCoefficient : 0,
    negativeEntropyCoefficient: contrast ? settings.negativeEntropyCoefficient : 0,
    gradientThroughNegative: settings.negativeLogProbs === "recomputed",
    average: settings.lossAverage === "token" ? TOKEN_MEAN : MICRO_BATCH_MEAN,
  };
  const step = (params: Params, state: AdamWState, bank: Tensor, batch: RlBatch, learningRate: Tensor) => {
    const shape = batch.oldLogProbs.shape;
    const mask = tf.reshape(batch.rows.weights, shape);
    const { loss, metrics, gradients } = valueAndGradients(params, trainableNames(params, settings.visionLearningRateScale), (p) => {
      const features = batchFeatures(p, bench, bank, batch.images);
      const score = (rows: RowBatch): Tensor => tf.mul(tf.reshape(rowLogProbs(p, config, features, rows, settings.temperature), shape), mask);
      const logProbs = score(batch.rows);
      const recomputed = (): Tensor => score({ ...batch.rows, featureIndex: batch.negativeFeatureIndex });
      const negativeLogProbs = contrast ? (batch.staleNegativeLogProbs ?? recomputed()) : null;
      return tapoLoss({ logProbs, oldLogProbs: batch.oldLogProbs, advantages: batch.advantages, responseMask: mask, negativeLogProbs }, lossOptions);
    });
    const clipped = clipByGlobalNorm(gradients, settings.maxGradNorm);
    const finite = tf.cast(tf.isFinite(clipped.norm), "float32");
    const safe = Object.fromEntries(Object.entries(clipped.gradients).map(([name, g]) => [name, tf.where(tf.greater(finite, 0), g, tf.zerosLike(g))]));
    const updated = adamWUpdate(params, safe, state, learningRate, optimizer, finite);
    return { params: updated.params, state: updated.state, metrics: { loss, gradNorm: clipped.norm, skipped: tf.sub(1, finite), ...metrics } };
  };
  return compile(step, { name: contrast ? "rl.step.contrast" : "rl.step", bf16 });
}
