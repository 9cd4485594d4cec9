/**
 * The 256 images of `image-processing`, made once into `.bench/images`: soft shapes under noise, the same on every
 * machine.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import * as path from "node:path";
import sharp from "sharp";
import { foldIn, random } from "../../lib/util/random";
import { scratch } from "./environment";

export const imageFolder = path.join(scratch, "images");

const COUNT = 256;

/** Three quarters JPEG, the rest PNG; each side 224 to 1,000 pixels. */
async function makeImage(i: number, folder: string): Promise<void> {
  const r = random(foldIn(2026, "bench image", i));
  const [width, height] = [224 + r.integer(777), 224 + r.integer(777)];
  const shapes = Uint8Array.from({ length: 12 * 12 * 3 }, () => r.integer(256));
  const data = await sharp(shapes, { raw: { width: 12, height: 12, channels: 3 } })
    .resize(width, height, { kernel: "cubic", fit: "fill" })
    .raw()
    .toBuffer();
  for (let j = 0; j < data.length; j++) data[j] = Math.max(0, Math.min(255, data[j] + r.integer(13) - 6));
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  const name = String(i).padStart(3, "0");
  await (i % 4 === 3
    ? image.png().toFile(path.join(folder, `${name}.png`))
    : image.jpeg({ quality: 90 }).toFile(path.join(folder, `${name}.jpg`)));
}

/** The files, in order; made where they are missing. */
export async function benchImages(): Promise<string[]> {
  if (!existsSync(imageFolder)) {
    const partial = `${imageFolder}.tmp`;
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
    for (let i = 0; i < COUNT; i++) await makeImage(i, partial);
    renameSync(partial, imageFolder);
  }
  return readdirSync(imageFolder)
    .sort()
    .map((file) => path.join(imageFolder, file));
}
