/** A run's folder: `data/runs/<run>` with models, logs, predictions and a manifest; every file written whole or not at all. */
import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, renameSync, statSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { repositoryRoot } from "./engine/root";
import type { Settings } from "./settings";

/** Folder of a run, absolute. The name was checked by `loadSettings`. */
export function runFolder(settings: Pick<Settings, "run">): string {
  return path.join(repositoryRoot(), "data/runs", settings.run);
}

/** Writes text under a temporary name, then renames. Folders are made. */
export function writeText(file: string, text: string): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(`${file}.tmp`, text);
  renameSync(`${file}.tmp`, file);
}

/** Writes one JSON value a line. */
export function writeJsonl(file: string, rows: readonly unknown[]): void {
  writeText(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
}

/** Reads one JSON value a line. @throws Error naming file and line */
export function readJsonl<T>(file: string): T[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line, i) => {
      if (line.trim() === "") return [];
      try {
        return [JSON.parse(line) as T];
      } catch (error) {
        throw new Error(`${file}: line ${i + 1} is not JSON (${(error as Error).message})`);
      }
    });
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? filesBelow(path.join(folder, entry.name)) : [path.join(folder, entry.name)]))
    .sort();
}

/** SHA-256 over the names and contents of all files of some folders or files below the repository, in order of name. */
export function hashTree(roots: readonly string[]): string {
  const hash = createHash("sha256");
  for (const root of roots) {
    const whole = path.join(repositoryRoot(), root);
    if (!existsSync(whole)) continue;
    for (const file of statSync(whole).isDirectory() ? filesBelow(whole) : [whole]) {
      hash.update(`${path.relative(repositoryRoot(), file).split(path.sep).join("/")}\0`);
      hash.update(readFileSync(file));
      hash.update("\0");
    }
  }
  return hash.digest("hex");
}

const BLOCK = 1 << 16;
const BLOCKS = 256;

/** SHA-256 over the names, sizes and contents of a folder's files; of a file above 16 MiB, 256 blocks spread over it. */
export function fingerprint(folder: string): string {
  const hash = createHash("sha256");
  for (const entry of readdirSync(folder, { withFileTypes: true }).filter((one) => one.isFile()).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = path.join(folder, entry.name);
    const { size } = statSync(file);
    hash.update(`${entry.name}\0${size}\0`);
    const blocks = Math.min(BLOCKS, Math.ceil(size / BLOCK));
    const handle = openSync(file, "r");
    const buffer = Buffer.alloc(BLOCK);
    for (let i = 0; i < blocks; i++) hash.update(buffer.subarray(0, readSync(handle, buffer, 0, BLOCK, blocks < BLOCKS ? i * BLOCK : Math.floor((i * (size - BLOCK)) / (BLOCKS - 1)))));
    closeSync(handle);
  }
  return hash.digest("hex");
}

/** SHA-256 of settings. */
export function hashSettings(settings: Settings): string {
  return createHash("sha256").update(JSON.stringify(settings)).digest("hex");
}

/** What the results depend on: the code that computes them, the committed data and base model, the settings. */
export function provenance(settings: Settings): { code: string; data: string; settings: string } {
  return {
    code: hashTree(["lib/data", "lib/engine", "lib/eval", "lib/loss", "lib/model", "lib/processor", "lib/reward", "lib/rollout", "lib/train", "lib/adapters.ts", "lib/contrastive-baseline.ts", "lib/experiment.ts", "lib/merge.ts", "lib/probes.ts", "lib/run.ts", "lib/settings.ts", "lib/stamp.ts", "package-lock.json"]),
    data: hashTree(["data/emoji-fgvr", ...(settings.model.startsWith("data/") ? [settings.model] : [])]),
    settings: hashSettings(settings),
  };
}
