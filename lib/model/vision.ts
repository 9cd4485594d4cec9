/**
 * Qwen2.5-VL's vision tower (Bai et al. 2025, arXiv 2502.13923, section 2.1): patches, windowed and full attention
 * with 2-D rotary positions, and the merger that makes 2x2 patches one token of the decoder.
 */
import { attention } from "../engine/attention";
import { gatherRows, permuteRows } from "../engine/gather";
import { linear } from "../engine/linear";
import { geluExact, rmsNorm, rotaryTablesOf, type RotaryTables } from "../engine/ops";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { VISION_NORM_EPS, type ModelConfig, type VisionConfig } from "./config";
import { layerOf, mlp, param, project, projectInParts } from "./project";
import type { Segments, VisionInputs } from "./vision-plan";

/** Rotary tables [patches, 1, headDim]: a quarter of the head turns with the row, a quarter with the column, twice. */
function visionRotary(config: VisionConfig, positions: Tensor): RotaryTables {
  const quarter = config.hiddenSize / config.numHeads / 4;
  const inverseFrequencies = tf.tensor1d(Float32Array.from({ length: quarter }, (_, i) => 10000 ** (-i / quarter)));
  const angles = positions.expandDims(2).mul(inverseFrequencies); // [patches, 2, quarter]
  return rotaryTablesOf(angles.reshape([-1, 1, 2 * quarter]));
}

/** [patches, ...] -> [count, length, ...], with padding where segments differ in length. */
function toSegments(x: Tensor, { count, length, index, inverse }: Segments): Tensor {
  const placed = index && inverse ? permuteRows(x, index, inverse) : x;
  return placed.reshape([count, length, ...x.shape.slice(1)]);
}

function selfAttention(
  params: Params,
  config: VisionConfig,
  name: string,
  x: Tensor,
  rotary: RotaryTables,
  segments: Segments,
): Tensor {
  const { hiddenSize: width, numHeads } = config;
  const heads = (rows: Tensor): Tensor => rows.reshape([x.shape[0], numHeads, width / numHeads]);
  const [q, k, v] = projectInParts(params, `${name}.qkv`, x, 3).map(heads);
  const [queries, keys, values] = [q, k, v].map((rows) => toSegments(rows, segments));
  const mixed = attention(queries, keys, values, { mask: segments.mask, rotary }); // [count, length, width]
  const rows = mixed.reshape([-1, width]);
  const { index, inverse } = segments;
  // Each patch is taken once and places of padding never: the gradient must put zeros there.
  return project(params, `${name}.proj`, index && inverse ? gatherRows(rows, inverse) : rows);
}

/**
 * Features of the images' tokens, in the order of the image placeholders.
 * @param pixelValues [patches, inChannels * temporalPatchSize * patchSize²], all images one after the other
 * @param vision the plan of the same images
 * @param recompute keep each block's input alone and compute the block again in the backward pass
 * @returns [patches / spatialMergeSize², outHiddenSize]
 */
export function encodeImages(
  params: Params,
  config: ModelConfig,
  pixelValues: Tensor,
  vision: VisionInputs,
  recompute = false,
): tf.Tensor2D {
  return tf.tidy(() => {
    const { vision: v } = config;
    const unit = v.spatialMergeSize ** 2;
    const patches = pixelValues.shape[0];
    if (patches !== vision.positions.shape[0])
      throw new Error(`encodeImages: pixelValues has ${patches} patches, the vision plan ${vision.positions.shape[0]}`);
    const kernel = param(params, "visual.patch_embed.proj.weight");
    const embedded = linear(pixelValues, kernel.reshape([v.hiddenSize, -1]));
    const ordered = permuteRows(embedded.reshape([-1, unit * v.hiddenSize]), vision.windowIndex, vision.reverseIndex);
    const { cos, sin } = visionRotary(v, vision.positions);
    const [ofWindows, ofImages] = [vision.windowSegments, vision.fullSegments].map((segments) => [
      toSegments(cos, segments),
      toSegments(sin, segments),
    ]);
    let x: Tensor = ordered.reshape([patches, v.hiddenSize]);
    for (let block = 0; block < v.depth; block++) {
      const name = `visual.blocks.${block}`;
      const [segments, tables] = v.fullattBlockIndexes.includes(block)
        ? [vision.fullSegments, ofImages]
        : [vision.windowSegments, ofWindows];
      const run = (own: Params, [before, cos, sin]: Tensor[]): Tensor => {
        const mixed = before.add(
          selfAttention(
            own,
            v,
            `${name}.attn`,
            rmsNorm(before, param(own, `${name}.norm1.weight`), VISION_NORM_EPS),
            { cos, sin },
            segments,
          ),
        );
        return mixed.add(mlp(own, `${name}.mlp`, rmsNorm(mixed, param(own, `${name}.norm2.weight`), VISION_NORM_EPS)));
      };
      x = layerOf(params, `${name}.`, [x, ...tables], run, recompute);
    }
    const groups = rmsNorm(x, param(params, "visual.merger.ln_q.weight"), VISION_NORM_EPS).reshape([
      -1,
      unit * v.hiddenSize,
    ]);
    const merged = project(params, "visual.merger.mlp.2", geluExact(project(params, "visual.merger.mlp.0", groups)));
    return permuteRows(merged, vision.reverseIndex, vision.windowIndex) as tf.Tensor2D;
  });
}
