/** What probes are fitted on and tested on, and what they leave. */
import type { BenchmarkImage } from "../../benchmark/types";
import { SPLITS } from "../../benchmark/types";
import { probeRow, type ProbeRow } from "../../eval/probes";
import { foldIn, random } from "../../util/random";
import type { Experiment } from "../types";

/** What `probe` leaves as JSON. */
export interface ProbeReport {
  rows: ProbeRow[];
  /** Methods and probes asked for that are not there, with the reason. */
  absent: { method: string; reason: string }[];
  /** Of each linear probe: rows it was fitted on, the penalty chosen, and the gradient where it ended. */
  fits: { method: string; probe: string; trained: number; l2: number; gradient: number }[];
  split: string;
}

/**
 * The images a linear probe is fitted on (few-shot, seen and unseen), and those it is tested on (the evaluated role).
 */
export function probeSamples(
  { benchmark, settings }: Pick<Experiment, "benchmark" | "settings">,
  limit = settings.eval.limit,
): { train: BenchmarkImage[]; test: BenchmarkImage[] } {
  const of = (role: "fewshot" | "dev" | "test"): BenchmarkImage[] =>
    benchmark.images(role).filter(({ file }) => file !== null);
  const test = of(settings.eval.role);
  const draw = random(foldIn(settings.seed, "probe-limit"));
  return { train: of("fewshot"), test: limit > 0 && limit < test.length ? draw.sample(test, limit) : test };
}

/** Accuracy of each probe and split. */
export function groupRows(
  method: string,
  items: readonly { probe: string; split: string; right: boolean; chance: number }[],
): ProbeRow[] {
  return [...new Set(items.map((item) => item.probe))].flatMap((probe) =>
    SPLITS.flatMap((split) => {
      const own = items.filter((item) => item.probe === probe && item.split === split);
      return own.length === 0
        ? []
        : [
            probeRow(
              method,
              probe,
              split,
              own.map((item) => item.right),
              own.reduce((sum, item) => sum + item.chance, 0) / own.length,
            ),
          ];
    }),
  );
}
