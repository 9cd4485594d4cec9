import { describe, expect, it } from "vitest";
import { confusionPairs } from "../../lib/eval/confusions";
import type { PredictionRow } from "../../lib/eval/rows";

const row = (ground_truth: string, answer: string, more: Partial<PredictionRow> = {}): PredictionRow => ({
  method: "sft",
  image_path: "1",
  output: `<think> it may be a lynx</think><answer> ${answer}</answer>`,
  question: "What is this?",
  ground_truth,
  seed: 0,
  domain: "mammal",
  split: "seen",
  setting: "open",
  ...more,
});
const rows = [
  row("red fox", "wolf"),
  row("red fox", "Wolf"), // as scoring reads it
  row("red fox", "red fox"), // right
  row("red fox", "wolf and lynx"), // a listing
  row("red fox", "nothing known"),
  row("red fox", "tulip"), // of another domain
  row("wolf", "red fox"),
  row("wolf", "lynx", { setting: "closed", options: ["wolf", "lynx"] }),
  row("wolf", "lynx", { method: "tapo" }),
  row("tulip", "rose", { domain: "plant", setting: "closed", options: ["tulip", "rose"] }),
  row("lynx", "lynx"),
];

describe("confusionPairs", () => {
  it("counts single wrong answers of the same domain, most frequent first", () => {
    expect(confusionPairs(rows, "sft", "open")).toEqual([
      { domain: "mammal", truth: "red fox", answer: "wolf", count: 2 },
      { domain: "mammal", truth: "wolf", answer: "red fox", count: 1 },
    ]);
  });

  it("takes names from options too, and both worlds where none is asked for", () => {
    expect(confusionPairs(rows, "sft").map(({ truth, answer, count }) => [truth, answer, count])).toEqual([
      ["red fox", "wolf", 2],
      ["wolf", "lynx", 1],
      ["wolf", "red fox", 1],
      ["tulip", "rose", 1],
    ]);
    expect(confusionPairs(rows, "none")).toEqual([]);
    expect(confusionPairs([], "sft")).toEqual([]);
  });

  it("does not depend on the order of the rows", () => {
    expect(confusionPairs([...rows].reverse(), "sft")).toEqual(confusionPairs(rows, "sft"));
  });
});
