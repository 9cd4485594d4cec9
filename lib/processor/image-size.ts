/** How large an image becomes, from its header alone. */
import sharp from "sharp";
import type { Grid } from "../model/vision-plan";
import { smartResize, type PixelLimits } from "./image-processor";
import type { PreprocessorConfig } from "./preprocessor-config";

/**
 * The grid that `processImage` would give an image file or its bytes, EXIF orientation applied. Nothing is decoded.
 * @throws Error where there is no image, or its shape is too extreme
 */
export async function imageGrid(
  config: PreprocessorConfig,
  source: string | Uint8Array,
  limits: PixelLimits = {},
): Promise<Grid> {
  const { autoOrient } = await sharp(source, { failOn: "error" }).metadata();
  const { height, width } = smartResize(
    autoOrient.height,
    autoOrient.width,
    config.patchSize * config.mergeSize,
    limits.minPixels ?? config.minPixels,
    limits.maxPixels ?? config.maxPixels,
  );
  return [1, height / config.patchSize, width / config.patchSize];
}
