/**
 * A run that is saved as it goes: what is trained, the optimizer's state and the log, so that a run that was killed
 * goes on and ends as it would have. Draws depend on the step (`foldIn`), so nothing else is needed but how many
 * prompts were drawn.
 */
import { existsSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import type { AdamWState } from "../engine/optimizer";
import { tf, type Params } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import { readJson } from "../util/files";
import { replaceDirectory } from "../model/directory";
import { readSafetensors, writeSafetensors } from "../model/safetensors";

/** Where and how often a run is saved. */
export interface Checkpointing {
  /** Replaced as a whole each time. */
  folder: string;
  everySteps: number;
  /** Hash of all that the run depends on: a folder of another run is refused. */
  identity: string;
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

const MARKER = "trainer_state.json";
const FILES = {
  params: "params.safetensors",
  m: "first-moments.safetensors",
  v: "second-moments.safetensors",
} as const;

/**
 * Saves after each `everySteps` steps (0: never), but not after the last; `now` saves whenever there is something to go
 * on from. Nothing where `checkpointing` is undefined.
 */
export function saveTrainingState<Log>(
  checkpointing: Checkpointing | undefined,
  { params, state, log, drawn = 0 }: TrainingState<Log>,
  { steps, now = false }: { steps: number; now?: boolean },
): void {
  if (!checkpointing || log.length === steps || log.length === 0) return;
  const isDue = checkpointing.everySteps > 0 && log.length % checkpointing.everySteps === 0;
  if (!isDue && !now) return;
  const { folder, identity } = checkpointing;
  const trained = Object.keys(state.m);
  replaceDirectory(folder, MARKER, "checkpoint of a training run", (temporary) => {
    writeSafetensors(
      path.join(temporary, FILES.params),
      Object.fromEntries(trained.map((name) => [name, params[name]])),
    );
    writeSafetensors(path.join(temporary, FILES.m), state.m);
    writeSafetensors(path.join(temporary, FILES.v), state.v);
    writeFileSync(
      path.join(temporary, MARKER),
      `${JSON.stringify({ identity, global_step: log.length, optimizer_step: state.step.dataSync()[0], prompts_drawn: drawn, log_history: log }, null, 1)}\n`,
    );
  });
}

/**
 * What was saved, or null where nothing was; the caller disposes parameters and state. Parameters that are not trained
 * are those of `initial`.
 * @throws Error where the folder holds another run, or tensors that do not fit `initial`
 */
export function loadTrainingState<Log>(
  checkpointing: Checkpointing | undefined,
  initial: Params,
): Required<TrainingState<Log>> | null {
  const file = checkpointing && path.join(checkpointing.folder, MARKER);
  if (!file || !existsSync(file)) return null;
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
      `${file}: optimizer_step, log_history or prompts_drawn is missing; remove the folder to begin anew`,
    );
  const read: Params[] = [];
  try {
    for (const name of [FILES.params, FILES.m, FILES.v]) {
      const from = path.join(checkpointing.folder, name);
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
  const params = Object.fromEntries(
    Object.entries(initial).map(([name, tensor]) => [name, trained[name] ?? tensor.clone()]),
  );
  return { params, state: { step: tf.scalar(step), m, v }, log: log as Log[], drawn: drawn as number };
}
