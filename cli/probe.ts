/** `probe`: what features, knowledge and other answers are like before and after training, from saved models. */
import { publishProbes, runProbes } from "../lib/experiment/probes/run";
import type { ProbeRow } from "../lib/eval/probes";
import { toMarkdown, type TableRow } from "../lib/report/tables";
import type { ProbeOptions } from "./commands/probe";
import { settingsOf, withExperiment } from "./experiment";
import { print } from "./output";

/** The probes' table as it is printed. */
export const probeLines = (rows: readonly ProbeRow[]): TableRow[] =>
  rows.map(({ method, probe, split, n, accuracy, low, high, chance }) => ({
    method,
    probe,
    split,
    n,
    "accuracy % [95 %]": `${(100 * accuracy).toFixed(1)} [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`,
    "guessing %": (100 * chance).toFixed(1),
  }));

/** Prints the probes' table and writes `probes.csv` with its figure, and `probes/probes.json` under the run. */
export function run(options: ProbeOptions): Promise<number> {
  return withExperiment(settingsOf(options), "probes", async (experiment, watch) => {
    const { rows, absent, fits, split } = await runProbes(experiment, options.methods, watch);
    for (const { method, reason } of absent) print(`${method} left out: ${reason}`);
    print(split);
    print(toMarkdown(probeLines(rows)));
    print(
      fits
        .map(
          ({ method, probe, l2, gradient }) =>
            `${method}, ${probe}: l2 ${l2}, gradient ${gradient.toExponential(1)} at the end`,
        )
        .join("\n"),
    );
    print(`Written: ${await publishProbes(experiment, rows)}`);
    return 0;
  });
}
