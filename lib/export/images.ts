/** Images of a run as files for other engines: upright, transparency as the stage has it, named by their place. */
import { mkdirSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import sharp from "sharp";
import type { Benchmark } from "../benchmark/types";
import type { ImageSource } from "../experiment/images";
import { resizeLike, standUpright } from "../formats/stage2";
import { decodeImage, readImageHeader } from "../processor/image-decode";
import { toRgb, type AlphaMode } from "../processor/image-pixels";
import { readRegular } from "../util/regular-file";

/** An image by what a run calls it: a source, or a square of the benchmark by its id. */
export type ImageToExport = ImageSource | { square: string };

const png = async (data: Uint8Array, width: number, height: number): Promise<Uint8Array> =>
  new Uint8Array(
    await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer(),
  );

const encoded = (bytes: Uint8Array): { bytes: Uint8Array; path: null } => ({ bytes, path: null });
const read = (file: string): Uint8Array => new Uint8Array(readRegular(file));

/** Upright, at the size that it has in the run. */
async function standing(source: ImageSource): Promise<Uint8Array> {
  if (typeof source !== "string" && "like" in source)
    return (await resizeLike(encoded(read(source.file)), encoded(read(source.like)))).bytes;
  return (await standUpright(encoded(typeof source === "string" ? read(source) : source))).bytes;
}

/**
 * The bytes of an image file that another engine reads as this run reads the image.
 * @param alpha `white` puts a transparent image on white; others drop the channel, as other engines do
 * @throws Error where the file cannot be read as an image
 */
export async function imageBytes(benchmark: Benchmark, source: ImageToExport, alpha: AlphaMode): Promise<Uint8Array> {
  if (typeof source !== "string" && "square" in source) {
    if (!benchmark.squares) throw new Error(`${source.square}: ${benchmark.name} has no squares`);
    const { data, width, height } = await benchmark.squares.load(source.square);
    return png(data, width, height);
  }
  const bytes = await standing(source);
  const { special, hasAlpha } = await readImageHeader(bytes);
  const pixels = await decodeImage(bytes); // also where the bytes stay: no engine is to stop at a broken file
  if (!special && !(alpha === "white" && hasAlpha)) return bytes;
  const { data, width, height } = toRgb(pixels, alpha);
  return png(data, width, height);
}

/** A file name's end for the format of an image's bytes. */
const EXTENSIONS: Readonly<Record<string, string>> = { jpeg: "jpg", png: "png", webp: "webp", gif: "gif", tiff: "tif" };

const slug = (name: string): string =>
  path
    .basename(name)
    .replace(/\.[A-Za-z0-9]+$/, "")
    .replace(/[^A-Za-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")
    .slice(0, 40);

/** Image files of one export. */
export interface ImageFolder {
  /** Writes an image unless it is there. @returns its path from the export's folder, with `/` */
  add(name: string, source: ImageToExport): Promise<string>;
  /** How many there are. */
  count(): number;
}

/** Files in `folder/images` (or another folder in it), one for each name. */
export function imageFolder(folder: string, benchmark: Benchmark, alpha: AlphaMode, below = "images"): ImageFolder {
  const written = new Map<string, string>();
  mkdirSync(path.join(folder, below), { recursive: true });
  return {
    add: async (name, source) => {
      const before = written.get(name);
      if (before !== undefined) return before;
      const bytes = await imageBytes(benchmark, source, alpha).catch((error: unknown) => {
        throw new Error(`${name}: ${(error as Error).message}`);
      });
      const { format } = await readImageHeader(bytes);
      const place = `${below}/${String(written.size).padStart(5, "0")}-${slug(name)}.${EXTENSIONS[format] ?? "png"}`;
      writeFileSync(path.join(folder, place), bytes);
      written.set(name, place);
      return place;
    },
    count: () => written.size,
  };
}
