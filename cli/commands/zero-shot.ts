/** `zero-shot`: its options. */
import { Command, Option } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";
import { parseWord } from "../values";

export const DTYPES = ["fp32", "fp16", "q8"] as const;

export const command = () =>
  new Command("zero-shot")
    .summary("CLIP or SigLIP from a local ONNX directory on any benchmark")
    .description(
      "Chooses the name whose text is nearest to the image and writes a predictions file that score and table read. In the open world the candidates are all names of the benchmark, which a generating model is not told.",
    )
    .addOption(new Option("--model <DIR>", "directory of a CLIP or SigLIP model in ONNX; needed but with --install"))
    .addOption(shared.benchmarkOrFile())
    .addOption(shared.sets())
    .addOption(shared.images())
    .addOption(shared.setting())
    .addOption(shared.split())
    .addOption(shared.optionOrder())
    .addOption(shared.role().default("test" as const))
    .addOption(shared.limit())
    .addOption(shared.seed())
    .addOption(
      shared
        .repeated("--template <TEXT>", "text of a name, which stands for {} (default: the usual ones)")
        .default([] as string[], "the usual ones"),
    )
    .addOption(
      new Option("--dtype <TYPE>", "which of the directory's weights").choices(DTYPES).default("fp32" as const),
    )
    .addOption(
      shared.out("file that ends in .jsonl (default: data/runs/zero-shot/baselines/METHOD-BENCHMARK-SETTING.jsonl)"),
    )
    .addOption(new Option("--method <NAME>", "the rows' method (default: the directory's name)").argParser(parseWord))
    .addOption(new Option("--install", "installs transformers.js into .onnx, and does nothing else").default(false))
    .addOption(shared.onBadRow())
    .addOption(shared.json());

export type ZeroShotOptions = OptionsOf<typeof command>;

export const examples = [
  "zero-shot --install",
  "zero-shot --model models/siglip --benchmark pet --setting closed",
  "zero-shot --model models/clip --benchmark birds_seen.jsonl --images ./birds --setting open --template 'a photo of a {}.'",
];
