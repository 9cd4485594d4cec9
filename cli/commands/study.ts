/** `study`: its options. */
import { Command, Option } from "@commander-js/extra-typings";
import { STUDY_PARTS } from "../../lib/experiment/study/variants";
import type { OptionsOf } from "../definition";
import * as shared from "../options";
import { parseSeeds } from "../values";

export const command = () =>
  shared.withRay(
    new Command("study")
      .summary("the study: methods over seeds, and the tests of its hypotheses")
      .description(
        "Trains and asks what is not yet on disk, then tests the hypotheses of docs/study/protocol.md. It may be ended at any time: the same command goes on from there.",
      )
      .addOption(
        new Option("--on <group>", "domains that are trained on and asked about; each look at `test` is written down")
          .choices(["dev", "test"] as const)
          .default("dev" as const),
      )
      .addOption(
        new Option(
          "--part <part>",
          "the main table, sweeps over TAPO's settings, links: accuracy when parts of the rationale are given, in the mean over the seeds, or probes: what models see and know (of the first seed)",
        )
          .choices(STUDY_PARTS)
          .default("main" as const),
      )
      .addOption(
        new Option("--seeds <SEEDS>", "different whole numbers, separated by commas")
          .argParser((text: string): number[] => parseSeeds(text))
          .default([0, 1, 2, 3, 4]),
      )
      .addOption(new Option("--reason <text>", "why the test images are looked at again"))
      .addOption(new Option("--table", "only tests and writes what is on disk").default(false))
      .addOption(shared.set()),
  );

export type StudyOptions = OptionsOf<typeof command>;

export const examples = ["study --on dev --seeds 0,1", "study --on test", "study --on test --table"];
