/**
 * One pre-training step of the tiny base. It is ordinary next-token training on dialogues about images, with one
 * addition: a linear head on the mean image feature that names the concept (weight `auxiliaryWeight`), which stands for
 * the vision tower's own pre-training and is thrown away afterwards.
 */
import { compile } from "../engine/compile";
import { valueAndGradients } from "../engine/gradients";
import { adamWUpdate, clipFactor, globalNorm, type AdamWOptions, type AdamWState } from "../engine/optimizer";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import type { ModelConfig } from "../model/config";
import { encodeImages } from "../model/vision";
import type { VisionInputs } from "../model/vision-plan";
import { augment, toPatches, type Augmentation, type PixelFormat } from "./augment";
import type { RowBatch } from "./batch";
import { rowLogProbs } from "./row-log-probs";

/** Names of the auxiliary head's parameters; they don't belong to the model. */
export const AUXILIARY_WEIGHT = "auxiliary.weight";

/** What one step takes besides parameters and optimizer state. */
export interface PretrainBatch {
  /** int32 `[N]`: rows of the image bank. */
  imageIds: Tensor;
  augmentation: Augmentation;
  vision: VisionInputs;
  /** Groups of rows of equal length: rationales and text, short dialogues. */
  groups: RowBatch[];
  /** int32 `[N]`: concept of each image. */
  conceptIds: Tensor;
}

/** Fixed settings of the step. */
export interface PretrainStepOptions {
  optimizer: AdamWOptions;
  maxGradNorm: number;
  auxiliaryWeight: number;
  bf16: boolean;
}

/** A compiled step: `(params, state, bank, batch, learningRate)` to new params, state and metrics. */
export function createPretrainStep(config: ModelConfig, format: PixelFormat, options: PretrainStepOptions) {
  const step = (params: Params, state: AdamWState, bank: Tensor, batch: PretrainBatch, learningRate: Tensor) => {
    const images = augment(tf.gather(bank, batch.imageIds as tf.Tensor1D), batch.augmentation);
    const patches = toPatches(images, format);
    const { loss, metrics, gradients } = valueAndGradients(params, Object.keys(params), (p) => {
      const features = encodeImages(p, config, patches, batch.vision);
      let total: Tensor = tf.scalar(0);
      let count: Tensor = tf.scalar(0);
      const parts: Params = {};
      batch.groups.forEach((group, i) => {
        const nll = tf.neg(tf.sum(tf.mul(rowLogProbs(p, config, features, group, 1), group.weights)));
        const tokens = tf.sum(group.weights);
        parts[`loss${i}`] = tf.div(nll, tokens);
        total = tf.add(total, nll);
        count = tf.add(count, tokens);
      });
      const pooled = tf.mean(tf.reshape(features, [batch.imageIds.shape[0], -1, config.vision.outHiddenSize]), 1);
      const logits = tf.matMul(pooled as tf.Tensor2D, p[AUXILIARY_WEIGHT] as tf.Tensor2D, false, true);
      const labels = tf.oneHot(batch.conceptIds as tf.Tensor1D, p[AUXILIARY_WEIGHT].shape[0]);
      const auxiliary = tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), labels), 1)));
      const language = tf.div(total, count);
      return {
        loss: tf.add(language, tf.mul(auxiliary, options.auxiliaryWeight)),
        metrics: { language, auxiliary, ...parts },
      };
    });
    const gradNorm = globalNorm(gradients);
    const updated = adamWUpdate(params, gradients, state, learningRate, options.optimizer, {
      gradientScale: clipFactor(gradNorm, options.maxGradNorm),
    });
    return { params: updated.params, state: updated.state, metrics: { loss, gradNorm, ...metrics } };
  };
  return compile(step, { name: "pretrain.step", bf16: options.bf16 });
}
