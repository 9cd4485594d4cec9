/**
 * The one way to load or make: a stage's result is taken from disk where one of its identity is there, and made, saved
 * and stamped otherwise.
 */
import { existsSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import * as path from "node:path";
import { makeFolder } from "../util/durable";
import { writeText } from "../util/files";
import type { Benchmark } from "../benchmark/types";
import type { StepMetrics } from "../report/live-curves";
import { acquireLock, removeDeadLock } from "../util/lock";
import { stageIdentity, type StageIdentity } from "./identity";
import { runFolder } from "./run";
import { runName } from "./run-name";
import type { Settings } from "./settings";

/** Called with progress of a stage: done of total, and a short note. */
export type OnProgress = (done: number, total: number, note: string) => void | Promise<void>;

/** How a long call is watched and stopped. */
export interface Watch {
  onProgress?: OnProgress;
  /** Hears what each step of a training logged; when it goes on from a checkpoint, those before at once. */
  onMetrics?: (step: number, metrics: StepMetrics) => void;
  /** Stops the call after the step under way; what is saved stays, and the same call goes on from there. */
  signal?: AbortSignal;
}

/** What a stage needs of an experiment. */
export interface StageHome {
  settings: Settings;
  benchmark: Benchmark;
  bf16: boolean;
  /** Absolute: the run's. */
  folder: string;
  /** Folders of other runs, whose results are taken where they have the identity asked for. */
  sources?: readonly string[];
}

/** One step of an experiment. */
export interface Stage<T> {
  name: string;
  /** What is stamped: a file or folder below the run's. */
  target: string;
  /** Groups of settings that it reads. */
  settings: readonly (keyof Settings)[];
  /** What else it depends on, as JSON. */
  inputs?: unknown;
  /** Reads a result. @param folder of the run that has it */
  load(folder: string): T | Promise<T>;
  /**
   * Makes and saves it in the experiment's own folder. It calls `beforeSaving` before the first write to the target, so
   * that a process that ends half-way through leaves no stamp of the old result at the new one. `checkHeld` throws
   * where another process has taken the lock over: it is for what is written on the way, as checkpoints are.
   */
  make(identity: string, beforeSaving: () => void, checkHeld: () => void): Promise<T>;
  /** Removes what a making under way was saved in, once the result has its stamp: a kill before that loses nothing. */
  cleanUp?(identity: string): void;
}

const stampFile = (target: string): string => `${target}.stamp`;

/** What a target was made from; null where it has no stamp. */
function stampOf(target: string): StageIdentity | null {
  if (!existsSync(target) || !existsSync(stampFile(target))) return null;
  const [whole, asked = ""] = readFileSync(stampFile(target), "utf8").split(" ");
  return { whole, asked };
}

/** Whether a target of this identity is there. */
export function isFresh(target: string, identity: string): boolean {
  return stampOf(target)?.whole === identity;
}

function hashesOf<T>({ settings, benchmark, bf16 }: StageHome, stage: Stage<T>): StageIdentity {
  const source = { settings, data: benchmark.fingerprint, bf16 };
  return stageIdentity(source, { stage: stage.name, parts: stage.settings, inputs: stage.inputs });
}

/** Identity of a stage in an experiment. */
export function identityOf<T>(home: StageHome, stage: Stage<T>): string {
  return hashesOf(home, stage).whole;
}

/**
 * A run that somebody named keeps its results: other settings, data or model make no others in their place. Those of an
 * earlier code are made anew.
 * @throws Error naming the target
 */
function refuseReplacing({ settings, folder }: StageHome, target: string, asked: string): void {
  const before = stampOf(target);
  const isNamed = folder === runFolder(settings) && settings.run !== runName(settings);
  if (!isNamed || before === null || before.asked === "" || before.asked === asked) return;
  throw new Error(
    `${path.relative(path.dirname(folder), target)} is there already, made with other settings, data or model (${path.join(settings.run, "settings.json")} has them); ` +
      "choose another name for the run, leave the name out (settings name it), or remove the folder",
  );
}

/** Removes folders that were made for a target and are empty. */
function removeEmpty(folder: string, target: string): void {
  for (const one of [path.dirname(target), folder]) {
    try {
      rmdirSync(one);
    } catch {
      return; // it holds something
    }
  }
}

/** The settings of a run and which sub-categories it takes as seen, written beside its results. */
function writeFacts({ settings, benchmark, folder }: StageHome): void {
  writeText(path.join(folder, "settings.json"), `${JSON.stringify(settings, null, 1)}\n`);
  const names = (split: "seen" | "unseen"): string[] => benchmark.subcategories({ split }).map(({ id }) => id);
  const split = {
    benchmark: benchmark.name,
    source: benchmark.splitSource,
    seen: names("seen"),
    unseen: names("unseen"),
  };
  writeText(path.join(folder, "split.json"), `${JSON.stringify(split, null, 1)}\n`);
}

/**
 * Loads a stage's result, or makes it. Two processes do not make the same target at once.
 * @throws Error as `make` does, or where another has taken the lock over meanwhile; what was there before stays
 */
export async function runStage<T>(home: StageHome, stage: Stage<T>): Promise<T> {
  const { whole: identity, asked } = hashesOf(home, stage);
  const fresh = (): string | undefined =>
    [home.folder, ...(home.sources ?? [])].find((folder) => isFresh(path.join(folder, stage.target), identity));
  const found = fresh();
  if (found === home.folder) {
    // a process that was killed after the stamp
    stage.cleanUp?.(identity);
    removeDeadLock(path.join(found, stage.target));
  }
  if (found !== undefined) return stage.load(found);
  const target = path.join(home.folder, stage.target);
  refuseReplacing(home, target, asked);
  makeFolder(path.dirname(target));
  const lock = acquireLock(target);
  try {
    const meanwhile = fresh(); // another process may have made it before this one had the lock
    if (meanwhile !== undefined) return await stage.load(meanwhile);
    const beforeSaving = (): void => {
      lock.check();
      rmSync(stampFile(target), { force: true });
    };
    const made = await stage.make(identity, beforeSaving, () => lock.check());
    lock.check();
    writeFacts(home);
    writeText(stampFile(target), `${identity} ${asked}`);
    stage.cleanUp?.(identity);
    return made;
  } finally {
    lock.release();
    removeEmpty(home.folder, target);
  }
}
