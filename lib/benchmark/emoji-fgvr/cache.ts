/** The rasterised drawings on disk: made on first use, and again whenever the packages or the renderer change. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import * as path from "node:path";
import { readJson } from "../../util/files";
import { readEmojiFgvr, type EmojiFgvrFiles } from "./load";
import { packageVersion } from "./packages";
import { cacheFolder, dataFolder, type Edition } from "./paths";
import { encodePng, rasterise, rendererVersion } from "./render";
import { writeWhole } from "./write";

const WORKERS = 4; // sharp draws on libuv's threads

/** File of one drawing; ids and styles were checked when the concepts were read. */
export function drawingFile(style: string, id: string, edition: Edition = "emoji-fgvr"): string {
  return path.join(cacheFolder(edition), style, `${id}.png`);
}

/** What the pixels depend on. Throws when an installed package is not the version that the files were built from. */
function stampKey(files: EmojiFgvrFiles, edition: Edition): string {
  const hash = createHash("sha256").update(rendererVersion());
  for (const [name, version] of Object.entries(files.packages)) {
    const installed = packageVersion(name);
    if (installed !== version)
      throw new Error(
        `package ${name} is ${installed}, data/${edition}/splits.json was built from ${version}: run \`npm ci\``,
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

async function draw(edition: Edition, onProgress?: (done: number, total: number) => void): Promise<number> {
  const files = readEmojiFgvr(dataFolder(edition));
  const key = stampKey(files, edition);
  const stampFile = path.join(cacheFolder(edition), "stamp.json");
  const current = readStamp(stampFile) === key;
  const jobs = files.concepts
    .flatMap((c) =>
      Object.entries(c.drawings).map(([style, icon]) => ({ style, icon, file: drawingFile(style, c.id, edition) })),
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

const running = new Map<Edition, Promise<number>>();

/**
 * Makes sure that every drawing is in the cache (under a minute the first time, milliseconds after that). Returns how
 * many were drawn. An interrupted call leaves whole files only, and the next call finishes the work.
 */
export function ensureDrawings(
  edition: Edition = "emoji-fgvr",
  onProgress?: (done: number, total: number) => void,
): Promise<number> {
  const started = running.get(edition) ?? draw(edition, onProgress).finally(() => running.delete(edition));
  running.set(edition, started);
  return started;
}
