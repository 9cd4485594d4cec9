import { describe, expect, it } from "vitest";
import { plannedText, resultsText } from "../../../lib/experiment/study/results-text";
import { seedsByProducts } from "../../../lib/experiment/study/publish";
import type { StudyTables } from "../../../lib/experiment/study/tables";

const none: StudyTables & { products: Record<string, string> } = {
  methods: [{ method: "sft" }],
  tests: [],
  testNotes: [],
  tested: [],
  effects: [],
  excluded: [],
  bySeed: [],
  byDomain: [],
  exploratory: [],
  besideDev: [],
  words: [],
  planned: null,
  products: { bfloat16: "0", float32: "1, 2" },
};
const headings = (text: string): string[] => [...text.matchAll(/^## (.*)$/gm)].map(([, title]) => title);

describe("resultsText", () => {
  it("has every table under its heading, notes with them", () => {
    const row = [{ hypothesis: "H2" }];
    const text = resultsText("emoji-study-test", "test", [0, 1], {
      ...none,
      tests: row,
      testNotes: ["how to read p"],
      excluded: row,
      bySeed: row,
      byDomain: row,
      exploratory: row,
      besideDev: row,
      words: row,
    });
    expect(text).toContain("Matrix products, by seed: bfloat16: 0; float32: 1, 2.");
    expect(headings(text)).toEqual([
      "Methods",
      "Hypotheses",
      "What the intervals exclude",
      "Seeds",
      "Domains",
      "Dev beside test",
      "Exploratory, not corrected",
      "The words of the analysis",
    ]);
    expect(text).toContain("`npm run study -- --on test --seeds 0,1`; seeds 0, 1.");
    expect(text).toMatch(/## Hypotheses\n\n\| hypothesis \|[^#]*how to read p/);
    expect(text).not.toContain("points to either side");
  });

  it("leaves out what has no rows", () => {
    const text = resultsText("emoji-study-dev", "dev", [0], { ...none, planned: { halfWidth: 0.016, seeds: 1 } });
    expect(headings(text)).toEqual(["Methods", "Hypotheses"]);
    expect(text).toContain("None can be tested yet.");
    expect(text).toContain("would be 1.60 points to either side");
  });
});

describe("plannedText", () => {
  it("says of one seed that it is one seed's, and of several what the study's size would give", () => {
    expect(plannedText({ halfWidth: 0.016, seeds: 1 })).toMatch(/^One seed's interval at 463 sub-categories: /);
    expect(plannedText({ halfWidth: 0.02, seeds: 3 })).toBe(
      "At 463 sub-categories and 5 seeds the interval of `tapo` - `sft` would be 2.00 points to either side.",
    );
  });
});

describe("seedsByProducts", () => {
  const of = (variant: string, seed: number, products?: "float32" | "bfloat16") => ({
    ...{ variant, seed, products },
    ...{ code: "c", data: "d", settings: "s" },
  });
  it("lists seeds by what they were made in, the contrastive model aside", () => {
    const sources = [of("sft", 2, "float32"), of("tapo", 2, "float32"), of("clip-fewshot", 0, "float32")];
    expect(seedsByProducts([...sources, of("sft", 0, "bfloat16"), of("sft", 1, "float32"), of("sft", 3)])).toEqual({
      bfloat16: "0",
      float32: "1, 2",
      "not recorded": "3",
    });
  });
});
