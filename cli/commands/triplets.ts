/** `triplets`: its options. */
import { Command } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";

export const command = () =>
  new Command("triplets")
    .summary("Stage-2 parquet of any image set")
    .description(
      "A row for every training image as anchor: another image of its sub-category as positive, one of the most similar sub-category as negative.",
    )
    .addOption(shared.benchmark().makeOptionMandatory())
    .addOption(shared.sets())
    .addOption(shared.similarity().makeOptionMandatory())
    .addOption(shared.model())
    .addOption(shared.question())
    .addOption(shared.shots(2))
    .addOption(shared.seed())
    .addOption(shared.out("file that ends in .parquet (default: data/runs/triplets-BENCHMARK.parquet)"))
    .addOption(shared.restart())
    .addOption(shared.onBadRow())
    .addOption(shared.json());

export type TripletsOptions = OptionsOf<typeof command>;

export const examples = [
  "triplets --benchmark pet+bird --similarity names",
  "triplets --benchmark ./photographs --similarity model --model models/Qwen2.5-VL-3B-Instruct --out triplets.parquet",
];
