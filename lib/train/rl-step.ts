/**
 * The compiled functions of Stage 2: scoring (log-probs of given responses, no gradient) and one update. The loss
 * itself is `lib/loss/tapo.ts`.
 */
import { compile } from "../engine/compile";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import type { Average } from "../loss/masked";
import { MICRO_BATCH_SIZE } from "../loss/micro-batch";
import { stopGradient } from "../loss/stop-gradient";
import { sftLoss } from "../loss/sft";
import { tapoLoss } from "../loss/tapo";
import { encodeImages } from "../model/vision";
import type { RlSettings } from "./settings";
import type { GroupBatch } from "./group-batch";
import { groupLogProbs } from "./group-log-probs";
import { rowLogProbs } from "./row-log-probs";
import { optimizerOptions, trainableNames, type SftBatch } from "./sft";
import { createUpdate, type Update, type UpdateOptions } from "./update";
import type { BatchImages, Workbench } from "./workbench";

/** A part of a mini-batch: B responses with R places each. */
export interface RlBatch {
  images: BatchImages;
  rows: GroupBatch;
  /** int32 `[P,T]`: the prompts' feature index with the negative image in place of theirs. */
  negativeFeatureIndex: Tensor;
  /**
   * `[B,R]`, no gradient: log-probs of the policy before the step's updates. Where sampled here: the sampler's; where
   * sampled elsewhere: computed here under the sampled image. Under `conditionOn=anchor`, responses to the positive
   * need theirs under the anchor: scored before the updates, or left to the update itself (`oldIsOwn`), which uses
   * these for `conditioningGapSum` alone.
   */
  oldLogProbs: Tensor;
  /**
   * `[B]`: 1 where the update's own log-probs stand for the old ones, since it is the first since sampling: the ratio
   * is 1. 0 where `oldLogProbs` are read.
   */
  oldIsOwn: Tensor;
  /** `[B]`, or `[B,R]` where each token has an importance weight. */
  advantages: Tensor;
  /** `[B,R]` taken once before the updates, where the negative is not recomputed (deviation 2); null otherwise. */
  staleNegativeLogProbs: Tensor | null;
  /** Pre-training rows whose SFT loss is added (`rl.replayRows`), and the update's count of their tokens (scalar). */
  replay: { batch: SftBatch; tokens: Tensor } | null;
}

/** The same groups with the negative image in place of theirs. */
export function withNegative(rows: GroupBatch, featureIndex: Tensor): GroupBatch {
  return { ...rows, prompts: { ...rows.prompts, featureIndex } };
}

/** A part's share of the SFT loss of the update's replayed rows, a token mean. */
function replayLoss(
  params: Params,
  { config }: Workbench,
  { batch: { images, rows }, tokens }: NonNullable<RlBatch["replay"]>,
  recompute: boolean,
): Tensor {
  const features = encodeImages(params, config, images.pixelValues, images.vision, recompute);
  const logProbs = rowLogProbs(params, config, features, rows, 1, recompute);
  return sftLoss(logProbs, rows.weights, { kind: "token", normaliser: tokens as tf.Scalar });
}

/** `(params, images, rows)` to log-probs `[B,R]`, 0 in free places; one function for equal settings of a bench. */
export function createScoreStep(bench: Workbench, temperature: number, bf16: boolean) {
  const score = (params: Params, images: BatchImages, rows: GroupBatch) =>
    tf.mul(
      groupLogProbs(
        params,
        bench.config,
        encodeImages(params, bench.config, images.pixelValues, images.vision),
        rows,
        temperature,
      ),
      rows.weights,
    );
  return bench.compiled(["rl.score", temperature, bf16], () => compile(score, { name: "rl.score", bf16 }));
}

/**
 * One update on groups. Of its metrics `conditioningGapSum` is a sum over `ownOldTokens`; the others are means.
 * Skipped (nothing changes, metric `skipped` is 1) where the gradient norm is not finite.
 * @param contrast whether the negative image enters the loss (inter-class augmentation)
 */
export function createRlStep(
  bench: Workbench,
  settings: RlSettings,
  contrast: boolean,
  how: UpdateOptions<RlBatch>["compile"],
): Update<RlBatch> {
  const { config } = bench;
  const recompute = settings.gradientCheckpointing === "layers";
  const coefficients = {
    clipRatioLow: settings.clipRatioLow,
    clipRatioHigh: settings.clipRatioHigh,
    clipRatioDual: settings.clipRatioDual,
    klCoefficient: contrast ? settings.klCoefficient : 0,
    entropyCoefficient: contrast ? settings.entropyCoefficient : 0,
    negativeEntropyCoefficient: contrast ? settings.negativeEntropyCoefficient : 0,
    gradientThroughNegative: settings.negativeLogProbs === "recomputed",
  };
  return createUpdate<RlBatch>({
    name: contrast ? "rl.step.contrast" : "rl.step",
    trainable: (params) => trainableNames(params, settings.visionLearningRateScale),
    optimizer: optimizerOptions(settings.weightDecay, settings.visionLearningRateScale),
    maxGradNorm: settings.maxGradNorm,
    skipNotFinite: true,
    parts: settings.gradientAccumulationSteps,
    compile: how,
    loss: (params, batch, { tokens, parts }) => {
      const mask = batch.rows.weights;
      const features = encodeImages(params, config, batch.images.pixelValues, batch.images.vision, recompute);
      const score = (rows: GroupBatch): Tensor =>
        tf.mul(groupLogProbs(params, config, features, rows, settings.temperature, recompute), mask);
      const logProbs = score(batch.rows);
      const negativeLogProbs = contrast
        ? (batch.staleNegativeLogProbs ?? score(withNegative(batch.rows, batch.negativeFeatureIndex)))
        : null;
      const average: Average =
        settings.lossAverage === "token"
          ? { kind: "token", normaliser: tokens as tf.Scalar }
          : { kind: "micro-batch", size: MICRO_BATCH_SIZE, parts };
      const oldIsOwn = tf.mul(mask, tf.reshape(batch.oldIsOwn, [-1, 1]));
      const oldLogProbs = tf.where(tf.greater(oldIsOwn, 0), stopGradient(logProbs), batch.oldLogProbs);
      const { loss: own, metrics } = tapoLoss(
        { logProbs, oldLogProbs, advantages: batch.advantages, responseMask: mask, negativeLogProbs },
        { ...coefficients, average },
      );
      const replayed = batch.replay && replayLoss(params, bench, batch.replay, recompute);
      return {
        loss: replayed ? tf.add(own, tf.mul(replayed, settings.replayWeight)) : own,
        metrics,
        sums: {
          ...(replayed ? { replay: replayed } : {}),
          conditioningGapSum: tf.sum(tf.mul(tf.sub(oldLogProbs, batch.oldLogProbs), oldIsOwn)),
          ownOldTokens: tf.sum(oldIsOwn),
        },
        tokens: tf.sum(mask),
      };
    },
  });
}
