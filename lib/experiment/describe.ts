/** An experiment in a few words, and how a cell or command watches a long call. */
import { interruptSignal } from "../util/abort";
import { progressSeries } from "../report/progress";
import type { Watch } from "./stage";
import type { Experiment } from "./types";

/** What is open, on two lines: settings, then data and split. */
export function describeExperiment({ settings, benchmark, folder }: Experiment): string {
  const count = (split: "seen" | "unseen"): number => benchmark.subcategories({ split }).length;
  const run = folder.split("/").slice(-3).join("/");
  return [
    `scale ${settings.scale}, seed ${settings.seed}, model ${settings.model}, run ${settings.run} (${run})`,
    `${benchmark.title}: ${count("seen")} seen and ${count("unseen")} unseen sub-categories of ${benchmark.domains.join(", ")}; split: ${benchmark.splitSource}`,
  ].join("\n");
}

/**
 * A watch with a progress bar under a label and, of a training, curves that grow; in a notebook, Stop ends the call
 * after the step under way.
 */
export function watched(label: string): Watch & { finish(note?: string): void } {
  const bars = progressSeries();
  let last: { done: number; total: number } | null = null;
  return {
    signal: interruptSignal(),
    onProgress: (done, total, note) => {
      // a call may go through several phases, such as describing images, then training: each has its own bar
      if (last === null || done < last.done || total !== last.total) bars.start(label);
      last = { done, total };
      bars.update(done, note, total);
    },
    onMetrics: (step, metrics) => bars.metrics(step, metrics),
    finish: (note) => {
      if (note !== undefined && last !== null) bars.update(1, note, 1);
      bars.finish();
    },
  };
}
