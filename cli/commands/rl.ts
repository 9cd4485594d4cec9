/** `rl`: its options. */
import { Command, Option } from "@commander-js/extra-typings";
import type { RlMethod } from "../../lib/train/methods";
import type { OptionsOf } from "../definition";
import { withExperiment } from "./experiment";

export const METHODS = ["cls-rl", "tapo", "tapo-no-intra", "tapo-no-inter"] as const satisfies readonly RlMethod[];

export const command = () =>
  withExperiment(
    new Command("rl")
      .summary("Stage 2: reinforcement learning on triplets")
      .description(
        "CLS-RL, TAPO or one of its ablations, from the run's Stage-1 model (made where it is not there yet), from the base, or from any checkpoint or adapter. Leaves models/METHOD (or adapters/METHOD) in the run's folder. Run again after a kill it goes on from its last checkpoint.",
      ),
  )
    .addOption(new Option("--method <NAME>", "the method").choices(METHODS).default("tapo" as const))
    .addOption(new Option("--start <sft|base|DIR>", "what it starts from (default: the setting start)"))
    .addOption(
      new Option("--triplets <FILE>", "a parquet file of triplets in the release's layout (default: the run's own)"),
    )
    .addOption(
      new Option(
        "--rollouts <URL>",
        "base URL of fine-r1 serve or vLLM, where responses are sampled (default: the setting rl.rollouts)",
      ),
    )
    .addOption(
      new Option("--rollout-model <NAME>", "the model's name at --rollouts (default: the setting rl.rolloutModel)"),
    )
    .addOption(
      new Option(
        "--rollout-weights <DIR>",
        "folder that policies are saved in for the server (default: the setting rl.rolloutWeights)",
      ),
    );

export type RlOptions = OptionsOf<typeof command>;

export const examples = [
  "rl --benchmark pet --model models/Qwen2.5-VL-3B-Instruct --teacher data/released/stage1/Fine-R1-Stage1-data.json --set lora.rank=16",
  "rl --benchmark pet --model models/Qwen2.5-VL-3B-Instruct --start models/my-sft --triplets triplets.parquet --method cls-rl --set rl.steps=20",
  "rl --model data/base --rollouts http://127.0.0.1:8000/v1 --rollout-model base --rollout-weights data/runs/rollout-weights",
];
