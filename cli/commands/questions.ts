/** `questions`: its options. */
import { Command } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";
import { withExperiment } from "./experiment";

export const command = () =>
  withExperiment(
    new Command("questions")
      .summary("closed questions of a benchmark as a file, distractors by similarity")
      .description(
        "A closed-world question for every test image: the truth and similar sub-categories of its side. evaluate and zero-shot ask them.",
      ),
  )
    .addOption(shared.split())
    .addOption(shared.role().default("test" as const))
    .addOption(shared.question())
    .addOption(shared.limit())
    .addOption(shared.out("file that ends in .jsonl (default: questions.jsonl in the run's folder)"));

export type QuestionsOptions = OptionsOf<typeof command>;

export const examples = [
  "questions --benchmark birds --similarity names",
  "questions --benchmark ./birds --similarity models/siglip --split unseen --out birds.jsonl",
];
