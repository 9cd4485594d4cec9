/** Photographs of several sizes with records: a small benchmark folder. */
import { mkdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import sharp from "sharp";
import { writeSharegpt, type SftRecord } from "../../lib/formats/sharegpt";
import { writeTree } from "../benchmark/photographs/trees";

export const model = path.join(__dirname, "../fixtures/parity/fixture-tied/model");

const SIZES = [
  [40, 52],
  [66, 30],
  [36, 36],
  [52, 40],
  [80, 44],
  [31, 47],
] as const;

/** Writes `animals/` and `records.json` into a folder. The last image is transparent; one record is long. */
export async function writeAnimals(folder: string): Promise<{ images: string; records: string }> {
  const images = path.join(folder, "animals");
  const made: SftRecord[] = [];
  for (const [i, [width, height]] of SIZES.entries()) {
    const name = ["fox", "wolf"][i % 2];
    const file = path.join(images, "train", name, `${i}.png`);
    mkdirSync(path.dirname(file), { recursive: true });
    const background = { r: 40 * i, g: 200 - 30 * i, b: 90, alpha: i === 5 ? 0.5 : 1 };
    await sharp({ create: { width, height, channels: i === 5 ? 4 : 3, background } })
      .png()
      .toFile(file);
    made.push({
      system: i === 0 ? "Be brief." : null,
      user: i === 1 ? "Look: <image> what is it?" : "What animal is this?",
      assistant: `<think> It is ${name}${i === 4 ? ", it really is".repeat(40) : ""}. </think> <answer>${name}</answer>`,
      image: `animals/train/${name}/${i}.png`,
    });
  }
  const first = readFileSync(path.join(images, "train/fox/0.png"));
  writeTree(images, {
    "split.json": JSON.stringify({ seen: ["fox", "wolf"], unseen: ["lynx", "bear"] }),
    "train/lynx/8.png": first,
    "train/bear/11.png": first,
    "test/bear/12.png": first,
    "test/fox/9.png": first,
    "test/lynx/10.png": first,
  });
  const records = path.join(folder, "records.json");
  writeSharegpt(records, made);
  return { images, records };
}
