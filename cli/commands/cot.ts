/** `cot`: its options. */
import { Command, Option } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";
import { withExperiment } from "./experiment";

export const command = () =>
  shared
    .withRay(
      withExperiment(
        new Command("cot")
          .summary("Stage-1 records: rationales of few-shot images by the teacher")
          .description(
            "Asks the teacher about the training images of the seen sub-categories and keeps what passes. Writes cot/records.json, records-direct.json and data-card.json in the run's folder. Run again after a kill it goes on without asking twice. Numbers of descriptions, rationales, words: settings cot.*.",
          ),
      ).addOption(new Option("--model-name <NAME>", "the teacher's name at its URL; its key is OPENAI_API_KEY")),
    )
    .addOption(shared.rayParts());

export type CotOptions = OptionsOf<typeof command>;

export const examples = [
  "cot --benchmark pet --model models/Qwen2.5-VL-3B-Instruct --teacher http://127.0.0.1:8000/v1 --model-name Qwen/Qwen2.5-VL-32B-Instruct",
  "cot --benchmark ./photographs --scale smoke",
];
