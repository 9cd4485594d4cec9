import { describe, expect, it } from "vitest";
import { plannedText, resultsText } from "../../../lib/experiment/study/results-text";
import type { StudyTables } from "../../../lib/experiment/study/tables";

const none: StudyTables = {
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
