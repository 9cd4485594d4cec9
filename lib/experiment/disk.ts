/** Room on the disk for what a training will write, asked for before it starts. */
import type { ParameterCounts } from "../model/memory-plan";
import type { SftSettings } from "../train/settings";
import { freeBytes, gib } from "../util/room";

/** Settings of a stage that say what is saved. */
export type Saving = Pick<SftSettings, "saveSteps" | "saveTotalLimit" | "visionLearningRateScale">;

/** Bytes of a float32. */
const FLOAT = 4;
/** Parameters, first and second moments. */
const TENSORS = 3;
/** Logs, cards, headers and saved groups beside the weights, bytes. */
const SMALL_FILES = 2 ** 24;

/** Bytes that a training has on the disk at most at one time. */
export interface DiskPlan {
  checkpoints: number;
  /** Of each. */
  checkpointBytes: number;
  resultBytes: number;
  bytes: number;
}

/**
 * Counts what is written.
 * @param mergedBytes of a merged model that is saved beside its adapter; 0 for none
 */
export function diskPlan(counts: ParameterCounts, saving: Saving, mergedBytes = 0): DiskPlan {
  const checkpointBytes = TENSORS * FLOAT * counts.trained;
  // the latest ones, the best one, and the one that is being written
  const checkpoints = saving.saveSteps > 0 ? saving.saveTotalLimit + 2 : 0;
  const resultBytes = FLOAT * (counts.adapter > 0 ? counts.adapter : counts.model) + mergedBytes;
  const bytes = checkpoints * checkpointBytes + resultBytes + SMALL_FILES;
  return { checkpoints, checkpointBytes, resultBytes, bytes };
}

/** @throws Error with the numbers where `folder` has less room than the plan needs */
export function assertRoom(folder: string, plan: DiskPlan, there = freeBytes(folder)): void {
  if (plan.bytes <= there) return;
  throw new Error(
    `${folder}: ${gib(plan.bytes)} are needed on this disk, ${gib(there)} are free: ${plan.checkpoints} checkpoints of ${gib(plan.checkpointBytes)} ` +
      `(parameters and the optimizer's moments) and ${gib(plan.resultBytes)} for the result. Make room, keep fewer (saveTotalLimit, saveSteps=0 for none), or train an adapter (lora.rank)`,
  );
}
