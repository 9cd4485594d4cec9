/** The images of a stage: the squares of a benchmark that has them, else photographs read as they are needed. */
import { resizeLike } from "../formats/stage2";
import type { Grid } from "../model/vision-plan";
import type { AlphaMode, PixelLimits } from "../processor/image-processor";
import { imageGrid } from "../processor/image-size";
import type { Processor } from "../processor/processor";
import { photographs, type RunImages } from "../train/images";
import { fileReason } from "../util/file-errors";
import { readRegular } from "../util/regular-file";

/**
 * An image as a stage has it: a file, its bytes, or a file at the size of another one (a triplet's images need one
 * size).
 */
export type ImageSource = string | Uint8Array | { file: string; like: string };

/** Images by the names that records, prompts and questions give them. */
export type ImageSources = ReadonlyMap<string, ImageSource>;

/** Of one image. */
export interface ImageSizes {
  imageTokens: number;
  imagePatches: number;
}

/** How images are read. */
export interface ImageOptions {
  limits: PixelLimits;
  /** What transparency becomes: dropped (training, as the release does), or white (evaluation). */
  alpha?: AlphaMode;
  /** Hears of images that cannot be read, which are left out; without it the first one is an error. */
  onBadImage?: (name: string, reason: string) => void;
}

/** The limits of a stage's settings; the checkpoint's own where they are 0. */
export const limitsOf = ({ minPixels, maxPixels }: { minPixels: number; maxPixels: number }): PixelLimits => ({
  ...(minPixels > 0 ? { minPixels } : {}),
  ...(maxPixels > 0 ? { maxPixels } : {}),
});

const bytesOf = (file: string): Uint8Array => new Uint8Array(readRegular(file));

/** An image as the processor takes it. */
async function decodable(source: ImageSource): Promise<string | Uint8Array> {
  if (typeof source === "string" || source instanceof Uint8Array) return source;
  const { file, like } = source;
  const resized = await resizeLike({ bytes: bytesOf(file), path: file }, { bytes: bytesOf(like), path: like });
  return resized.bytes;
}

const sized = (source: ImageSource): string | Uint8Array =>
  typeof source === "string" || source instanceof Uint8Array ? source : source.like;

/** Photographs as the images of a run, and the sizes of the largest. @throws Error naming the first that is none */
export async function openImages(
  processor: Processor,
  sources: ImageSources,
  { limits, alpha = "drop", onBadImage }: ImageOptions,
): Promise<{ images: RunImages; largest: ImageSizes }> {
  const grids = new Map<string, Grid>();
  for (const [name, source] of sources) {
    try {
      grids.set(name, await imageGrid(processor.imageConfig, sized(source), limits));
    } catch (error) {
      const reason = `can't be read as an image (${fileReason(error)})`;
      if (!onBadImage) throw new Error(`${name}: ${reason}`);
      onBadImage(name, reason);
    }
  }
  const imagePatches = [...grids.values()].reduce((most, [t, h, w]) => Math.max(most, t * h * w), 0);
  const read = async (name: string) => processor.image(await decodable(sources.get(name)!), { ...limits, alpha });
  return {
    images: photographs(grids, read),
    largest: { imagePatches, imageTokens: imagePatches / processor.imageConfig.mergeSize ** 2 },
  };
}
