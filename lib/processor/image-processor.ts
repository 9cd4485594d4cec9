/** Images to patches as Qwen2-VL's image processor makes them (transformers' `Qwen2VLImageProcessorPil`). */
import type { Grid } from "../model/vision-plan";
import { imageAddon, type ImageAddon } from "./image-addon";
import { decodeImage } from "./image-decode";
import { toRgb, type AlphaMode } from "./image-pixels";
import type { PreprocessorConfig } from "./preprocessor-config";
import { resizeBicubic, type RgbImage } from "./resize";

export type { AlphaMode } from "./image-pixels";
export type { RgbImage } from "./resize";

/** An image as the model takes it. */
export interface ProcessedImage {
  /** [t * h * w, 3 * temporalPatchSize * patchSize²], patches grouped by merge block. */
  pixelValues: Float32Array;
  /** In patches. */
  grid: Grid;
}

/**
 * Decodes an image file or its bytes to RGB, as `decodeImage` does: EXIF orientation applied, embedded colour profile
 * ignored, 16-bit grey clipped as Pillow clips it.
 * @param alpha what becomes of transparency
 * @throws Error naming the file when it is missing or no image
 */
export async function loadImage(source: string | Uint8Array, alpha: AlphaMode = "drop"): Promise<RgbImage> {
  return toRgb(await decodeImage(source), alpha);
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
export function smartResize(
  height: number,
  width: number,
  factor: number,
  minPixels: number,
  maxPixels: number,
): { height: number; width: number } {
  const ratio = Math.max(height, width) / Math.min(height, width);
  if (!(ratio <= 200))
    throw new Error(
      `smartResize: an image of ${width} x ${height} has an aspect ratio of ${ratio}; at most 200 is supported`,
    );
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

/** Normalised value of each byte, 256 for each channel, in the 32-bit steps of the reference. */
function normalisation(config: PreprocessorConfig): Float32Array {
  return Float32Array.from({ length: 3 * 256 }, (_, i) => {
    const channel = i >> 8;
    return (
      Math.fround(Math.fround((i & 255) * config.rescaleFactor) - Math.fround(config.imageMean[channel])) /
      Math.fround(config.imageStd[channel])
    );
  });
}

/** Pixel limits in place of the configuration's (evaluation and training may differ). */
export type PixelLimits = Partial<Pick<PreprocessorConfig, "minPixels" | "maxPixels">>;

/**
 * How an image is read, where a call differs from the processor: evaluation puts transparency on white, training drops
 * it.
 */
export interface ImageOptions extends PixelLimits {
  /** Default `drop`. */
  alpha?: AlphaMode;
}

function sizeFor(
  config: PreprocessorConfig,
  { width, height }: { width: number; height: number },
  limits: PixelLimits,
): { width: number; height: number } {
  return smartResize(
    height,
    width,
    config.patchSize * config.mergeSize,
    limits.minPixels ?? config.minPixels,
    limits.maxPixels ?? config.maxPixels,
  );
}

function checkLength({ width, height, data }: RgbImage): void {
  if (data.length !== width * height * 3)
    throw new Error(`processImage: ${data.length} bytes for ${width} x ${height} RGB pixels`);
}

/**
 * Resizes, normalises and cuts an image into patches; a still image fills all `temporalPatchSize` frames of a patch. In
 * TypeScript, at once: the reference. `readImage` does the same on other threads.
 * @throws Error when the bytes don't fit the size, or one side is more than 200 times the other
 */
export function processImage(config: PreprocessorConfig, image: RgbImage, limits: PixelLimits = {}): ProcessedImage {
  const { patchSize: p, temporalPatchSize: frames, mergeSize: merge } = config;
  checkLength(image);
  const size = sizeFor(config, image, limits);
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
            for (let dx = 0; dx < p; dx++) pixelValues[out++] = tables[256 * c + data[row + 3 * dx]];
          }
          for (let frame = 1; frame < frames; frame++, out += p * p) pixelValues.copyWithin(out, start, start + p * p);
        }
      }
    }
  }
  return { pixelValues, grid: [1, rows, columns] };
}

/**
 * An image file, its bytes or its pixels as the model takes it: as `loadImage` and `processImage` give it, to the bit.
 * With the image addon the work is done on libuv's threads, so several images asked for at once run on several cores.
 * @param addon null for TypeScript
 * @throws Error naming the file when it is missing or no image; as `processImage`
 */
export async function readImage(
  config: PreprocessorConfig,
  source: string | Uint8Array | RgbImage,
  options: ImageOptions = {},
  addon: ImageAddon | null = imageAddon(),
): Promise<ProcessedImage> {
  const { alpha = "drop" } = options;
  const isFile = typeof source === "string" || source instanceof Uint8Array;
  if (!isFile) checkLength(source);
  // pixels of the caller are copied: it may write or transfer its own meanwhile
  const decoded = isFile
    ? await decodeImage(source)
    : { ...source, channels: 3, data: addon ? source.data.slice() : source.data };
  if (addon === null) return processImage(config, toRgb(decoded, alpha), options);
  const { patchSize, mergeSize, temporalPatchSize } = config;
  const { width, height } = sizeFor(config, decoded, options);
  const pixelValues = await addon.patches({
    pixels: decoded.data,
    width: decoded.width,
    height: decoded.height,
    channels: decoded.channels,
    white: alpha === "white",
    toWidth: width,
    toHeight: height,
    horizontalFirst: false,
    patchSize,
    mergeSize,
    frames: temporalPatchSize,
    tables: normalisation(config),
  });
  return { pixelValues, grid: [1, height / patchSize, width / patchSize] };
}

/**
 * Gives an image's memory back at once; its `pixelValues` are empty after. Without this it is free when V8 collects,
 * which counts this memory and so collects after every third photograph.
 */
export function disposeImage({ pixelValues }: ProcessedImage, addon: ImageAddon | null = imageAddon()): void {
  addon?.release(pixelValues);
}
