/**
 * Whether memory stays flat: 500 training steps of the small decoder, the resident set after each. Part of
 * `npm run bench -- --growth`.
 */
import * as path from "node:path";
import { writeText } from "../../lib/util/files";
import { median } from "./driver";
import { BenchProcess } from "./process";
import type { Machine } from "./types";

export const memoryFile = path.join(__dirname, "memory.json");

/** What was measured, megabytes; `drift` is the median of the last tenth over that of the second, minus 1. */
export interface MemoryRun {
  case: string;
  variant: string;
  steps: number;
  /** After every tenth of the run. */
  resident_mb: number[];
  drift: number;
  machine: Machine;
  inputs: string;
}

const STEPS = 500;

export async function measureMemory(around: { machine: Machine; inputs: string }): Promise<MemoryRun> {
  const side = { case: "train-step", variant: "f32,steps=1,b=8" };
  const { process } = await BenchProcess.start(side);
  const resident: number[] = [];
  while (resident.length < STEPS) resident.push((await process.run()).residentBytes! / 2 ** 20);
  await process.stop();
  const tenth = (i: number): number => Math.round(median(resident.slice((i * STEPS) / 10, ((i + 1) * STEPS) / 10)));
  const resident_mb = Array.from({ length: 10 }, (_, i) => tenth(i));
  return { ...side, steps: STEPS, resident_mb, drift: resident_mb[9] / resident_mb[1] - 1, ...around };
}

export function writeMemory(run: MemoryRun): void {
  writeText(memoryFile, `${JSON.stringify({ ...run, drift: Number(run.drift.toFixed(4)) }, null, 1)}\n`);
}
