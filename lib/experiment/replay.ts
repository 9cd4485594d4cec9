/** `fine-r1 replay FILE`: the batch of a training that stopped, run again under that training's settings. */
import * as path from "node:path";
import { disposeTree } from "../engine/tree";
import { METHODS } from "../train/methods";
import { replayRl, replaySft, type Replay } from "../train/replay";
import { readStoppedBatch, type SavedBatch } from "../train/stopped-batch";
import { loadTrainingState } from "../train/training-state";
import { cotData } from "./cot";
import { startOfTraining } from "./models";
import { rlBench, startingPolicy, withoutDropout } from "./rl";
import { settingsFromJson } from "./load-settings";
import type { Settings } from "./settings";
import { sftBench } from "./sft";
import type { Experiment } from "./types";

/** A saved batch with the settings of its training. */
export interface OpenedBatch {
  file: string;
  saved: SavedBatch;
  method: string;
  settings: Settings;
}

/** Reads a batch that a training left. @throws Error naming the file and what is wrong with it */
export function openStoppedBatch(file: string): OpenedBatch {
  const saved = readStoppedBatch(file);
  const { method, settings } = saved.facts;
  if (typeof method !== "string" || !Object.hasOwn(METHODS, method))
    throw new Error(
      `${file}: facts.method is ${JSON.stringify(method)}; expected one of ${Object.keys(METHODS).join(", ")}`,
    );
  return { file, saved, method, settings: settingsFromJson(settings, `${file}: facts.settings`) };
}

/**
 * Runs it again and throws the update away. Parameters and moments are those of the checkpoint of its step, beside it.
 * @throws Error where the checkpoint is gone, or a file that the training read
 */
export async function replayStopped({ file, saved, method }: OpenedBatch, experiment: Experiment): Promise<Replay> {
  const { settings } = experiment;
  const checkpointing = { folder: path.dirname(path.resolve(file)), everySteps: 0, identity: saved.identity };
  const initial =
    saved.stage === "sft" ? startOfTraining(experiment) : withoutDropout(await startingPolicy(experiment, {}));
  try {
    const before = loadTrainingState(checkpointing, initial);
    if (before === null) throw new Error(`${file}: no checkpoint is beside it, which holds the parameters of its step`);
    try {
      return saved.stage === "sft"
        ? await replaySft(before, (await sftBench(experiment, await cotData(experiment))).bench, settings.sft, saved)
        : await replayRl(before, (await rlBench(experiment)).bench, settings.rl, saved);
    } finally {
      disposeTree(before.params, before.state);
    }
  } catch (error) {
    throw new Error(`replay of ${method}, step ${saved.step}: ${(error as Error).message}`, { cause: error });
  } finally {
    disposeTree(initial);
  }
}
