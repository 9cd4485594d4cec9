/** Options that `sft` and `rl` share. */
import { Option, type Command, type OptionValues } from "@commander-js/extra-typings";
import * as shared from "../options";

/** Adds them. @param data what `--data` is */
export const withJob = <Args extends unknown[], Opts extends OptionValues>(
  command: Command<Args, Opts>,
  data: string,
) =>
  command
    .addOption(shared.model().makeOptionMandatory())
    .addOption(shared.adapter())
    .addOption(shared.repeated("--data <FILE>", data).makeOptionMandatory())
    .addOption(
      new Option("--scale <NAME>", "defaults of all settings").choices(shared.SCALES).default("paper" as const),
    )
    .addOption(shared.set())
    .addOption(shared.count("--seed <N>", "seed of all that is drawn (default: the setting seed)", 0))
    .addOption(shared.count("--save-steps <N>", "steps after which a checkpoint is written; 0: never", 0).default(0))
    .addOption(
      new Option("--dtype <TYPE>", "how a whole model's weights are written")
        .choices(["float32", "bfloat16"])
        .default("float32" as const),
    )
    .addOption(shared.memory())
    .addOption(shared.onBadRow())
    .addOption(shared.json());
