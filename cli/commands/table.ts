/** `table`: its options. */
import { Command, Option } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";
import { parseWord } from "../values";

export const command = () =>
  new Command("table")
    .summary("the results table again, from saved predictions")
    .description(
      "Methods by closed and open world, seen and unseen, with 95 % intervals, from data/runs/RUN/predictions. Writes the CSV to --out; else to data/runs/RUN/figures/results.csv.",
    )
    .addOption(new Option("--run <NAME>", "name of the run").argParser(parseWord).default("main"))
    .addOption(new Option("--predictions <DIR>", "folder of predictions in place of the run's; written only to --out"))
    .addOption(shared.out("file of the CSV"))
    .addOption(
      new Option("--metric <METRIC>", "what counts as right")
        .choices(["substring", "exact"])
        .default("substring" as const),
    )
    .addOption(shared.onBadRow())
    .addOption(new Option("--csv", "prints the CSV").default(false))
    .addOption(new Option("--latex", "prints the main table as LaTeX (booktabs)").conflicts("csv").default(false))
    .addOption(
      new Option(
        "--baselines",
        "adds the predictions in the folder baselines beside the run's; written only to --out",
      ).default(false),
    )
    .addOption(
      new Option(
        "--similarity <DIR>",
        "adds the semantic similarity of open-world answers by the text tower of a SigLIP directory in ONNX",
      ),
    );

export type TableOptions = OptionsOf<typeof command>;

export const examples = ["table", "table --run trial --metric exact --csv", "table --latex"];
