/** How large an image becomes, from its header alone. */
import type { Grid } from "../model/vision-plan";
import { reasonOf, uprightSize } from "./image-decode";
import { smartResize, type PixelLimits } from "./image-processor";
import type { PreprocessorConfig } from "./preprocessor-config";

/**
 * The grid that `processImage` would give an image file or its bytes, EXIF orientation applied. Nothing is decoded.
 * @throws Error (without the image's name) where there is no image, or its shape is too extreme
 */
export async function imageGrid(
  config: PreprocessorConfig,
  source: string | Uint8Array,
  limits: PixelLimits = {},
): Promise<Grid> {
  const upright = await uprightSize(source).catch((error: unknown) => {
    throw new Error(reasonOf(error)); // the caller's name of it is better
  });
  const { height, width } = smartResize(
    upright.height,
    upright.width,
    config.patchSize * config.mergeSize,
    limits.minPixels ?? config.minPixels,
    limits.maxPixels ?? config.maxPixels,
  );
  return [1, height / config.patchSize, width / config.patchSize];
}
