/** `run`: its options. */
import { Command } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";
import { verbose } from "./notebooks";

export const command = () =>
  new Command("run")
    .summary("the main job: all notebooks, the table, the figures")
    .description(
      "The main job: every notebook in order, without a browser, then the results table. Figures go to data/runs/RUN/figures.",
    )
    .argument("[notebooks...]", "these notebooks only, such as 04-benchmark")
    .addOption(shared.benchmark())
    .addOption(shared.settingModel())
    .addOption(shared.teacher())
    .addOption(shared.scale())
    .addOption(shared.run())
    .addOption(shared.set())
    .addOption(verbose());

export type RunOptions = OptionsOf<typeof command>;

export const examples = ["run", "run --scale smoke --run trial"];
