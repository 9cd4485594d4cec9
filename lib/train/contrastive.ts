/** Training of the contrastive baseline: one compiled step, and the loop that both of its stages share. */
import { compile } from "../engine/compile";
import { valueAndGradients } from "../engine/gradients";
import { adamWInit, adamWUpdate, clipFactor, globalNorm, cosineSchedule, type AdamWState } from "../engine/optimizer";
import { foldIn, random } from "../util/random";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { disposeTree, mapParams } from "../engine/tree";

import { contrastiveLoss, type ContrastiveLoss } from "../loss/contrastive";
import {
  embedPooled,
  embedTexts,
  pairLogits,
  pooledFeatures,
  textInputs,
  type ContrastiveConfig,
  type TextInputs,
} from "../model/contrastive";
import { visionInputs, visionPlan, type Grid, type VisionInputs } from "../model/vision-plan";
import type { Processor } from "../processor/processor";
import type { SftSettings } from "./settings";
import { augment, drawAugmentation, toPatches, type Augmentation } from "./augment";
import type { ImageBank } from "./images";
import { AUXILIARY_WEIGHT } from "./pretrain";
import { optimizerOptions } from "./sft";

/** An image and a text on it. */
export interface Pair {
  /** Path of the drawing. */
  image: string;
  conceptId: string;
  caption: string;
}

/** A run; numbers of the same name mean what they mean in SFT's settings. */
export interface ContrastiveRun extends Pick<
  SftSettings,
  "learningRate" | "visionLearningRateScale" | "weightDecay" | "warmupSteps" | "maxGradNorm" | "augmentation"
> {
  config: ContrastiveConfig;
  processor: Processor;
  bank: ImageBank;
  loss: ContrastiveLoss;
  steps: number;
  /** Whether a concept's drawings may be mirrored. */
  mayMirror: (conceptId: string) => boolean;
  /** The concept head of the base's pre-training, with its concepts in order; null for none. */
  auxiliary: { weight: number; concepts: readonly string[] } | null;
  seed: number;
  bf16: boolean;
  /** The pairs of a step; every step has the same number. */
  pairs: (step: number) => readonly Pair[];
  onStep?: (log: ContrastiveLog, total: number) => void | Promise<void>;
}

/** One logged step. */
export interface ContrastiveLog {
  step: number;
  loss: number;
  /** Share of the batch's images whose own text is the most similar one. */
  matched: number;
  gradNorm: number;
  learningRate: number;
}

interface Batch {
  imageIds: Tensor;
  augmentation: Augmentation;
  vision: VisionInputs;
  texts: TextInputs;
  /** int32 `[N]`, null without the concept head. */
  conceptIds: Tensor | null;
}

function createStep({
  config,
  processor,
  loss: kind,
  maxGradNorm,
  weightDecay,
  visionLearningRateScale,
  auxiliary,
  bf16,
}: ContrastiveRun) {
  const options = optimizerOptions(weightDecay, visionLearningRateScale);
  const step = (params: Params, state: AdamWState, images: Tensor, batch: Batch, learningRate: Tensor) => {
    const count = batch.imageIds.shape[0];
    const patches = toPatches(
      augment(tf.gather(images, batch.imageIds as tf.Tensor1D), batch.augmentation),
      processor.imageConfig,
    );
    const { loss, metrics, gradients } = valueAndGradients(params, Object.keys(params), (p) => {
      const pooled = pooledFeatures(p, config.towers, patches, batch.vision, count);
      const logits = pairLogits(p, { images: embedPooled(p, pooled), texts: embedTexts(p, config, batch.texts) });
      const contrast = contrastiveLoss(kind, logits);
      const matched = tf.mean(tf.cast(tf.equal(tf.argMax(logits, 1), tf.range(0, count, 1, "int32")), "float32"));
      if (!batch.conceptIds) return { loss: contrast, metrics: { matched } };
      const scores = tf.logSoftmax(tf.matMul(pooled as tf.Tensor2D, p[AUXILIARY_WEIGHT] as tf.Tensor2D, false, true));
      const head = tf.neg(
        tf.mean(tf.sum(tf.mul(scores, tf.oneHot(batch.conceptIds as tf.Tensor1D, p[AUXILIARY_WEIGHT].shape[0])), 1)),
      );
      return { loss: tf.add(contrast, tf.mul(head, auxiliary!.weight)), metrics: { matched } };
    });
    const gradNorm = globalNorm(gradients);
    const updated = adamWUpdate(params, gradients, state, learningRate, options, {
      gradientScale: clipFactor(gradNorm, maxGradNorm),
    });
    return { params: updated.params, state: updated.state, metrics: { loss, matched: metrics.matched, gradNorm } };
  };
  return compile(step, { name: "contrastive.step", bf16, donate: [0, 1] });
}

/**
 * Trains a copy of `initial`; the result is the caller's, `initial` stays as it is. The concept head is thrown away.
 * @throws Error where the loss is not finite, or an image is not in the bank
 */
export async function trainContrastive(
  initial: Params,
  run: ContrastiveRun,
): Promise<{ params: Params; log: ContrastiveLog[] }> {
  const { config, processor, bank, steps, seed, auxiliary } = run;
  const side = bank.size / processor.imageConfig.patchSize;
  const grid: Grid = [1, side, side];
  const conceptIndex = new Map((auxiliary?.concepts ?? []).map((id, i) => [id, i]));
  let params = mapParams(initial, (p) => p.clone());
  if (auxiliary) {
    const [rows, columns] = [auxiliary.concepts.length, config.towers.vision.outHiddenSize];
    const draw = random(foldIn(seed, AUXILIARY_WEIGHT));
    params[AUXILIARY_WEIGHT] = tf.tensor2d(
      Float32Array.from({ length: rows * columns }, () => 0.02 * draw.normal()),
      [rows, columns],
    );
  }
  let state = adamWInit(params);
  const step = createStep(run);
  const vision = visionInputs(visionPlan(config.towers, new Array<Grid>(run.pairs(0).length).fill(grid)));
  const log: ContrastiveLog[] = [];
  try {
    for (let i = 0; i < steps; i++) {
      const pairs = run.pairs(i);
      const batch: Batch = {
        imageIds: tf.tensor1d(
          pairs.map((pair) => bank.indexOf(pair.image)),
          "int32",
        ),
        augmentation: drawAugmentation(
          pairs.map((_, n) => foldIn(seed, "augment", i, n)),
          bank.size,
          run.augmentation,
          pairs.map((pair) => run.mayMirror(pair.conceptId)),
        ),
        vision,
        texts: textInputs(
          pairs.map((pair) => pair.caption),
          config,
          (text) => processor.tokenizer.encode(text),
        ),
        conceptIds: auxiliary
          ? tf.tensor1d(
              pairs.map((pair) => conceptIndex.get(pair.conceptId)!),
              "int32",
            )
          : null,
      };
      const rate = run.learningRate * cosineSchedule(i, steps, run.warmupSteps, 0.02);
      const learningRate = tf.scalar(rate);
      const next = step(params, state, bank.images, batch, learningRate);
      [params, state] = [next.params, next.state];
      const read = (name: "loss" | "matched" | "gradNorm"): number => next.metrics[name].dataSync()[0];
      const entry = {
        step: i + 1,
        loss: read("loss"),
        matched: read("matched"),
        gradNorm: read("gradNorm"),
        learningRate: rate,
      };
      const { vision: _, ...own } = batch;
      disposeTree(next.metrics, learningRate, own);
      if (!Number.isFinite(entry.loss))
        throw new Error(
          `contrastive: the loss is ${entry.loss} at step ${i + 1}; lower the learning rate (${run.learningRate})`,
        );
      log.push(entry);
      await run.onStep?.(entry, steps);
    }
  } catch (error) {
    disposeTree(params);
    throw error;
  } finally {
    disposeTree(state, vision);
  }
  const { [AUXILIARY_WEIGHT]: head, ...model } = params;
  head?.dispose();
  return { params: model, log };
}
