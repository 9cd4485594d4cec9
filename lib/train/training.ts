/** What both stages' trainings share: taken up where they were left, saved when aborted, freed where they end early. */
import type { AdamWState } from "../engine/optimizer";
import type { Params } from "../engine/tensorflow";
import { disposeTree, mapParams } from "../engine/tree";
import {
  lastStep,
  loadTrainingState,
  saveTrainingState,
  type Checkpointing,
  type SavingOptions,
  type TrainingState,
} from "./training-state";

/** A training after some steps; its loop puts new values in place. */
export interface Held<Log> extends Required<TrainingState<Log>> {
  /** False from a step's first update to its entry in the log: such parameters are of no step. */
  isWhole: boolean;
}

/** What a run is told besides what it trains on. */
export interface TrainingRun {
  /** Where the run is saved as it goes, and taken up again; default nowhere. */
  checkpointing?: Checkpointing;
  /** The initial parameters are used up, an error included: no copy of them is kept beside the trained ones. */
  donateInitial?: boolean;
  /** Stops after the step under way; a checkpoint of the last finished one is written where `checkpointing` says so. */
  signal?: AbortSignal;
}

/** A training that is ready to begin. */
export interface PlannedTraining<Log> extends Required<Pick<SavingOptions<Log>, "steps" | "score">> {
  /** Moments at the beginning. */
  fresh: (params: Params) => AdamWState;
  /** Takes every step that `held` has not; `save` saves it where it is time, or `now`. */
  loop: (held: Held<Log>, save: (now?: boolean) => void) => Promise<void>;
}

function takenUp<Log>(
  initial: Params,
  { checkpointing, donateInitial = false }: TrainingRun,
  fresh: (params: Params) => AdamWState,
): Held<Log> {
  const saved = loadTrainingState<Log>(checkpointing, initial);
  if (saved) {
    if (donateInitial) disposeTree(initial);
    return { ...saved, isWhole: true };
  }
  const params = donateInitial ? initial : mapParams(initial, (p) => p.clone());
  return { params, state: fresh(params), log: [], drawn: 0, isWhole: true };
}

/**
 * Trains a copy of `initial`; the result belongs to the caller, `initial` stays as it is (but for `donateInitial`).
 * Where it throws nothing stays in memory; where the signal was aborted by then, the last finished step is saved.
 * @param plan checks what the run is told; its errors are thrown before anything is made
 * @throws Error as `plan`, its loop and `loadTrainingState` do
 */
export async function runTraining<Log>(
  initial: Params,
  run: TrainingRun,
  plan: () => PlannedTraining<Log>,
): Promise<{ params: Params; log: Log[] }> {
  const { checkpointing, donateInitial, signal } = run;
  let held: Held<Log> | null = null;
  try {
    const { steps, score, fresh, loop } = plan();
    const now = (held = takenUp<Log>(initial, run, fresh));
    const save = (due = false): void => saveTrainingState(checkpointing, now, { steps, now: due, score });
    try {
      await loop(now, save);
    } catch (error) {
      if (signal?.aborted && now.isWhole && now.log.length > lastStep(checkpointing)) save(true);
      throw error;
    }
    disposeTree(now.state);
    return { params: now.params, log: now.log };
  } catch (error) {
    if (held) disposeTree(held.params, held.state);
    if (donateInitial) disposeTree(initial);
    throw error;
  }
}
