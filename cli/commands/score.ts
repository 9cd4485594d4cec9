/** `score`: its options. */
import { Command, Option } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";

export const command = () =>
  new Command("score")
    .summary("scores a predictions file, without a model")
    .description(
      "Substring, exact and listing accuracy of any file of predictions; lines that cannot be used go to stderr.",
    )
    .addOption(
      new Option(
        "--predictions <FILE>",
        "JSONL with image_path, question, ground_truth, output, and options in the closed world",
      ).makeOptionMandatory(),
    )
    .addOption(shared.setting().makeOptionMandatory())
    .addOption(new Option("--names <FILE>", "names, one a line, that count as listed in the open world"))
    .addOption(new Option("--no-car-exception", "judges cars as all other domains are judged"))
    .addOption(
      new Option(
        "--similarity <DIR>",
        "adds the semantic similarity of open-world answers by the text tower of a SigLIP directory in ONNX",
      ),
    )
    .addOption(shared.json());

export type ScoreOptions = OptionsOf<typeof command>;

export const examples = ["score --predictions data/runs/main/predictions/tapo-closed.jsonl --setting closed"];
