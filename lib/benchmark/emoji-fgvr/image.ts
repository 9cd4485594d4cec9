/** Images from disk into memory. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import sharp from "sharp";
import { repositoryRoot } from "../../util/root";
import type { RgbImage } from "./types";

/**
 * Decodes an image file to RGB on white. A relative path counts from the repository's root. Throws when the file is
 * missing or is no image.
 */
export async function loadImage(file: string): Promise<RgbImage> {
  const whole = path.resolve(repositoryRoot(), file);
  if (!existsSync(whole)) throw new Error(`image ${file}: no such file (drawings are made by ensureDrawings())`);
  try {
    const { data, info } = await sharp(whole)
      .flatten({ background: "#ffffff" })
      .toColourspace("srgb")
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new Error(`${info.channels} channels, expected 3`);
    return { data: new Uint8Array(data), width: info.width, height: info.height };
  } catch (error) {
    throw new Error(`image ${file}: cannot be decoded (${(error as Error).message})`);
  }
}

/** Decodes many images, each path once. */
export async function loadImages(files: Iterable<string>): Promise<Map<string, RgbImage>> {
  const todo = [...new Set(files)];
  const images = new Map<string, RgbImage>(todo.map((file) => [file, { data: new Uint8Array(), width: 0, height: 0 }]));
  const worker = async (): Promise<void> => {
    for (let file = todo.pop(); file !== undefined; file = todo.pop()) images.set(file, await loadImage(file));
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
  return images;
}
