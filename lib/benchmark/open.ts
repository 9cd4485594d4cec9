/** From a benchmark's name to the benchmark: drawings (`drawn.ts`), image sets joined by `+`, or a folder. */
import { existsSync } from "node:fs";
import type { OnBadRow } from "../util/lines";
import { DRAWN, type DrawnBenchmark } from "./drawn";
import { emojiBenchmark, ensureDrawings, loadEmojiFgvr } from "./emoji-fgvr";
import { emojiKnowledge } from "./emoji-fgvr/knowledge";
import { mixture } from "./mixture";
import { openImageSet } from "./photographs";
import { photographBenchmark, type PhotographOptions } from "./photographs/as-benchmark";
import { assertDisjointRoles } from "./roles";
import type { Benchmark } from "./types";

/** What to open. */
export interface BenchmarkRequest extends PhotographOptions {
  /** `emoji-fgvr`, `emoji-study-dev`, …; `aircraft`, `pet`, `grocery`, … joined by `+`; or a folder of images. */
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

async function openDrawn(drawn: DrawnBenchmark): Promise<Benchmark> {
  await ensureDrawings(drawn.edition);
  const data = loadEmojiFgvr(drawn);
  return emojiBenchmark(data, await emojiKnowledge(data));
}
