/**
 * Floating point operations of Qwen2.5-VL, forward, from shapes. A product of [m,k] and [k,n] is 2mkn operations (a
 * multiplication and an addition); norms, rotations, activations and softmax are left out, under 1 % of these models.
 * Kaplan et al. 2020 (arXiv:2001.08361), section 2.1: 2 operations a parameter and token forward, and attention beside
 * it; Chowdhery et al. 2022 (PaLM, arXiv:2204.02311), appendix B, the same.
 */
import type { ModelConfig } from "../model/config";

/** What counting needs of a decoder. */
export interface DecoderShape {
  hiddenSize: number;
  intermediateSize: number;
  numHiddenLayers: number;
  /** Width of keys, and of values. */
  kvSize: number;
  vocabSize: number;
}

export const decoderShape = ({ text }: ModelConfig): DecoderShape => ({
  hiddenSize: text.hiddenSize,
  intermediateSize: text.intermediateSize,
  numHiddenLayers: text.numHiddenLayers,
  kvSize: text.numKeyValueHeads * text.headDim,
  vocabSize: text.vocabSize,
});

/** Parameters of a decoder's products but the output layer: per layer q and o of h², k and v of h·kv, three of h·i. */
export const decoderProducts = (shape: DecoderShape): number =>
  shape.numHiddenLayers *
  (2 * shape.hiddenSize ** 2 + 2 * shape.hiddenSize * shape.kvSize + 3 * shape.hiddenSize * shape.intermediateSize);

/**
 * A row of `tokens` that attend to themselves and to `before` tokens that stand in a cache: 2 a parameter and token;
 * scores and their use on values 4·h an attended token and layer, n·before + n²/2 of them (causal); the output layer
 * 2·h·V for each of `scored` places.
 */
export function decoderFlops(shape: DecoderShape, tokens: number, scored: number, before = 0): number {
  const attended = tokens * before + tokens ** 2 / 2;
  return (
    2 * decoderProducts(shape) * tokens +
    4 * shape.hiddenSize * attended * shape.numHiddenLayers +
    2 * shape.hiddenSize * shape.vocabSize * scored
  );
}

/** Operations of a part of the model, by what a backward pass does with it. */
export interface Parts {
  decoder: number;
  vision: number;
}

/**
 * An image of `patches` in the vision tower: 2·w·(channels·2·p²) a patch to embed it; each block 2·(4w² + 3·w·i) a
 * patch, and attention 4·w an attended patch, all of the image in the full blocks, a window elsewhere; the merger's two
 * layers, m² and m·out with m = 4w, once a token of 2 x 2 patches.
 */
export function visionFlops({ vision }: ModelConfig, patches: number): number {
  const { hiddenSize: w, depth, spatialMergeSize } = vision;
  const window = Math.min(patches, (vision.windowSize / vision.patchSize) ** 2);
  const full = vision.fullattBlockIndexes.filter((block) => block < depth).length;
  const merged = w * spatialMergeSize ** 2;
  const embedded = 2 * w * vision.inChannels * vision.temporalPatchSize * vision.patchSize ** 2;
  const blocks = depth * 2 * (4 * w ** 2 + 3 * w * vision.intermediateSize);
  const attention = 4 * w * (full * patches + (depth - full) * window);
  const merger = (2 * (merged ** 2 + merged * vision.outHiddenSize)) / spatialMergeSize ** 2;
  return patches * (embedded + blocks + attention + merger);
}

/** How a part is trained. */
export type Training = "whole" | "adapter" | "frozen";

/**
 * What training multiplies a forward pass by. The backward pass makes gradients of inputs and of weights, each as much
 * as the forward pass: 3 in all, the 6 of "6ND" (Kaplan et al. 2020). Frozen weights that gradients pass through, as
 * under an adapter, need those of inputs only: 2 (the adapter's own products are under 1 % at rank 16). A frozen vision
 * tower is where gradients end: 1. `recompute`: the backward pass makes the forward pass again (Chen et al. 2016,
 * arXiv:1604.06174): 1 more.
 */
export function trainingFactor(training: Training, recompute: boolean): number {
  if (training === "frozen") return 1;
  return (training === "whole" ? 3 : 2) + (recompute ? 1 : 0);
}
