/** `pretrain`: its options. */
import { Command, Option } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";

export const command = () =>
  new Command("pretrain")
    .summary("trains the tiny base from nothing")
    .description("Writes the base as a Hugging Face directory, with its log.")
    .addOption(shared.count("--steps <N>", "steps of each language phase at most (default: the recipe's)"))
    .addOption(shared.seed())
    .addOption(
      shared
        .count("--every <N>", "steps after which it is saved, in data/cache/pretraining; it goes on from there")
        .default(500),
    )
    .addOption(
      new Option("--benchmark <name>", "world that the base is made for")
        .choices(["emoji-fgvr", "emoji-study"] as const)
        .default("emoji-fgvr" as const),
    )
    .option("--from <dir>", "base that the recipe's first phases have made: the later ones are trained from it")
    .addOption(shared.out("directory of the model (default: data/base, or data/study-base)"));

export type PretrainOptions = OptionsOf<typeof command>;

export const examples = ["pretrain --out data/runs/base --steps 100"];
