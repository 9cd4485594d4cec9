/** `questions`: its options. */
import { Command } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";

export const command = () =>
  new Command("questions")
    .summary("closed questions of an image set, distractors by similarity")
    .description(
      "A closed-world question for every test image: the truth and the three most similar sub-categories of its side. evaluate and zero-shot ask them.",
    )
    .addOption(shared.benchmark().makeOptionMandatory())
    .addOption(shared.sets())
    .addOption(shared.similarity().makeOptionMandatory())
    .addOption(shared.model())
    .addOption(shared.split())
    .addOption(shared.shots())
    .addOption(shared.question())
    .addOption(shared.seed())
    .addOption(shared.limit())
    .addOption(shared.out("file that ends in .jsonl (default: data/runs/questions/BENCHMARK-SIMILARITY.jsonl)"))
    .addOption(shared.onBadRow())
    .addOption(shared.json());

export type QuestionsOptions = OptionsOf<typeof command>;

export const examples = [
  "questions --benchmark birds --similarity names",
  "questions --benchmark ./birds --similarity models/siglip --split unseen --out birds.jsonl",
];
