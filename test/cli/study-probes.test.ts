/** The study's probes ask about the sub-categories of their own group. */
import { expect, it } from "vitest";
import { askedOfOwn } from "../../cli/study-probes";
import type { Knowledge } from "../../lib/benchmark/emoji-fgvr/knowledge";
import { subcategoryOf, type Benchmark, type Subcategory } from "../../lib/benchmark/types";
import { tinyPrompts } from "../../lib/benchmark/prompts";
import { loadSettings } from "../../lib/experiment/load-settings";
import { knowledgeQuestions } from "../../lib/experiment/probes/knowledge";
import type { Experiment } from "../../lib/experiment/types";

/** Concepts of one neighbourhood, all of which are asked about in some group. */
const concepts = ["cat", "dog", "fox", "hare"].map(
  (name): Knowledge =>
    ({
      id: name,
      name,
      evaluated: true,
      question: "Which?",
      colors: ["red"],
      words: [name],
      neighbours: [],
    }) as unknown as Knowledge,
);
for (const concept of concepts)
  (concept as { neighbours: readonly Knowledge[] }).neighbours = concepts.filter((other) => other !== concept);

const own = concepts.slice(0, 2).map(({ id, name }) => ({ id, name, split: "seen" }) as unknown as Subcategory);
const benchmark = {
  name: "emoji-study-dev",
  subcategories: () => own,
  extras: { knowledge: concepts },
} as unknown as Benchmark;
const experiment = {
  benchmark,
  prompts: tinyPrompts,
  settings: loadSettings({ environment: {} }),
} as unknown as Experiment;

it("leaves out the other group's sub-categories, which no question can be asked about", () => {
  expect(() => subcategoryOf(benchmark, "fox")).toThrow('has no sub-category "fox"');
  const asked = askedOfOwn(experiment);
  const questions = knowledgeQuestions(asked.benchmark.extras!.knowledge, asked);
  expect(questions.map(({ split, probe }) => [split, probe])).toEqual(
    own.flatMap(() => [
      ["seen", "text: name to attributes"],
      ["seen", "text: attributes to name"],
    ]),
  );
  expect(questions.every(({ conversations }) => conversations.length === 4)).toBe(true); // others stay candidates
  expect(benchmark.extras!.knowledge.every(({ evaluated }) => evaluated)).toBe(true); // not changed in place
});

it("leaves a benchmark of photographs as it is", () => {
  const plain = { ...experiment, benchmark: { ...benchmark, extras: undefined } } as unknown as Experiment;
  expect(askedOfOwn(plain)).toBe(plain);
});
