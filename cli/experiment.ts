/**
 * From a command's options to an open experiment: the settings that notebooks read, chosen by options of the same
 * names.
 */
import { openExperiment } from "../lib/experiment/open";
import { readLooks } from "../lib/experiment/study/look";
import { loadSettings } from "../lib/experiment/load-settings";
import type { Settings } from "../lib/experiment/settings";
import type { Watch } from "../lib/experiment/stage";
import type { Experiment } from "../lib/experiment/types";
import { progressSeries } from "../lib/report/progress";
import type { Scale } from "../lib/experiment/settings";
import type { OnBadRow } from "../lib/util/lines";
import { note } from "./output";

/** Options that are settings. */
export interface ExperimentOptions {
  benchmark?: string;
  sets?: string;
  model?: string;
  teacher?: string;
  similarity?: string;
  scale?: Scale;
  run?: string;
  set?: readonly string[];
  seed?: number;
  memory?: number;
  onBadRow?: OnBadRow;
}

const NAMES = ["benchmark", "sets", "model", "teacher", "similarity", "seed", "memory", "onBadRow"] as const;

/**
 * The settings of a command line: scale and environment, then options, then `--set`.
 * @param more further assignments, before those of `--set`
 */
export function settingsOf(options: ExperimentOptions, more: readonly string[] = []): Settings {
  const chosen = NAMES.flatMap((name) => (options[name] === undefined ? [] : [`${name}=${String(options[name])}`]));
  return loadSettings({ scale: options.scale, run: options.run, set: [...chosen, ...more, ...(options.set ?? [])] });
}

/** Counts what was left out, for exit code 2. */
export interface Leavings {
  leftOut: number;
}

/**
 * The study's test drawings are opened by `study` first, which writes the look down.
 * @throws Error where no look is written down yet
 */
function assertLookRecorded({ benchmark }: Settings): void {
  if (benchmark === "emoji-study-test" && readLooks().length === 0)
    throw new Error(
      "benchmark=emoji-study-test: nothing has looked at these drawings yet, and the first look is `study --on test`, which writes it down (docs/study/protocol.md); emoji-study-dev is for trying things",
    );
}

/** Opens an experiment whose messages go to stderr. */
export async function openFor(settings: Settings): Promise<Experiment & Leavings> {
  assertLookRecorded(settings);
  let leftOut = 0;
  const say = (message: string): void => {
    // records of a file that is about other sets too are none of this benchmark's: nothing is wrong with them
    if (/left out|no rationale/.test(message) && !/are about no sub-category/.test(message)) leftOut++;
    note(message);
  };
  const experiment = await openExperiment(settings, { say });
  return Object.defineProperty(experiment as Experiment & Leavings, "leftOut", { get: () => leftOut });
}

/** Runs `work` on an experiment with a progress bar; Ctrl-C ends it after the step under way, which is saved. */
export async function withExperiment<T>(
  settings: Settings,
  label: string,
  work: (experiment: Experiment & Leavings, watch: Watch) => Promise<T>,
): Promise<T> {
  return withOpen(await openFor(settings), label, work);
}

/** The same on an experiment that is open; it is closed at the end. */
export async function withOpen<T, E extends Experiment>(
  experiment: E,
  label: string,
  work: (experiment: E, watch: Watch) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const interrupted = (): void => {
    note("stopping after the step under way; the same command goes on from there (Ctrl-C again ends at once)");
    stop.abort(new Error("interrupted; what was finished is saved, and the same command goes on from there"));
    process.off("SIGINT", interrupted);
  };
  process.on("SIGINT", interrupted);
  const bars = progressSeries();
  bars.start(label);
  try {
    const result = await work(experiment, {
      signal: stop.signal,
      onProgress: (done, total, text) => bars.update(done, text, total),
    });
    bars.finish();
    return result;
  } catch (error) {
    bars.stop();
    throw error;
  } finally {
    process.off("SIGINT", interrupted);
    experiment.close();
  }
}
