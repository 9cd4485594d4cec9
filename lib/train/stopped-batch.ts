/**
 * What a training does about updates whose gradient norm is not finite: each is skipped (nothing changes) and counted;
 * after a few steps in a row the training stops and leaves the batch in a file, which `fine-r1 replay` runs again.
 */
import * as path from "node:path";
import type { Group } from "../rollout/groups";
import { readJsonObject, writeText } from "../util/files";
import type { PlannedStep } from "./sft-plan";
import type { Checkpointing } from "./training-state";

/** Steps in a row without a finite gradient norm, after which a training stops. */
export const MOST_SKIPPED = 3;

/** What of a logged step says whether it had an update. */
export interface Skips {
  /** Updates skipped for a gradient norm that is not finite. */
  skipped: number;
  /** Mean over the step's other updates; null where there was none. */
  gradNorm: number | null;
}

/** A number as it is logged: JSON has no others. */
export const finiteOrNull = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** Whether the last steps were all skipped; of a training with fewer steps, all of them. */
export function isStuck(log: readonly Skips[], steps: number): boolean {
  const most = Math.min(MOST_SKIPPED, steps);
  return log.length >= most && log.slice(-most).every(({ skipped, gradNorm }) => skipped > 0 && gradNorm === null);
}

/** The batch of the step that a training stopped at, with what a replay needs besides. */
export type StoppedBatch = {
  /** From 1. */
  step: number;
  learningRate: number;
  /** Seed of the run, from which the step's draws follow. */
  seed: number;
  bf16: boolean;
} & (
  | { stage: "sft"; batch: PlannedStep }
  /** Groups of each update, as they were sampled. */
  | { stage: "rl"; contrast: boolean; updates: Group[][]; /** Pre-training rows of each. */ replay: PlannedStep[] }
);

/** A stopped batch as it was saved: parameters and moments are in the checkpoint of its step, in the same folder. */
export type SavedBatch = StoppedBatch & { identity: string; facts: Record<string, unknown> };

const FILE = "stopped-batch.json";

/** JSON has no such numbers: they are what the file is about. */
const keepNumbers = (_: string, value: unknown): unknown =>
  typeof value === "number" && !Number.isFinite(value) ? { number: String(value) } : value;
const backToNumbers = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(backToNumbers);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  if (entries.length === 1 && entries[0][0] === "number" && typeof entries[0][1] === "string")
    return Number(entries[0][1]);
  return Object.fromEntries(entries.map(([name, of]) => [name, backToNumbers(of)]));
};

/** Where a training's batch is saved; null where it is saved nowhere. */
export const stoppedBatchFile = (checkpointing: Checkpointing | undefined): string | null =>
  checkpointing ? path.join(checkpointing.folder, FILE) : null;

/** Saves a batch beside a training's checkpoints. @returns the file; null where the training is saved nowhere */
export function saveStoppedBatch(checkpointing: Checkpointing | undefined, batch: StoppedBatch): string | null {
  const file = stoppedBatchFile(checkpointing);
  if (!checkpointing || file === null) return null;
  const { identity, facts = {} } = checkpointing;
  const saved: SavedBatch = { ...batch, identity, facts };
  writeText(file, `${JSON.stringify(saved, keepNumbers)}\n`);
  return file;
}

/** Reads what `saveStoppedBatch` wrote. @throws Error naming the file and what is missing */
export function readStoppedBatch(file: string): SavedBatch {
  const saved = backToNumbers(readJsonObject(file)) as Partial<SavedBatch>;
  const hasBatch =
    saved.stage === "sft" ? "batch" in saved : saved.stage === "rl" && "updates" in saved && "replay" in saved;
  if (!hasBatch || !Number.isInteger(saved.step) || typeof saved.identity !== "string" || !saved.facts)
    throw new Error(
      `${file}: no batch of a training that stopped (stage, step, identity, facts and the rows expected)`,
    );
  return saved as SavedBatch;
}

/**
 * The error that ends such a training.
 * @param advice what may help, in words
 */
export function stuckError(stage: string, step: number, file: string | null, advice: string): Error {
  const saved = file
    ? `; the batch is in ${file}: \`fine-r1 replay ${file}\` runs it again and says which row and term is not finite`
    : "";
  return new Error(
    `${stage}: no gradient norm was finite in the last ${Math.min(MOST_SKIPPED, step)} steps, up to step ${step}, and their updates were skipped; ${advice}${saved}`,
  );
}
