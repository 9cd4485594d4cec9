/** `rl`: its options. */
import { Command, Option } from "@commander-js/extra-typings";
import type { RlMethod } from "../../lib/train/rl";
import type { OptionsOf } from "../definition";
import * as shared from "../options";
import { withJob } from "./training";

export const METHODS = ["cls-rl", "tapo", "tapo-no-intra", "tapo-no-inter"] as const satisfies readonly RlMethod[];

export const command = () =>
  withJob(
    new Command("rl")
      .summary("Stage 2: reinforcement learning of a checkpoint directory on triplets")
      .description(
        "CLS-RL, TAPO or one of its ablations. Leaves model (or adapter, where lora.rank or --adapter asks for one) with log.jsonl, manifest.json and TensorBoard's files in --out. With --save-steps a run that was killed goes on when the same command is given again.",
      ),
    "a parquet file of triplets, such as triplets writes",
  )
    .addOption(new Option("--method <NAME>", "the method").choices(METHODS).default("tapo" as const))
    .addOption(shared.out("folder (default: data/runs/METHOD)"));

export type RlOptions = OptionsOf<typeof command>;

export const examples = [
  "rl --model data/runs/pet-sft/model --data triplets.parquet --out data/runs/pet-tapo --save-steps 10",
  "rl --model models/Qwen2.5-VL-3B-Instruct --adapter data/runs/sft/adapter --data triplets.parquet --method cls-rl --set rl.steps=20",
];
