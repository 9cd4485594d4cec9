/** A whole experiment that takes seconds: pictures of four animals, a model of some ten thousand parameters. */
import { existsSync, mkdirSync } from "node:fs";
import * as path from "node:path";
import sharp from "sharp";
import { loadSettings, type SettingsSource } from "../../lib/experiment/load-settings";
import type { Settings } from "../../lib/experiment/settings";
import { writeText } from "../../lib/util/files";
import { root } from "../environment";

/** Where the pictures are, with so many tests of each animal. */
const pictures = (tests: number): string => path.join(root, `data/cache/torture/animals-${tests}`);
const MODEL = path.join(root, "test/fixtures/parity/fixture-tied/model");
const TRAINING = { fox: 4, wolf: 4, lynx: 1, otter: 1 };
/** Tests of each animal, unless asked otherwise. */
const TESTS = 4;

/** Writes the pictures where they are not there yet. */
export async function writePictures(tests = TESTS): Promise<void> {
  const folder = pictures(tests);
  const split = path.join(folder, "split.json");
  if (existsSync(split)) return;
  for (const [a, [name, count]] of Object.entries(TRAINING).entries())
    for (const [part, n] of [
      ["train", count],
      ["test", tests],
    ] as const)
      for (let i = 0; i < n; i++) {
        const file = path.join(folder, part, name, `${part}-${i}.png`);
        mkdirSync(path.dirname(file), { recursive: true });
        const background = { r: (40 * i + 20) % 256, g: 60 * a + 10, b: part === "train" ? 90 : 160 + (i % 90) };
        await sharp({ create: { width: 36 + 8 * (i % 5), height: 36, channels: 3, background } })
          .png()
          .toFile(file);
      }
  writeText(split, JSON.stringify({ seen: ["fox", "wolf"], unseen: ["lynx", "otter"] }));
}

/** A TAPO run on them, as assignments. */
const ASSIGNMENTS: readonly string[] = [
  `benchmark=${pictures(TESTS)}`,
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
];

/** What `loadSettings` is given for such a run in a folder of its own. */
export const miniatureSource = (run: string, ...more: string[]): SettingsSource => ({
  scale: "smoke",
  run,
  environment: {},
  set: [...ASSIGNMENTS, ...more],
});

/** The same with other numbers of tests. */
export const withTests = (tests: number): string => `benchmark=${pictures(tests)}`;

/** Its settings. */
export const miniatureSettings = (run: string, ...more: string[]): Settings =>
  loadSettings(miniatureSource(run, ...more));
