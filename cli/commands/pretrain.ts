/** `pretrain`: its options. */
import { Command } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";

export const command = () =>
  new Command("pretrain")
    .summary("trains the tiny base from nothing")
    .description("Writes the base as a Hugging Face directory, with its log.")
    .addOption(shared.count("--steps <N>", "steps of training (default: the recipe's)"))
    .addOption(shared.seed())
    .addOption(
      shared.count("--every <N>", "steps after which a copy is written to data/cache/pretraining").default(500),
    )
    .addOption(shared.out("directory of the model").default("data/base"));

export type PretrainOptions = OptionsOf<typeof command>;

export const examples = ["pretrain --out data/runs/base --steps 100"];
