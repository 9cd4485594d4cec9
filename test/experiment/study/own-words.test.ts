/** What the words of an analysis are worth: four answers, shares by hand. */
import { describe, expect, it } from "vitest";
import type { PredictionRow } from "../../../lib/eval/rows";
import { knownWords, ownWordLines, ownWords, type KnownWords } from "../../../lib/experiment/study/own-words";

const WORDS = new Map([
  ["wolf", ["snout", "furry", "tail", "ears"]],
  ["fox", ["snout", "bushy"]],
]);
const known: KnownWords = {
  ofTruth: ({ ground_truth: name }) => WORDS.get(name),
  ofAnswer: (name) => WORDS.get(name),
};

const row = (truth: string, words: string, answer: string): PredictionRow => ({
  method: "sft",
  seed: 0,
  domain: "mammal",
  split: "seen",
  setting: "open",
  image_path: `${truth}.png`,
  question: "What mammal is this?",
  ground_truth: truth,
  output: `<think> Analysis: gray, ${words}. Candidates: fox, wolf. Comparison: fox unclear, wolf unclear. Prediction: ${answer}.</think><answer> ${answer}</answer>`,
});

describe("ownWords", () => {
  const rows = [
    row("wolf", "snout furry tail ears", "wolf"), // all four
    row("wolf", "snout bushy", "fox"), // one of four, both of the fox
    row("wolf", "snout tail horns", "wolf"), // two of four
    row("fox", "horns", "wolf"), // none, and none of the wolf
    { ...row("fox", "", ""), output: "<answer> fox</answer>" }, // no analysis
  ];

  it("counts words found, words true, accuracy by share, and whose the words of wrong answers are", () => {
    expect(ownWords(rows, known)).toEqual({
      found: (4 + 1 + 2 + 0) / (4 + 4 + 4 + 2),
      right: (4 + 1 + 2 + 0) / (4 + 2 + 3 + 1),
      accuracy: [0, 0, 1, 1],
      ofAnswer: 2 / 3,
      ofTruth: 1 / 3,
      n: 4,
    });
  });

  it("leaves out wrong answers that name nothing known", () => {
    const { ofAnswer, ofTruth, n } = ownWords([row("wolf", "snout", "griffin")], known);
    expect([ofAnswer, ofTruth, n]).toEqual([null, null, 1]);
  });

  it("makes a line of each method that reasons", () => {
    const lines = ownWordLines(
      new Map([
        ["sft", rows],
        ["base", rows.slice(4)],
      ]),
      ["base", "sft", "missing"],
      known,
    );
    expect(lines).toEqual([
      {
        method: "sft",
        "true words found": "50.0",
        "own words true": "70.0",
        "right, none found": "0.0",
        "right, less than half found": "0.0",
        "right, half or more found": "100.0",
        "right, all found": "100.0",
        "wrong: words of the answer": "66.7",
        "of the truth": "33.3",
      },
    ]);
  });
});

describe("knownWords", () => {
  const { ofTruth, ofAnswer } = knownWords([
    { name: "wolf", domain: "mammal", visualWords: ["snout"] },
    { name: "fox", domain: null, visualWords: ["bushy"] },
  ]);

  it("knows sub-categories by domain and name, and answers by name", () => {
    expect(ofTruth({ domain: "mammal", ground_truth: "wolf" })).toEqual(["snout"]);
    expect(ofTruth({ domain: "bird", ground_truth: "wolf" })).toBeUndefined();
    expect(ofAnswer("fox")).toEqual(["bushy"]);
    expect(ofAnswer("griffin")).toBeUndefined();
  });
});
