/** A checkpoint's own vision tower as an embedder: an image becomes the mean of its image tokens' features. */
import { compile } from "../engine/compile";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import type { ModelConfig } from "../model/config";
import { encodeImages } from "../model/vision";
import { visionInputs, visionPlan, type VisionInputs } from "../model/vision-plan";
import { disposeImage } from "../processor/image-processor";
import type { Processor } from "../processor/processor";

/**
 * Vectors of `outHiddenSize` values, one a file. Images of equal grids share a compiled function.
 * @param params those of the checkpoint; the language model's are not looked at
 * @throws Error naming a file that is no image
 */
export function createVisionEmbedder(
  params: Params,
  config: ModelConfig,
  processor: Processor,
): (files: readonly string[], onProgress?: (done: number, total: number) => void) => Promise<Float32Array[]> {
  const tower = Object.fromEntries(Object.entries(params).filter(([name]) => name.startsWith("visual.")));
  const embed = compile(
    (weights: Params, pixels: Tensor, vision: VisionInputs) =>
      tf.mean(encodeImages(weights, config, pixels, vision), 0),
    { name: "embed.image" },
  );
  return async (files, onProgress) => {
    const vectors: Float32Array[] = [];
    for (const file of files) {
      const image = await processor.image(file);
      const { pixelValues, grid } = image;
      const plan = visionPlan(config, [grid]);
      const inputs = {
        pixels: tf.tensor2d(pixelValues, [plan.patches, pixelValues.length / plan.patches]),
        vision: visionInputs(plan),
      };
      const vector = embed(tower, inputs.pixels, inputs.vision);
      vectors.push(Float32Array.from(vector.dataSync()));
      disposeTree([inputs, vector]);
      disposeImage(image);
      onProgress?.(vectors.length, files.length);
    }
    return vectors;
  };
}
