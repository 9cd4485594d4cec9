/** `predictions`: its options. */
import { Argument, Command, Option } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";
import { parseWord } from "../values";

export const command = () =>
  new Command("predictions")
    .summary("predictions of other evaluation tools as rows that score and table read")
    .description(
      "Joins predictions of VLMEvalKit (xlsx, tsv, csv, json), samples of lm-evaluation-harness and lmms-eval (jsonl) or details of lighteval (parquet) with the questions of an export, by index. See docs/evaluation-elsewhere.md.",
    )
    .addArgument(new Argument("<file>", "what the tool left"))
    .addOption(
      new Option("--answers <DIR>", "folder that export vlmevalkit wrote, with answers.jsonl").makeOptionMandatory(),
    )
    .addOption(
      new Option("--method <NAME>", "what the model is called in tables").argParser(parseWord).makeOptionMandatory(),
    )
    .addOption(shared.count("--seed <N>", "of the model's training", 0).default(0))
    .addOption(shared.out("file that ends in .jsonl (default: beside <file>)"))
    .addOption(shared.json());

export type PredictionsOptions = OptionsOf<typeof command>;

export const examples = [
  "predictions outputs/MODEL/MODEL_FineR1-pet-closed.xlsx --answers exports/kit --method MODEL",
  "predictions samples_pet.jsonl --answers exports/kit --method other --out data/runs/elsewhere/predictions/other-closed.jsonl",
];
