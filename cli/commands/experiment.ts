/** Options of commands that open an experiment: what is recognised, by which model, under which settings. */
import type { Command, OptionValues } from "@commander-js/extra-typings";
import * as shared from "../options";

/** Adds them. Each is the setting of the same name; `--set` changes any other. */
export const withExperiment = <Args extends unknown[], Opts extends OptionValues>(command: Command<Args, Opts>) =>
  command
    .addOption(shared.benchmark())
    .addOption(shared.sets())
    .addOption(shared.settingModel())
    .addOption(shared.teacher())
    .addOption(shared.similarity())
    .addOption(shared.scale())
    .addOption(shared.run())
    .addOption(shared.set())
    .addOption(shared.seed())
    .addOption(shared.memory())
    .addOption(shared.settingOnBadRow())
    .addOption(shared.json());
