import { describe, expect, it } from "vitest";
import type { PredictionRow } from "../../lib/eval/rows";
import { unequalQuestions } from "../../lib/report/tables";

const row = (method: string, image_path: string, more: Partial<PredictionRow> = {}): PredictionRow => ({
  method,
  image_path,
  question: "What?",
  ground_truth: "fox",
  output: "fox",
  seed: 0,
  domain: "mammal",
  split: "seen",
  setting: "closed",
  options: ["fox", "wolf"],
  ...more,
});
const both = ["sft", "tapo"].flatMap((method) => [row(method, "1"), row(method, "2")]);

describe("unequalQuestions", () => {
  it("says nothing where all were asked the same, whatever the order of rows, options and seeds", () => {
    expect(unequalQuestions([])).toEqual([]);
    expect(unequalQuestions(both)).toEqual([]);
    expect(unequalQuestions([...both].reverse())).toEqual([]);
    expect(unequalQuestions([...both, row("tapo", "1", { options: ["wolf", "fox"], seed: 1 })])).toEqual([]);
  });

  it("says of which world, and how many rows each has", () => {
    expect(unequalQuestions([...both, row("tapo", "3")])).toEqual([
      "closed world: methods were not asked the same questions (sft 2, tapo 3); compare with care",
    ]);
    expect(unequalQuestions([row("sft", "1"), row("tapo", "1", { options: ["fox", "lynx"] })])).toHaveLength(1);
    expect(unequalQuestions([...both, row("base", "9", { setting: "open" })])).toEqual([]); // alone in its world
  });
});
