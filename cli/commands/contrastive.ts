/** `contrastive`: its options. */
import { Command, Option } from "@commander-js/extra-typings";
import type { ContrastiveLoss } from "../../lib/loss/contrastive";
import type { OptionsOf } from "../definition";
import * as shared from "../options";

export const LOSSES = ["sigmoid", "softmax"] as const satisfies readonly ContrastiveLoss[];

export const command = () =>
  new Command("contrastive")
    .summary("the CLIP-style baseline on the base's image-text pairs: trained, evaluated, published")
    .description(
      "Trains clip-base and clip-fewshot; predictions go to data/runs/RUN/baselines, for table --baselines. Needs the image-text pairs of a base's pre-training, as emoji-fgvr and the emoji-study benchmarks have them.",
    )
    .addOption(shared.benchmark())
    .addOption(shared.settingModel())
    .addOption(shared.scale())
    .addOption(shared.run())
    .addOption(shared.set())
    .addOption(shared.count("--steps <N>", "steps of training (default: the recipe's)"))
    .addOption(new Option("--loss <LOSS>", "loss of a batch of pairs (default: the recipe's)").choices(LOSSES))
    .addOption(shared.number("--fewshot-rate <R>", "learning rate on the shots (default: the recipe's)", { above: 0 }));

export type ContrastiveOptions = OptionsOf<typeof command>;

export const examples = ["contrastive --steps 1000"];
