/**
 * Qwen2.5-VL's vision tower (Bai et al. 2025, arXiv 2502.13923, section 2.1): patches, windowed and full attention
 * with 2-D rotary positions, and the merger that makes 2x2 patches one token of the decoder.
 */
import { geluExact, permuteRows, rmsNorm, rotary, rotaryTablesOf, softmaxAttention, swiglu, type RotaryTables } from "../engine/ops";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { VISION_NORM_EPS, type ModelConfig, type VisionConfig } from "./config";
import { layerOf, param, project } from "./project";
import type { Segments, VisionInputs } from "./vision-plan";

/** Rotary tables [patches, 1, headDim]: a quarter of the head turns with the row, a quarter with the column, twice. */
function visionRotary(config: VisionConfig, positions: Tensor): RotaryTables {
  const quarter = config.hiddenSize / config.numHeads / 4;
  const inverseFrequencies = tf.tensor1d(Float32Array.from({ length: quarter }, (_, i) => 10000 ** (-i / quarter)));
  const angles = positions.expandDims(2).mul(inverseFrequencies); // [patches, 2, quarter]
  return rotaryTablesOf(angles.reshape([-1, 1, 2 * quarter]));
}

/** [patches, n * headDim] -> [n, count, heads, length, headDim] with padding where segments differ in length. */
function toSegments(x: Tensor, n: number, config: VisionConfig, { count, length, index, inverse }: Segments): Tensor {
  const placed = index && inverse ? permuteRows(x, index, inverse) : x;
  const headDim = config.hiddenSize / config.numHeads;
  return placed.reshape([count, length, n, config.numHeads, headDim]).transpose([2, 0, 3, 1, 4]);
}

function attention(params: Params, config: VisionConfig, name: string, x: Tensor, tables: RotaryTables, segments: Segments): Tensor {
  const width = config.hiddenSize;
  const headDim = width / config.numHeads;
  const patches = x.shape[0];
  const [qk, v] = tf.split(project(params, `${name}.qkv`, x), [2 * width, width], 1);
  const turned = rotary(qk.reshape([patches, 2 * config.numHeads, headDim]), tables).reshape([patches, 2 * width]);
  const [q, k] = tf.unstack(toSegments(turned, 2, config, segments));
  const values = toSegments(v, 1, config, segments).squeeze([0]);
  const mixed = softmaxAttention(q, k, values, segments.mask); // [count, heads, length, headDim]
  const rows = mixed.transpose([0, 2, 1, 3]).reshape([segments.count * segments.length, width]);
  const { index, inverse } = segments;
  // Each patch is taken once and places of padding never: the gradient must put zeros there.
  return project(params, `${name}.proj`, index && inverse ? tf.gather(rows, inverse as tf.Tensor1D) : rows);
}

/** SwiGLU feed-forward layer: `down(silu(gate(x)) * up(x))`. */
export function mlp(params: Params, name: string, x: Tensor): Tensor {
  return project(params, `${name}.down_proj`, swiglu(project(params, `${name}.gate_proj`, x), project(params, `${name}.up_proj`, x)));
}

/**
 * Features of the images' tokens, in the order of the image placeholders.
 * @param pixelValues [patches, inChannels * temporalPatchSize * patchSize²], all images one after the other
 * @param vision the plan of the same images
 * @param recompute keep each block's input alone and compute the block again in the backward pass
 * @returns [patches / spatialMergeSize², outHiddenSize]
 */
export function encodeImages(params: Params, config: ModelConfig, pixelValues: Tensor, vision: VisionInputs, recompute = false): tf.Tensor2D {
  return tf.tidy(() => {
    const { vision: v } = config;
    const unit = v.spatialMergeSize ** 2;
    const patches = pixelValues.shape[0];
    if (patches !== vision.positions.shape[0]) throw new Error(`encodeImages: pixelValues has ${patches} patches, the vision plan ${vision.positions.shape[0]}`);
    const kernel = param(params, "visual.patch_embed.proj.weight");
    const embedded = tf.matMul(pixelValues as tf.Tensor2D, kernel.reshape([v.hiddenSize, -1]) as tf.Tensor2D, false, true);
    const ordered = permuteRows(embedded.reshape([-1, unit * v.hiddenSize]), vision.windowIndex, vision.reverseIndex);
    const tables = visionRotary(v, vision.positions);
    let x: Tensor = ordered.reshape([patches, v.hiddenSize]);
    for (let block = 0; block < v.depth; block++) {
      const name = `visual.blocks.${block}`;
      const segments = v.fullattBlockIndexes.includes(block) ? vision.fullSegments : vision.windowSegments;
      const run = (own: Params, [before, cos, sin]: Tensor[]): Tensor => {
        const mixed = before.add(attention(own, v, `${name}.attn`, rmsNorm(before, param(own, `${name}.norm1.weight`), VISION_NORM_EPS), { cos, sin }, segments));
        return mixed.add(mlp(own, `${name}.mlp`, rmsNorm(mixed, param(own, `${name}.norm2.weight`), VISION_NORM_EPS)));
      };
      x = layerOf(params, `${name}.`, [x, tables.cos, tables.sin], run, recompute);
    }
    const groups = rmsNorm(x, param(params, "visual.merger.ln_q.weight"), VISION_NORM_EPS).reshape([-1, unit * v.hiddenSize]);
    const merged = project(params, "visual.merger.mlp.2", geluExact(project(params, "visual.merger.mlp.0", groups)));
    return permuteRows(merged, vision.reverseIndex, vision.windowIndex) as tf.Tensor2D;
  });
}
