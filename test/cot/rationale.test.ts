import { describe, expect, it } from "vitest";
import {
  compareCandidates,
  formatAnswer,
  formatRationale,
  parseRationale,
  type Rationale,
} from "../../lib/cot/rationale";
import { extractAnswer } from "../../lib/reward/extract";
import { formatReward } from "../../lib/reward";

const rationale: Rationale = {
  colors: ["red", "white"],
  concepts: ["ears", "bushy", "tail"],
  candidates: ["red fox", "wolf", "raccoon"],
  comparison: [
    { candidate: "red fox", matching: ["ears", "tail"], missing: [] },
    { candidate: "wolf", matching: ["ears"], missing: ["howl"] },
    { candidate: "raccoon", matching: [], missing: [] },
  ],
  prediction: "red fox",
};
const text = formatRationale(rationale);

describe("rationale", () => {
  it("is written in four parts and an answer", () => {
    expect(text).toBe(
      "<think> Analysis: red white, ears bushy tail. Candidates: red fox, wolf, raccoon. Comparison: red fox fits ears tail, wolf fits ears lacks howl, raccoon unclear. Prediction: red fox.</think><answer> red fox</answer>",
    );
    expect(formatReward(text)).toBe(1);
    expect(extractAnswer(text)).toBe("red fox");
    expect(formatAnswer("wolf")).toBe("<answer> wolf</answer>");
  });

  it("is read back", () => {
    expect(parseRationale(text)).toEqual({
      colors: rationale.colors,
      concepts: rationale.concepts,
      candidates: rationale.candidates,
      comparison: "red fox fits ears tail, wolf fits ears lacks howl, raccoon unclear",
      prediction: "red fox",
      answer: "red fox",
    });
    expect(parseRationale(formatRationale({ ...rationale, colors: [], concepts: [] }))).toMatchObject({
      colors: [],
      concepts: [],
      prediction: "red fox",
    });
  });

  it("is null where a part is missing, renamed or out of order", () => {
    for (const part of [
      "<think>",
      "Analysis:",
      "Candidates:",
      "Comparison:",
      "Prediction:",
      "</think>",
      "<answer>",
      "</answer>",
    ])
      expect(parseRationale(text.replace(part, "")), part).toBeNull();
    expect(
      parseRationale(text.replace("Candidates", "X").replace("Comparison", "Candidates").replace("X", "Comparison")),
    ).toBeNull();
    expect(parseRationale(`${text} and more`)).toBeNull();
    expect(parseRationale("")).toBeNull();
  });
});

describe("compareCandidates", () => {
  const seen = { colors: ["red", "white"], concepts: ["ears", "tail", "whiskers"] };
  const compare = (colors: string[], concepts: string[], maxWords?: number) =>
    compareCandidates(seen, [{ name: "x", colors, concepts }], maxWords)[0];

  it("worked by hand", () => {
    expect(compare(["red"], ["tail", "ears"])).toEqual({ candidate: "x", matching: ["red", "tail"], missing: [] }); // all seen: a colour first
    expect(compare(["blue"], ["tail", "ears", "whiskers"])).toEqual({
      candidate: "x",
      matching: ["tail", "ears"],
      missing: [],
    });
    expect(compare(["red"], ["ears", "tail", "horn"])).toEqual({
      candidate: "x",
      matching: ["ears"],
      missing: ["horn"],
    }); // most match
    expect(compare(["red"], ["ears", "horn", "hoof"])).toEqual({
      candidate: "x",
      matching: ["ears"],
      missing: ["horn"],
    });
    expect(compare([], ["horn", "hoof"], 3)).toEqual({ candidate: "x", matching: [], missing: ["horn", "hoof"] });
    expect(compare([], ["ears", "tail", "horn"], 3)).toEqual({
      candidate: "x",
      matching: ["ears", "tail"],
      missing: ["horn"],
    });
    expect(compare(["red"], [])).toEqual({ candidate: "x", matching: [], missing: [] });
    // all words, in the candidate's order, and a colour that matches
    expect(compare(["blue", "red"], ["horn", "tail", "hoof", "ears"], 0)).toEqual({
      candidate: "x",
      matching: ["red", "tail", "ears"],
      missing: ["horn", "hoof"],
    });
  });
});
