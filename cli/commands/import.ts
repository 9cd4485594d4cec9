/** `import`: its options. */
import { Argument, Command, Option } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";
import { parseRunName, parseWord } from "../values";

export const command = () =>
  new Command("import")
    .summary("takes what another engine trained into a run's folder")
    .description(
      "A checkpoint directory or a PEFT adapter, with the trainer's log beside it (trainer_state.json of transformers, TRL and LLaMA-Factory, trainer_log.jsonl, EasyR1's experiment_log.jsonl). Leaves models/METHOD or adapters/METHOD, logs/METHOD.jsonl and TensorBoard's files in the run's folder, and prints how to evaluate it.",
    )
    .addArgument(new Argument("<dir>", "folder that training left: the model, or a trainer's output"))
    .addOption(
      new Option("--run <NAME>", "name of the run, whose folder is data/runs/NAME")
        .argParser(parseRunName)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option("--method <NAME>", "what it is called in tables: sft, cls-rl, tapo, or another name")
        .argParser(parseWord)
        .makeOptionMandatory(),
    )
    .addOption(new Option("--model <DIR>", "base of an adapter (default: the one that it names)"))
    .addOption(new Option("--log <FILE>", "the trainer's log (default: looked for beside the model)"))
    .addOption(
      new Option(
        "--prompts <SET>",
        "what it was trained on: the paper's prompts, or the short ones of the shipped base (default: the export's, else paper)",
      ).choices(["paper", "tiny"]),
    )
    .addOption(new Option("--restart", "replaces an earlier import of that name").default(false))
    .addOption(shared.json());

export type ImportOptions = OptionsOf<typeof command>;

export const examples = [
  "import exports/trl/output/sft --run elsewhere --method sft",
  "import exports/easyr1/output/global_step_40 --run elsewhere --method tapo",
];
