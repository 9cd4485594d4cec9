/** Images to patches as Qwen2-VL's image processor makes them (transformers' `Qwen2VLImageProcessorPil`). */
import sharp, { type OutputInfo } from "sharp";
import type { Grid } from "../model/vision-plan";
import type { PreprocessorConfig } from "./preprocessor-config";
import { resizeBicubic, type RgbImage } from "./resize";

export type { RgbImage } from "./resize";

/** An image as the model takes it. */
export interface ProcessedImage {
  /** [t * h * w, 3 * temporalPatchSize * patchSize²], patches grouped by merge block. */
  pixelValues: Float32Array;
  /** In patches. */
  grid: Grid;
}

/** Transparency: `drop` keeps the colour under it (Hugging Face's `load_image`), `white` puts the image on white. */
export type AlphaMode = "drop" | "white";

/** Pillow's `alpha_composite` of one channel on white, 7 bits of precision. */
function onWhite(value: number, alpha: number): number {
  if (alpha === 0) return 255;
  const coefficient = alpha * 128;
  const sum = value * coefficient + 255 * (255 * 128 - coefficient) + (0x80 << 7);
  return (((sum >>> 8) + sum) >>> 8) >>> 7;
}

/**
 * Decodes an image file or its bytes to RGB: EXIF orientation applied, embedded colour profile ignored.
 * @throws Error naming the file when it is missing or no image
 */
export async function loadImage(source: string | Uint8Array, alpha: AlphaMode = "drop"): Promise<RgbImage> {
  const name = typeof source === "string" ? source : `image of ${source.length} bytes`;
  let raw: { data: Buffer; info: OutputInfo };
  try {
    raw = await sharp(source, { ignoreIcc: true, failOn: "error" }).autoOrient().toColourspace("srgb").ensureAlpha().raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  } catch (error) {
    throw new Error(`${name}: can't be read as an image (${(error as Error).message.split("\n")[0]})`);
  }
  const { data: rgba, info } = raw;
  const data = new Uint8Array(info.width * info.height * 3);
  for (let i = 0, j = 0; i < rgba.length; i += 4, j += 3) {
    for (let c = 0; c < 3; c++) data[j + c] = alpha === "white" ? onWhite(rgba[i + c], rgba[i + 3]) : rgba[i + c];
  }
  return { width: info.width, height: info.height, data };
}

/** Python's `round`: halves to the even integer. */
function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest < 0.5 || (rest === 0.5 && floor % 2 === 0) ? floor : floor + 1;
}

/**
 * The size to resize to: both sides multiples of `factor`, the area within the limits, the aspect ratio nearly kept.
 * @throws Error when one side is more than 200 times the other
 */
export function smartResize(height: number, width: number, factor: number, minPixels: number, maxPixels: number): { height: number; width: number } {
  const ratio = Math.max(height, width) / Math.min(height, width);
  if (!(ratio <= 200)) throw new Error(`smartResize: an image of ${width} x ${height} has an aspect ratio of ${ratio}; at most 200 is supported`);
  let h = roundHalfEven(height / factor) * factor;
  let w = roundHalfEven(width / factor) * factor;
  if (h * w > maxPixels) {
    const beta = Math.sqrt((height * width) / maxPixels);
    h = Math.max(factor, Math.floor(height / beta / factor) * factor);
    w = Math.max(factor, Math.floor(width / beta / factor) * factor);
  } else if (h * w < minPixels) {
    const beta = Math.sqrt(minPixels / (height * width));
    h = Math.ceil((height * beta) / factor) * factor;
    w = Math.ceil((width * beta) / factor) * factor;
  }
  return { height: h, width: w };
}

/** Normalised value of each byte, one table per channel, in the 32-bit steps of the reference. */
function normalisation(config: PreprocessorConfig): Float32Array[] {
  return config.imageMean.map((mean, channel) =>
    Float32Array.from({ length: 256 }, (_, value) => Math.fround(Math.fround(value * config.rescaleFactor) - Math.fround(mean)) / Math.fround(config.imageStd[channel])),
  );
}

/**
 * Resizes, normalises and cuts an image into patches; a still image fills all `temporalPatchSize` frames of a patch.
 * @param limits pixel limits in place of the configuration's (evaluation and training may differ)
 */
export function processImage(config: PreprocessorConfig, image: RgbImage, limits: Partial<Pick<PreprocessorConfig, "minPixels" | "maxPixels">> = {}): ProcessedImage {
  const { patchSize: p, temporalPatchSize: frames, mergeSize: merge } = config;
  if (image.data.length !== image.width * image.height * 3) throw new Error(`processImage: ${image.data.length} bytes for ${image.width} x ${image.height} RGB pixels`);
  const size = smartResize(image.height, image.width, p * merge, limits.minPixels ?? config.minPixels, limits.maxPixels ?? config.maxPixels);
  const { data } = resizeBicubic(image, size.width, size.height);
  const rows = size.height / p;
  const columns = size.width / p;
  const pixelValues = new Float32Array(rows * columns * 3 * frames * p * p);
  const tables = normalisation(config);
  let out = 0;
  for (let top = 0; top < rows; top += merge) {
    for (let left = 0; left < columns; left += merge) {
      for (let inner = 0; inner < merge * merge; inner++) {
        const y = (top + Math.floor(inner / merge)) * p;
        const x = (left + (inner % merge)) * p;
        for (let c = 0; c < 3; c++) {
          const start = out;
          for (let dy = 0; dy < p; dy++) {
            const row = ((y + dy) * size.width + x) * 3 + c;
            for (let dx = 0; dx < p; dx++) pixelValues[out++] = tables[c][data[row + 3 * dx]];
          }
          for (let frame = 1; frame < frames; frame++, out += p * p) pixelValues.copyWithin(out, start, start + p * p);
        }
      }
    }
  }
  return { pixelValues, grid: [1, rows, columns] };
}
