/** A whole experiment that takes seconds: pictures of four animals, a model of some ten thousand parameters. */
import { existsSync, mkdirSync } from "node:fs";
import * as path from "node:path";
import sharp from "sharp";
import { loadSettings, type Settings } from "../../lib/experiment/settings";
import { writeText } from "../../lib/util/files";
import { root } from "../environment";

const PICTURES = path.join(root, "data/cache/torture/animals");
const MODEL = path.join(root, "test/fixtures/parity/fixture-tied/model");
const TRAINING = { fox: 4, wolf: 4, lynx: 1, otter: 1 };
const TESTS = 4;

/** Writes the pictures where they are not there yet. */
export async function writePictures(): Promise<void> {
  const split = path.join(PICTURES, "split.json");
  if (existsSync(split)) return;
  for (const [a, [name, count]] of Object.entries(TRAINING).entries())
    for (const [part, n] of [
      ["train", count],
      ["test", TESTS],
    ] as const)
      for (let i = 0; i < n; i++) {
        const file = path.join(PICTURES, part, name, `${part}-${i}.png`);
        mkdirSync(path.dirname(file), { recursive: true });
        const background = { r: 40 * i + 20, g: 60 * a + 10, b: part === "train" ? 90 : 160 };
        await sharp({ create: { width: 36 + 8 * i, height: 36, channels: 3, background } })
          .png()
          .toFile(file);
      }
  writeText(split, JSON.stringify({ seen: ["fox", "wolf"], unseen: ["lynx", "otter"] }));
}

/** Settings of a TAPO run on them, in a folder of its own. */
export function miniatureSettings(run: string, ...more: string[]): Settings {
  return loadSettings({
    scale: "smoke",
    run,
    environment: {},
    set: [
      `benchmark=${PICTURES}`,
      `model=${MODEL}`,
      "similarity=names",
      "shots=4",
      "precision=float32",
      "start=base",
      "rl.minPixels=0",
      "rl.steps=6",
      "rl.updatesPerStep=2",
      "rl.groupsPerGeneration=2",
      "rl.maxGenerationBatches=1",
      "rl.maxNewTokens=8",
      "rl.saveTotalLimit=2",
      "eval.maxNewTokens=8",
      "eval.batchSize=4",
      "eval.role=test",
      ...more,
    ],
  });
}
