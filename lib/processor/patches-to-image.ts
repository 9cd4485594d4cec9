/** The way back from a model's input to pixels: what the model saw, to be shown. */
import type { Grid } from "../model/vision-plan";
import type { PreprocessorConfig } from "./preprocessor-config";
import type { RgbImage } from "./resize";

type Format = Pick<PreprocessorConfig, "patchSize" | "temporalPatchSize" | "mergeSize" | "imageMean" | "imageStd">;

/**
 * The image of which `processImage` or `toPatches` made these patches, to the nearest of 256 steps.
 * @param pixelValues `[h * w, 3 * temporalPatchSize * patchSize²]` of a still image, patches grouped by merge block
 * @param grid `[1, h, w]` in patches
 * @returns RGB of `w * patchSize` x `h * patchSize` pixels
 * @throws Error where the grid has several frames, or the values are not as many as it needs
 */
export function patchesToImage(format: Format, pixelValues: ArrayLike<number>, grid: Grid): RgbImage {
  const { patchSize: p, temporalPatchSize: frames, mergeSize: merge, imageMean, imageStd } = format;
  const [time, rows, columns] = grid;
  if (time !== 1) throw new Error(`patchesToImage: a grid of ${time} frames; a still image has 1`);
  const needed = rows * columns * 3 * frames * p * p;
  if (pixelValues.length !== needed)
    throw new Error(`patchesToImage: ${pixelValues.length} values; a grid of ${grid.join(" x ")} has ${needed}`);
  const [width, height, across] = [columns * p, rows * p, columns / merge];
  const data = new Uint8Array(width * height * 3);
  for (let patch = 0; patch < rows * columns; patch++) {
    const [group, inner] = [Math.floor(patch / merge ** 2), patch % merge ** 2];
    const top = (Math.floor(group / across) * merge + Math.floor(inner / merge)) * p;
    const left = ((group % across) * merge + (inner % merge)) * p;
    for (let c = 0; c < 3; c++) {
      const start = (patch * 3 + c) * frames * p * p; // the first frame; a still image fills all with the same
      for (let i = 0; i < p * p; i++) {
        const share = pixelValues[start + i] * imageStd[c] + imageMean[c];
        data[3 * ((top + Math.floor(i / p)) * width + left + (i % p)) + c] = Math.round(
          255 * Math.min(1, Math.max(0, share)),
        );
      }
    }
  }
  return { width, height, data };
}
