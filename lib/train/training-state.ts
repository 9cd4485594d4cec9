/**
 * A run that is saved as it goes: what is trained, the optimizer's state and the log, so that a run that was killed
 * goes on and ends as it would have. Draws and learning rates depend on the seed and the step (`foldIn`), so nothing
 * else is needed but how many prompts were drawn. With rollouts elsewhere and `rl.pushEvery` above 1 it ends otherwise:
 * the weights that sampled are not kept, so a run that goes on pushes its own at once.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import * as path from "node:path";
import type { AdamWState } from "../engine/optimizer";
import { tf, type Params } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import { readJson, writeText } from "../util/files";
import { replaceDirectory } from "../model/directory";
import { readSafetensors, writeSafetensors } from "../model/safetensors";

/** Where and how often a run is saved. */
export interface Checkpointing {
  /** Holds a folder `checkpoint-<step>` for each that is kept. */
  folder: string;
  everySteps: number;
  /** How many of the latest are kept, at least 1 (the default); the best is kept besides. */
  keep?: number;
  /** Hash of all that the run depends on: a folder of another run is refused. */
  identity: string;
  /** What the run was told (method, settings), as JSON, written into each checkpoint. */
  facts?: Readonly<Record<string, unknown>>;
  /** Called before each checkpoint is written; throws where the folder is another process's by now. */
  beforeWriting?: () => void;
}

/** A run after some steps. */
export interface TrainingState<Log> {
  params: Params;
  state: AdamWState;
  /** One entry a step. */
  log: Log[];
  /** Prompts drawn so far (RL). */
  drawn?: number;
}

/** When a run is saved. */
export interface SavingOptions<Log> {
  /** Of the whole run: after the last, nothing is saved. */
  steps: number;
  /** Saves whether or not it is time, after the last step too. */
  now?: boolean;
  /** How good a step was, the higher the better; the best checkpoint is kept. Null: it does not count. */
  score?: (log: Log) => number | null;
}

const MARKER = "trainer_state.json";
const FILES = {
  params: "params.safetensors",
  m: "first-moments.safetensors",
  v: "second-moments.safetensors",
} as const;
const NAME = /^checkpoint-(\d+)$/;

/** Where the checkpoint after a step is. */
export const checkpointFolder = (folder: string, step: number): string => path.join(folder, `checkpoint-${step}`);

/** Steps after which there are checkpoints, in order; what is half-written does not count. */
export function checkpointSteps(folder: string): number[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .flatMap((name) => NAME.exec(name)?.[1] ?? [])
    .filter((step) => existsSync(path.join(folder, `checkpoint-${step}`, MARKER)))
    .map(Number)
    .sort((a, b) => a - b);
}

/** The step that a run goes on after; 0 where it begins. */
export function lastStep(checkpointing: Checkpointing | undefined): number {
  return (checkpointing && checkpointSteps(checkpointing.folder).at(-1)) ?? 0;
}

/** Removes checkpoints but the latest and the best, and what killed processes left half-written. */
function removeOld<Log>(
  { folder, keep = 1 }: Checkpointing,
  log: readonly Log[],
  score?: (log: Log) => number | null,
): void {
  const steps = checkpointSteps(folder);
  const scoreOf = (step: number): number => (score && step <= log.length ? score(log[step - 1]) : null) ?? -Infinity;
  const best = Math.max(...steps.map(scoreOf));
  const kept = new Set(steps.slice(-Math.max(1, keep)));
  const bestStep = steps.findLast((step) => best > -Infinity && scoreOf(step) === best);
  if (bestStep !== undefined) kept.add(bestStep);
  for (const name of readdirSync(folder)) {
    const step = NAME.exec(name)?.[1];
    const isOld = step !== undefined && !kept.has(Number(step));
    if (isOld || /^checkpoint-\d+\.\d+\.(tmp|old)$/.test(name))
      rmSync(path.join(folder, name), { recursive: true, force: true });
  }
}

/**
 * Saves after each `everySteps` steps (0: never), but not after the last; `now` saves whenever there is something to go
 * on from. Nothing where `checkpointing` is undefined.
 * @throws Error where the checkpoint cannot be written, with its path and the one that stays, and as `beforeWriting`
 * does
 */
export function saveTrainingState<Log>(
  checkpointing: Checkpointing | undefined,
  { params, state, log, drawn = 0 }: TrainingState<Log>,
  { steps, now = false, score }: SavingOptions<Log>,
): void {
  if (!checkpointing || log.length === 0) return;
  const isDue = checkpointing.everySteps > 0 && log.length % checkpointing.everySteps === 0 && log.length < steps;
  if (!isDue && !now) return;
  const { folder, identity, facts = {} } = checkpointing;
  checkpointing.beforeWriting?.();
  const trained = Object.keys(state.m);
  const before = lastStep(checkpointing);
  try {
    replaceDirectory(checkpointFolder(folder, log.length), MARKER, "checkpoint of a training run", (temporary) => {
      writeSafetensors(
        path.join(temporary, FILES.params),
        Object.fromEntries(trained.map((name) => [name, params[name]])),
      );
      writeSafetensors(path.join(temporary, FILES.m), state.m);
      writeSafetensors(path.join(temporary, FILES.v), state.v);
      const marker = {
        identity,
        ...facts,
        global_step: log.length,
        optimizer_step: state.step.dataSync()[0],
        prompts_drawn: drawn,
        log_history: log,
      };
      writeText(path.join(temporary, MARKER), `${JSON.stringify(marker, null, 1)}\n`);
    });
  } catch (error) {
    const stays =
      before > 0 ? `the checkpoint after step ${before} stays, and the run goes on from it` : "there was none before";
    throw new Error(`the checkpoint after step ${log.length} was not saved: ${(error as Error).message}; ${stays}`, {
      cause: error,
    });
  }
  removeOld(checkpointing, log, score);
}

/**
 * The latest that was saved, or null where nothing was; the caller disposes parameters and state. Parameters that are
 * not trained are those of `initial`.
 * @throws Error where the folder holds another run, or tensors that do not fit `initial`
 */
export function loadTrainingState<Log>(
  checkpointing: Checkpointing | undefined,
  initial: Params,
): Required<TrainingState<Log>> | null {
  const last = lastStep(checkpointing);
  if (!checkpointing || last === 0) return null;
  const folder = checkpointFolder(checkpointing.folder, last);
  const file = path.join(folder, MARKER);
  const {
    identity,
    optimizer_step: step,
    prompts_drawn: drawn,
    log_history: log,
  } = readJson(file) as {
    identity?: unknown;
    optimizer_step?: unknown;
    prompts_drawn?: unknown;
    log_history?: unknown;
  };
  if (identity !== checkpointing.identity)
    throw new Error(
      `${checkpointing.folder}: holds a run of other settings, data, model or code; remove it, or train to another folder`,
    );
  if (typeof step !== "number" || !Array.isArray(log) || !Number.isInteger(drawn))
    throw new Error(
      `${file}: optimizer_step, log_history or prompts_drawn is missing; remove ${folder} to go on from the checkpoint before it`,
    );
  const { trained, m, v } = readTrained(folder, initial);
  const params = Object.fromEntries(
    Object.entries(initial).map(([name, tensor]) => [name, trained[name] ?? tensor.clone()]),
  );
  return { params, state: { step: tf.scalar(step), m, v }, log: log as Log[], drawn: drawn as number };
}

/** What was trained, with its moments. @throws Error naming the file and tensor that does not fit `initial` */
function readTrained(folder: string, initial: Params): { trained: Params; m: Params; v: Params } {
  const read: Params[] = [];
  try {
    for (const name of [FILES.params, FILES.m, FILES.v]) {
      const from = path.join(folder, name);
      const { params } = readSafetensors(from);
      read.push(params);
      for (const [key, tensor] of Object.entries(params)) {
        if (initial[key]?.shape.join() !== tensor.shape.join())
          throw new Error(
            `${from}: tensor ${key} [${tensor.shape.join(", ")}] does not fit the model's [${initial[key]?.shape.join(", ") ?? "none"}]`,
          );
      }
      const missing = Object.keys(read[0]).find((key) => !(key in params));
      if (missing !== undefined) throw new Error(`${from}: tensor ${missing} is missing`);
    }
  } catch (error) {
    disposeTree(read);
    throw error;
  }
  const [trained, m, v] = read;
  return { trained, m, v };
}
