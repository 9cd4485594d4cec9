/** `sft`: its options. */
import { Command } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";
import { withJob } from "./training";

export const command = () =>
  withJob(
    new Command("sft")
      .summary("Stage 1: fine-tunes a checkpoint directory on records about photographs")
      .description(
        "Leaves model (or adapter, where lora.rank or --adapter asks for one) with log.jsonl, manifest.json and TensorBoard's files in --out. With --save-steps a run that was killed goes on when the same command is given again.",
      ),
    "a sharegpt file of records, such as cot writes",
  )
    .addOption(shared.images())
    .addOption(shared.count("--max-length <N>", "tokens of a record, at most; a longer one is a bad row").default(4096))
    .addOption(shared.out("folder (default: data/runs/sft)"));

export type SftOptions = OptionsOf<typeof command>;

export const examples = [
  "sft --model models/Qwen2.5-VL-3B-Instruct --data data/runs/cot-pet/records.json --out data/runs/pet-sft --save-steps 50",
  "sft --model models/Qwen2.5-VL-3B-Instruct --data records.json --images ./photographs --set lora.rank=16 --set sft.epochs=3",
];
