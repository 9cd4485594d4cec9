/**
 * Where a training's logged steps go while it runs: TensorBoard always, Weights & Biases' offline format when asked.
 */
import { createHash } from "node:crypto";
import * as path from "node:path";
import { openEventFile, type ScalarSink } from "./event-file";
import { openWandbFile } from "./wandb-file";

/** What a log is told of its training. */
export interface ScalarLogOptions {
  /** The run's folder: files go to `tensorboard/<stage>` and `wandb` in it. */
  folder: string;
  stage: string;
  /** Name of the run, and of the training within it. */
  run: string;
  name: string;
  config: Readonly<Record<string, unknown>>;
  /** `FINE_R1_WANDB` by default: `offline`, or nothing. */
  wandb?: string;
  /** Seconds since 1970; the clock by default. */
  now?: () => number;
}

/** The numbers of a logged row: what is null, not finite or no number is left out, and so is the step itself. */
export function scalarsOf(row: object): Record<string, number> {
  return Object.fromEntries(
    Object.entries(row).filter(
      ([name, value]) => name !== "step" && typeof value === "number" && Number.isFinite(value),
    ),
  );
}

/**
 * Runs `train`, which gives each logged row to `write`; rows reach the files at once. The files are opened with the
 * first row, so that a training that is refused before it leaves nothing, and closed however it ends.
 * @throws Error as `train` does, or where `FINE_R1_WANDB` is neither `offline` nor empty
 */
export async function withScalarLog<Row extends { step: number }, R>(
  options: ScalarLogOptions,
  train: (write: (row: Row) => void) => Promise<R>,
): Promise<R> {
  const {
    folder,
    stage,
    run,
    name,
    config,
    wandb = process.env.FINE_R1_WANDB ?? "",
    now = () => Date.now() / 1000,
  } = options;
  if (wandb !== "" && wandb !== "offline")
    throw new Error(`FINE_R1_WANDB is ${JSON.stringify(wandb)}: expected offline, or nothing`);
  const begun = now();
  let sinks: ScalarSink[] | null = null;
  const open = (): ScalarSink[] => {
    if (sinks !== null) return sinks;
    sinks = [openEventFile(path.join(folder, "tensorboard", stage), begun)];
    if (wandb === "offline") {
      const id = createHash("sha256").update(`${run}\0${name}\0${begun}`).digest("hex").slice(0, 8);
      sinks.push(
        openWandbFile(path.join(folder, "wandb"), { id, project: "fine-r1", group: run, name, config }, begun),
      );
    }
    return sinks;
  };
  let ok = false;
  try {
    const result = await train((row) => open().forEach((sink) => sink.step(row.step, scalarsOf(row), now())));
    ok = true;
    return result;
  } finally {
    for (const sink of (sinks as ScalarSink[] | null) ?? []) sink.close(ok, now());
  }
}
