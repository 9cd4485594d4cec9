/** `data check` and `data rows`: their options. */
import { Command, Option } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";

const decode = () => new Option("--decode", "decodes every image whole, which takes minutes a set").default(false);

export const check = {
  command: () =>
    new Command("check")
      .summary("what of the image sets is on disk, and where to get the rest")
      .description(
        "Reports missing, unreadable and duplicate images and counts against the published ones. Exit code 2 where a set is absent, broken or incomplete.",
      )
      .argument(
        "[benchmark]",
        "a published set (the six, or grocery), the name of a folder in --sets, or a path (default: all)",
      )
      .addOption(shared.sets())
      .addOption(decode())
      .addOption(shared.onBadRow())
      .addOption(shared.json()),
  examples: ["data check", "data check pet --sets /data/sets --decode", "data check ./photographs"],
};

export const rows = {
  command: () =>
    new Command("rows")
      .summary("whether every row of a data file can be used")
      .description("Reads Stage-1 JSON, Stage-2 parquet or evaluation JSONL. Exit code 2 where rows were skipped.")
      .argument("<file>", "ends in .json (Stage 1), .parquet (Stage 2) or .jsonl (evaluation)")
      .addOption(decode())
      .addOption(shared.onBadRow())
      .addOption(shared.json()),
  examples: ["data rows data/released/eval/pet_seen.jsonl", "data rows triplets.parquet --decode --on-bad-row skip"],
};

export type CheckOptions = OptionsOf<typeof check.command>;
export type RowsOptions = OptionsOf<typeof rows.command>;
