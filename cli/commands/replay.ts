/** `replay`: its options. */
import { Argument, Command } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";

export const command = () =>
  new Command("replay")
    .summary("runs the batch again at which a training stopped")
    .description(
      "A training stops after three steps in a row whose gradient norm is not finite, and leaves the batch in stopped-batch.json. This runs it again, changes nothing, and says which row, which term of the loss and which parameter is not finite.",
    )
    .addArgument(new Argument("<file>", "the stopped-batch.json beside the training's checkpoints"))
    .addOption(shared.json());

export type ReplayOptions = OptionsOf<typeof command>;

export const examples = ["replay data/runs/main/checkpoints/tapo-0123456789ab/stopped-batch.json"];
