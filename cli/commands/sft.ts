/** `sft`: its options. */
import { Command, Option } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import { withExperiment } from "./experiment";

export const command = () =>
  withExperiment(
    new Command("sft")
      .summary("Stage 1: fine-tunes the base on rationales of few-shot images")
      .description(
        "Makes the records that are not there yet (see cot), then trains. Leaves models/sft (or adapters/sft, where lora.rank is above 0) in the run's folder. Run again after a kill it goes on from its last checkpoint.",
      ),
  ).addOption(
    new Option("--method <NAME>", "on rationales, or on the bare answers to the same questions")
      .choices(["sft", "sft-direct"])
      .default("sft" as const),
  );

export type SftOptions = OptionsOf<typeof command>;

export const examples = [
  "sft --benchmark pet --model models/Qwen2.5-VL-3B-Instruct --teacher data/released/stage1/Fine-R1-Stage1-data.json --set lora.rank=16",
  "sft --benchmark ./photographs --method sft-direct --scale smoke",
];
