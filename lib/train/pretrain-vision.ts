/**
 * One step of the vision tower's own pre-training, before any language: what the mean image feature is good for.
 * Three linear heads read it, which are thrown away afterwards: the concept's name (labelled images), its visual words
 * (labelled images), and the features of a pre-trained image network (every image; Hinton et al. 2015, distillation, as
 * a regression of directions).
 */
import { compile } from "../engine/compile";
import { valueAndGradients } from "../engine/gradients";
import { adamWUpdate, clipFactor, globalNorm, type AdamWOptions, type AdamWState } from "../engine/optimizer";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { initParams } from "../model/init";
import type { ModelConfig } from "../model/config";
import { encodeImages } from "../model/vision";
import type { VisionInputs } from "../model/vision-plan";
import { foldIn } from "../util/random";
import { augment, toPatches, type Augmentation, type PixelFormat } from "./augment";
import { AUXILIARY_WEIGHT } from "./pretrain";

/** Names of the other heads' parameters; they don't belong to the model. */
export const WORD_HEAD = { weight: "auxiliary.words.weight", bias: "auxiliary.words.bias" } as const;
export const TEACHER_HEAD = "auxiliary.teacher.weight";

/** Start of the word head's bias: a word is true of few images. */
const RARE = -4;

/** A batch of N images. */
export interface VisionBatch {
  /** `[N,S,S,3]`, values 0-255 */
  images: Tensor;
  augmentation: Augmentation;
  vision: VisionInputs;
  /** `[N]`: 1 where the image's concept is known */
  labelled: Tensor;
  /** int32 `[N]`: concept of a labelled image, 0 otherwise */
  conceptIds: Tensor;
  /** `[N,words]`: 1 for the words of a labelled image's concept */
  words: Tensor;
  /** `[N,D]`: the teacher's feature, length 1 */
  teacher: Tensor;
}

/** Weights of the three losses. */
export interface VisionWeights {
  concept: number;
  words: number;
  teacher: number;
}

/** Sizes of the heads. */
export interface HeadSizes {
  concepts: number;
  words: number;
  /** D */
  teacher: number;
}

/** Fixed settings of the step. */
export interface VisionStepOptions {
  optimizer: AdamWOptions;
  maxGradNorm: number;
  weights: VisionWeights;
  bf16: boolean;
}

/** The tower's parameters and the heads, seeded; the caller's. */
export function initVision(config: ModelConfig, heads: HeadSizes, seed: number): Params {
  const width = config.vision.outHiddenSize;
  const all = initParams(config, seed, { scheme: "scaled" });
  const params: Params = {};
  for (const [name, tensor] of Object.entries(all)) {
    if (name.startsWith("visual.")) params[name] = tensor;
    else tensor.dispose();
  }
  const head = (name: string, rows: number): Tensor =>
    tf.randomNormal([rows, width], 0, 0.02, "float32", foldIn(seed, name));
  params[AUXILIARY_WEIGHT] = head("auxiliary", heads.concepts);
  params[WORD_HEAD.weight] = head(WORD_HEAD.weight, heads.words);
  params[WORD_HEAD.bias] = tf.fill([heads.words], RARE);
  params[TEACHER_HEAD] = head(TEACHER_HEAD, heads.teacher);
  return params;
}

/** The three losses of pooled features `[N,width]`. */
function losses(params: Params, pooled: tf.Tensor2D, batch: VisionBatch): Record<keyof VisionWeights, Tensor> {
  const readBy = (name: string): Tensor => tf.matMul(pooled, params[name] as tf.Tensor2D, false, true);
  const count = tf.maximum(tf.sum(batch.labelled), 1);
  const labels = tf.oneHot(batch.conceptIds as tf.Tensor1D, params[AUXILIARY_WEIGHT].shape[0]);
  const nll = tf.neg(tf.sum(tf.mul(tf.logSoftmax(readBy(AUXILIARY_WEIGHT)), labels), 1));
  const logits = tf.add(readBy(WORD_HEAD.weight), params[WORD_HEAD.bias]);
  // binary cross-entropy, summed over the words
  const words = tf.sum(tf.sub(tf.softplus(logits), tf.mul(logits, batch.words)), 1);
  const feature = readBy(TEACHER_HEAD);
  const length = tf.sqrt(tf.add(tf.sum(tf.square(feature), 1), 1e-6));
  const cosine = tf.div(tf.sum(tf.mul(feature, batch.teacher), 1), length);
  return {
    concept: tf.div(tf.sum(tf.mul(nll, batch.labelled)), count),
    words: tf.div(tf.sum(tf.mul(words, batch.labelled)), count),
    teacher: tf.sub(1, tf.mean(cosine)),
  };
}

/** A compiled step: `(params, state, batch, learningRate)` to new params, state and metrics. */
export function createVisionStep(config: ModelConfig, format: PixelFormat, options: VisionStepOptions) {
  const { weights } = options;
  const step = (params: Params, state: AdamWState, batch: VisionBatch, learningRate: Tensor) => {
    const patches = toPatches(augment(batch.images, batch.augmentation), format);
    const { loss, metrics, gradients } = valueAndGradients(params, Object.keys(params), (p) => {
      const features = encodeImages(p, config, patches, batch.vision);
      const pooled = tf.mean(tf.reshape(features, [batch.images.shape[0], -1, config.vision.outHiddenSize]), 1);
      const parts = losses(p, pooled as tf.Tensor2D, batch);
      const weighted = (Object.keys(weights) as (keyof VisionWeights)[]).map((name) =>
        tf.mul(parts[name], weights[name]),
      );
      return { loss: tf.addN(weighted), metrics: { ...parts } };
    });
    const gradNorm = globalNorm(gradients);
    const updated = adamWUpdate(params, gradients, state, learningRate, options.optimizer, {
      gradientScale: clipFactor(gradNorm, options.maxGradNorm),
    });
    return { params: updated.params, state: updated.state, metrics: { loss, gradNorm, ...metrics } };
  };
  return compile(step, { name: "pretrain.vision", bf16: options.bf16 });
}
