/** `plan`: its options. */
import { Command } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";

export const command = () =>
  new Command("plan")
    .summary("the memory that a run would need")
    .description(
      "What SFT and RL of a scale would hold with a checkpoint, before any of it is loaded. Exit code 1 where it does not fit.",
    )
    .addOption(shared.model().makeOptionMandatory())
    .addOption(shared.adapter())
    .addOption(shared.scale())
    .addOption(shared.set())
    .addOption(shared.count("--max-pixels <N>", "pixels of an image, at most (default: the stage's setting)"))
    .addOption(shared.count("--text-tokens <N>", "tokens of a prompt's text").default(256))
    .addOption(shared.memory());

export type PlanOptions = OptionsOf<typeof command>;

export const examples = [
  "plan --model models/Qwen2.5-VL-3B-Instruct --scale paper --memory 80",
  "plan --model models/Qwen2.5-VL-3B-Instruct --scale paper --set lora.rank=16",
];
