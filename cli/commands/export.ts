/** `export`: its options. */
import { Argument, Command, Option } from "@commander-js/extra-typings";
import { ENGINES } from "../../lib/export/engines";
import type { OptionsOf } from "../definition";
import * as shared from "../options";
import { withExperiment } from "./experiment";
import { METHODS } from "./rl";

/** What can be written: the engines, a data set, questions for VLMEvalKit. */
const TARGETS = [...ENGINES, "dataset", "vlmevalkit"] as const;

export const command = () =>
  withExperiment(
    new Command("export")
      .summary("data, reward and hyper-parameters for another engine, or a data set")
      .description(
        "Writes what TRL, LLaMA-Factory, ms-swift or EasyR1 needs to train as this run does: records and prompts with their images, the reward as Python, configuration with the run's hyper-parameters, and a README with the commands and with what that engine does otherwise. `dataset` writes questions and rationales as a Hugging Face data set, `vlmevalkit` the questions as that tool reads them (docs/evaluation-elsewhere.md). Makes the records that are not there yet (see cot). See docs/training-elsewhere.md.",
      ),
  )
    .addArgument(new Argument("<target>", "for whom").choices(TARGETS))
    .addArgument(new Argument("<dir>", "folder to write; an earlier export in it is replaced"))
    .addOption(shared.count("--gpus <N>", "GPUs that it is to run on").default(1))
    .addOption(new Option("--method <NAME>", "of Stage 2 (default: cls-rl for trl, tapo for easyr1)").choices(METHODS));

export type ExportOptions = OptionsOf<typeof command>;

export const examples = [
  "export trl exports/trl --benchmark pet --model models/Qwen2.5-VL-3B-Instruct --teacher data/released/stage1/Fine-R1-Stage1-data.json --gpus 4",
  "export easyr1 exports/easyr1 --benchmark pet --model models/Qwen2.5-VL-3B-Instruct --method tapo --gpus 4",
  "export dataset exports/pet --benchmark pet --scale smoke",
  "export vlmevalkit exports/kit --benchmark pet --set eval.limit=500",
];
