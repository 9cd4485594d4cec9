/** `probe`: what features, knowledge and other answers are like before and after training, from saved models. */
import { parseArgs } from "node:util";
import { openExperiment } from "../lib/experiment/experiment";
import { runProbes } from "../lib/experiment/probes";
import { publishProbes } from "../lib/experiment/probes-report";
import { progress } from "../lib/report/progress";
import { toMarkdown } from "../lib/report/tables";
import { loadSettings } from "../lib/experiment/settings";

/** Prints the probes' table and writes `probes.csv` with its figure, and `probes/probes.json` under the run. */
export async function run(args: string[]): Promise<number> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args,
    options: { run: text, scale: text, methods: { type: "string", default: "base,sft,tapo" } },
  });
  const experiment = await openExperiment(loadSettings({ scale: values.scale, run: values.run }));
  try {
    const methods = values.methods
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "");
    const bar = progress("probes", methods.length);
    const { rows, absent, fits, split } = await runProbes(experiment, methods, (done, total, note) =>
      bar.update(done, note, total),
    );
    bar.finish();
    for (const { method, reason } of absent) console.log(`${method} left out: ${reason}`);
    console.log(split);
    console.log(
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
    console.log(
      fits
        .map(
          ({ method, probe, l2, gradient }) =>
            `${method}, ${probe}: l2 ${l2}, gradient ${gradient.toExponential(1)} at the end`,
        )
        .join("\n"),
    );
    console.log(`Written: ${await publishProbes(experiment.settings, rows)}`);
    return 0;
  } finally {
    experiment.close();
  }
}
