/** `triplets`: its options. */
import { Command } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";
import { withExperiment } from "./experiment";

export const command = () =>
  withExperiment(
    new Command("triplets")
      .summary("Stage-2 triplets as a parquet file in the release's layout")
      .description(
        "A row for every training image as anchor: another image of its sub-category as positive, one of the most similar other seen sub-category as negative.",
      ),
  )
    .addOption(shared.out("file that ends in .parquet (default: triplets.parquet in the run's folder)"))
    .addOption(shared.restart());

export type TripletsOptions = OptionsOf<typeof command>;

export const examples = [
  "triplets --benchmark pet+bird --similarity names --out triplets.parquet",
  "triplets --benchmark ./photographs --model models/Qwen2.5-VL-3B-Instruct",
];
