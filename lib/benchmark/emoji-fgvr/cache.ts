/** The rasterised drawings on disk: made on first use, and again whenever the packages or the renderer change. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import * as path from "node:path";
import { readJson } from "../../util/files";
import { readEmojiFgvr, type EmojiFgvrFiles } from "./load";
import { packageVersion } from "./packages";
import { cacheFolder, dataFolder } from "./paths";
import { encodePng, rasterise, rendererVersion } from "./render";
import { writeWhole } from "./write";

const WORKERS = 4; // sharp draws on libuv's threads

/** File of one drawing; ids and styles were checked when the concepts were read. */
export function drawingFile(style: string, id: string): string {
  return path.join(cacheFolder(), style, `${id}.png`);
}

/** What the pixels depend on. Throws when an installed package is not the version that the files were built from. */
function stampKey(files: EmojiFgvrFiles): string {
  const hash = createHash("sha256").update(rendererVersion());
  for (const [name, version] of Object.entries(files.packages)) {
    const installed = packageVersion(name);
    if (installed !== version)
      throw new Error(
        `package ${name} is ${installed}, data/emoji-fgvr/splits.json was built from ${version}: run \`npm ci\``,
      );
    hash.update(`\n${name} ${version}`);
  }
  for (const c of files.concepts)
    for (const [style, icon] of Object.entries(c.drawings))
      hash.update(`\n${style}/${c.id} ${files.styles[style].package}:${icon}`);
  return hash.digest("hex");
}

function readStamp(file: string): string | null {
  try {
    return (readJson(file) as { key?: string }).key ?? null;
  } catch {
    return null; // missing or cut short: everything is drawn again
  }
}

async function draw(onProgress?: (done: number, total: number) => void): Promise<number> {
  const files = readEmojiFgvr(dataFolder());
  const key = stampKey(files);
  const stampFile = path.join(cacheFolder(), "stamp.json");
  const current = readStamp(stampFile) === key;
  const jobs = files.concepts
    .flatMap((c) =>
      Object.entries(c.drawings).map(([style, icon]) => ({ style, icon, file: drawingFile(style, c.id) })),
    )
    .filter((job) => !current || !existsSync(job.file));
  const total = jobs.length;
  const worker = async (): Promise<void> => {
    for (let job = jobs.pop(); job; job = jobs.pop()) {
      writeWhole(job.file, await encodePng(await rasterise(files.styles[job.style].package, job.icon)));
      onProgress?.(total - jobs.length, total);
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, worker));
  if (!current) writeWhole(stampFile, `${JSON.stringify({ key })}\n`);
  return total;
}

let running: Promise<number> | null = null;

/**
 * Makes sure that every drawing is in the cache (under a minute the first time, milliseconds after that). Returns how
 * many were drawn. An interrupted call leaves whole files only, and the next call finishes the work.
 */
export function ensureDrawings(onProgress?: (done: number, total: number) => void): Promise<number> {
  running ??= draw(onProgress).finally(() => (running = null));
  return running;
}
