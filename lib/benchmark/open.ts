/** From a benchmark's name to the benchmark: `emoji-fgvr`, one or several image sets joined by `+`, or a folder. */
import { existsSync } from "node:fs";
import type { OnBadRow } from "../util/lines";
import { emojiBenchmark, ensureDrawings, loadEmojiFgvr } from "./emoji-fgvr";
import { emojiKnowledge } from "./emoji-fgvr/knowledge";
import type { Edition } from "./emoji-fgvr/paths";
import { mixture } from "./mixture";
import { openImageSet } from "./photographs";
import { photographBenchmark, type PhotographOptions } from "./photographs/as-benchmark";
import { assertDisjointRoles } from "./roles";
import type { Benchmark } from "./types";

/** What to open. */
export interface BenchmarkRequest extends PhotographOptions {
  /** `emoji-fgvr`; `aircraft`, `pet`, `grocery`, … joined by `+`; or a folder of images. */
  benchmark: string;
  /** Folder of all image sets; default `data/sets`. */
  sets?: string;
  /** `stop` (default): a bad row of an annotation file is an error. */
  onBadRow?: OnBadRow;
}

/** Opens one benchmark. @throws Error naming what is missing, and where to get it */
export async function openBenchmark(request: BenchmarkRequest): Promise<Benchmark> {
  const { benchmark: name, sets: setsFolder, onBadRow, ...options } = request;
  const names = existsSync(name) ? [name] : name.split("+"); // a folder's name may hold a plus sign
  const parts: Benchmark[] = [];
  for (const part of names) {
    const drawn = DRAWN.get(part);
    if (drawn) parts.push(await openDrawn(drawn));
    else parts.push(photographBenchmark(openImageSet(part, { setsFolder, onBadRow }), options));
  }
  const opened = mixture(parts);
  assertDisjointRoles(opened);
  return opened;
}

/** Benchmarks of drawings: one in which every test designer is new, and the study's, by domains. */
const DRAWN: ReadonlyMap<string, { edition: Edition; only?: string }> = new Map([
  ["emoji-fgvr", { edition: "emoji-fgvr" }],
  ["emoji-study-dev", { edition: "emoji-study", only: "dev" }],
  ["emoji-study-test", { edition: "emoji-study", only: "test" }],
]);

/** Whether a benchmark's name stands for drawings, which are equal squares. */
export const isDrawn = (name: string): boolean => DRAWN.has(name);

async function openDrawn(drawn: { edition: Edition; only?: string }): Promise<Benchmark> {
  await ensureDrawings(drawn.edition);
  const data = loadEmojiFgvr(drawn);
  return emojiBenchmark(data, await emojiKnowledge(data));
}
