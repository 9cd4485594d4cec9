/** `ablations`: its options. */
import { Command, Option } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";
import { parseNames, parseSeeds } from "../values";
import { withExperiment } from "./experiment";

export const command = () =>
  shared.withRay(
    withExperiment(
      new Command("ablations")
        .summary("variants of TAPO over seeds, their table and figures")
        .description(
          "Trains and asks what is not yet on disk, then prints the table of all that is, and writes it with figures to data/runs/RUN/figures.",
        ),
    )
      .addOption(
        new Option("--only <NAMES>", "variants or families, separated by commas (default: all)").argParser(
          (text: string): string[] => parseNames(text),
        ),
      )
      .addOption(
        new Option(
          "--seeds <SEEDS>",
          "different whole numbers, separated by commas (default: the setting seed)",
        ).argParser((text: string): number[] => parseSeeds(text)),
      )
      .addOption(shared.role().default("dev" as const))
      .addOption(new Option("--list", "lists variants and families, and does nothing else").default(false))
      .addOption(new Option("--table", "only prints and writes what is on disk").default(false)),
  );

export type AblationsOptions = OptionsOf<typeof command>;

export const examples = [
  "ablations --list",
  "ablations --only parts --seeds 0,1,2 --ray http://127.0.0.1:8265",
  "ablations --only kl,tapo --seeds 0,1,2",
  "ablations --role test --table",
];
