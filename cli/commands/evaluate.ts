/** `evaluate`: its options. */
import { Command, Option } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";
import { parseWord } from "../values";

export const command = () =>
  shared
    .withRay(
      shared
        .withEndpoint(
          new Command("evaluate")
            .summary("answers of a model, an adapter or an endpoint on any benchmark")
            .description(
              "Asks --model (with --adapter) or --endpoint and writes a predictions file that score and table read. Run again after a kill it goes on where it stopped.",
            )
            .addOption(shared.settingModel().conflicts("endpoint"))
            .addOption(shared.adapter()),
        )
        .addOption(shared.benchmarkOrFile())
        .addOption(shared.sets())
        .addOption(shared.images())
        .addOption(shared.setting("; needed but with --install-ray"))
        .addOption(shared.split())
        .addOption(shared.role(" (default: the setting eval.role)"))
        .addOption(shared.optionOrder())
        .addOption(shared.similarity())
        .addOption(shared.question())
        .addOption(shared.count("--limit <N>", "a sample of so many; 0: all (default: the setting eval.limit)", 0))
        .addOption(shared.seed())
        .addOption(
          new Option("--prompts <SET>", "the paper's prompts, or the short ones of the shipped base").choices([
            "paper",
            "tiny",
          ]),
        )
        .addOption(new Option("--direct", "asks for the answer without reasoning").default(false))
        .addOption(shared.maxNewTokens())
        .addOption(shared.count("--batch-size <N>", "rows at a time (default: the setting eval.batchSize)"))
        .addOption(
          shared.count(
            "--min-pixels <N>",
            "pixels of an image, at least; 0: the checkpoint's (default: eval.minPixels)",
            0,
          ),
        )
        .addOption(
          shared.count(
            "--max-pixels <N>",
            "pixels of an image, at most; 0: the checkpoint's (default: eval.maxPixels)",
            0,
          ),
        )
        .addOption(shared.repetitionPenalty())
        .addOption(shared.precision())
        .addOption(shared.scale())
        .addOption(shared.set())
        .addOption(shared.out("file that ends in .jsonl (default: data/runs/evaluate/METHOD-BENCHMARK-SETTING.jsonl)"))
        .addOption(new Option("--method <NAME>", "the rows' method (default: the model's name)").argParser(parseWord))
        .addOption(shared.settingOnBadRow())
        .addOption(shared.restart())
        .addOption(shared.json()),
    )
    .addOption(shared.rayParts());

export type EvaluateOptions = OptionsOf<typeof command>;

export const examples = [
  "evaluate --model models/Qwen2.5-VL-3B-Instruct --adapter data/runs/RUN/adapters/tapo --benchmark pet --setting closed --split unseen",
  "evaluate --endpoint http://127.0.0.1:8000/v1 --model-name Qwen/Qwen2.5-VL-3B-Instruct --benchmark questions.jsonl --images ./photographs --setting open",
];
