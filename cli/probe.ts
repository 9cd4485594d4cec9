/** `probe`: what features, knowledge and other answers are like before and after training, from saved models. */
import { openExperiment } from "../lib/experiment/experiment";
import { runProbes } from "../lib/experiment/probes";
import { publishProbes } from "../lib/experiment/probes-report";
import { progress } from "../lib/report/progress";
import { toMarkdown } from "../lib/report/tables";
import { loadSettings } from "../lib/experiment/settings";
import type { ProbeOptions } from "./commands/probe";
import { print } from "./output";

/** Prints the probes' table and writes `probes.csv` with its figure, and `probes/probes.json` under the run. */
export async function run({ methods, scale, run: name, set }: ProbeOptions): Promise<number> {
  const experiment = await openExperiment(loadSettings({ scale, run: name, set }));
  try {
    const bar = progress("probes", methods.length);
    const { rows, absent, fits, split } = await runProbes(experiment, methods, (done, total, note) =>
      bar.update(done, note, total),
    );
    bar.finish();
    for (const { method, reason } of absent) print(`${method} left out: ${reason}`);
    print(split);
    print(
      toMarkdown(
        rows.map(({ method, probe, split, n, accuracy, low, high, chance }) => ({
          method,
          probe,
          split,
          n,
          "accuracy % [95 %]": `${(100 * accuracy).toFixed(1)} [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`,
          "guessing %": (100 * chance).toFixed(1),
        })),
      ),
    );
    print(
      fits
        .map(
          ({ method, probe, l2, gradient }) =>
            `${method}, ${probe}: l2 ${l2}, gradient ${gradient.toExponential(1)} at the end`,
        )
        .join("\n"),
    );
    print(`Written: ${await publishProbes(experiment.settings, rows)}`);
    return 0;
  } finally {
    experiment.close();
  }
}
