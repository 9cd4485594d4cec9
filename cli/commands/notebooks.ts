/** `notebooks`: its options. */
import { Command, Option } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";

export const verbose = () => new Option("--verbose", "shows what cells print").default(false);

export const command = () =>
  new Command("notebooks")
    .summary("runs notebooks without a browser")
    .description(
      "Runs notebooks in order, each in a fresh kernel, and keeps the executed copies in data/runs/RUN/notebooks.",
    )
    .argument("[notebooks...]", "names or files, such as 04-benchmark (default: all)")
    .addOption(shared.benchmark())
    .addOption(shared.settingModel())
    .addOption(shared.teacher())
    .addOption(shared.scale())
    .addOption(shared.run())
    .addOption(shared.set())
    .addOption(verbose());

export type NotebooksOptions = OptionsOf<typeof command>;

export const examples = ["notebooks 04-benchmark", "notebooks 00-tour 01-cot-data --scale smoke --run trial --verbose"];
