/** From a benchmark's name to the benchmark: `emoji-fgvr`, one or several image sets joined by `+`, or a folder. */
import { existsSync } from "node:fs";
import type { OnBadRow } from "../util/lines";
import { emojiBenchmark, ensureDrawings, loadEmojiFgvr } from "./emoji-fgvr";
import { emojiKnowledge } from "./emoji-fgvr/knowledge";
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
    if (part === "emoji-fgvr") parts.push(await openEmoji());
    else parts.push(photographBenchmark(openImageSet(part, { setsFolder, onBadRow }), options));
  }
  const opened = mixture(parts);
  assertDisjointRoles(opened);
  return opened;
}

async function openEmoji(): Promise<Benchmark> {
  await ensureDrawings();
  const data = loadEmojiFgvr();
  return emojiBenchmark(data, await emojiKnowledge(data));
}
