/** `profile`: its options. */
import { Argument, Command } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";

export const WORK = ["sft", "rollout", "tapo"] as const;

export const command = () =>
  new Command("profile")
    .summary("where the time goes: of SFT, of sampling, of TAPO")
    .description(
      "Runs the work twice, the first time with its compilation, and says which compiled functions take the time.",
    )
    .addArgument(new Argument("<work>", "what is measured").choices(WORK))
    .addOption(shared.count("--steps <N>", "steps").default(4))
    .addOption(shared.scale())
    .addOption(shared.set())
    .addOption(shared.json());

export type ProfileOptions = OptionsOf<typeof command>;

export const examples = ["profile sft", "profile tapo --steps 2 --json"];
