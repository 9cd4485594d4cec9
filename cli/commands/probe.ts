/** `probe`: its options. */
import { Command, Option } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";
import { parseNames } from "../values";

export const command = () =>
  new Command("probe")
    .summary("features, name knowledge and other questions before and after training")
    .description(
      "Probes the run's saved models (trained again first where settings or code have changed); prints the table and writes probes.csv with its figure.",
    )
    .addOption(shared.benchmark())
    .addOption(shared.sets())
    .addOption(shared.settingModel())
    .addOption(
      new Option("--methods <NAMES>", "methods, separated by commas")
        .argParser((text: string): string[] => parseNames(text))
        .default(["base", "sft", "tapo"], "base,sft,tapo"),
    )
    .addOption(shared.scale())
    .addOption(shared.run())
    .addOption(shared.set());

export type ProbeOptions = OptionsOf<typeof command>;

export const examples = ["probe", "probe --methods base,tapo --run trial"];
