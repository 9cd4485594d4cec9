/** The README's tables of the study: from the test drawings' results once they are there. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { shownGroup, studyBlock } from "../../lib/report/study-block";

const study = mkdtempSync(path.join(tmpdir(), "study-"));
afterAll(() => rmSync(study, { recursive: true }));

const cell = (accuracy: number): string => `${accuracy.toFixed(1)} [1.0, 99.0]`;
const method = (name: string, accuracy: number) => ({
  method: name,
  seeds: 1,
  "closed seen": cell(accuracy),
  "closed unseen": cell(accuracy + 1),
  "open seen": cell(accuracy + 2),
  "open unseen": "-",
  mean: cell(accuracy),
  length: "3.0",
});
const results = (seeds: number[]) => ({
  seeds,
  methods: [method("tapo", 40), method("papo", 50)],
  tests: [
    {
      hypothesis: "H2",
      difference: "tapo - sft",
      "sub-categories": "seen",
      points: "+1.00",
      "95 %": "[-1.00, +3.00]",
      p: "0.2",
      "p (Holm)": "0.400",
      holds: "no",
    },
  ],
});
const write = (group: string, seeds: number[]): void => {
  mkdirSync(path.join(study, group));
  writeFileSync(path.join(study, group, "results.json"), JSON.stringify(results(seeds)));
};

describe("studyBlock", () => {
  beforeAll(() => write("dev", [0]));

  it("has an accuracy a cell, an interval for the mean, and methods by their papers' names", () => {
    expect(shownGroup(study)).toBe("dev");
    expect(studyBlock(study)).toBe(`Drawings for development, one seed:

| method | closed seen | closed unseen | open seen | open unseen |             mean |
| ------ | ----------: | ------------: | --------: | ----------: | ---------------: |
| TAPO   |        40.0 |          41.0 |      42.0 |           - | 40.0 [1.0, 99.0] |
| PAPO   |        50.0 |          51.0 |      52.0 |           - | 50.0 [1.0, 99.0] |

| hypothesis | difference     | sub-categories | points | 95 %           | p (Holm) | holds |
| ---------- | -------------- | -------------- | -----: | -------------- | -------: | ----- |
| H2         | TAPO - CoT SFT | seen           |  +1.00 | [-1.00, +3.00] |    0.400 | no    |
`);
  });

  it("shows the test drawings' results as soon as they are there", () => {
    write("test", [0, 1, 2]);
    expect(shownGroup(study)).toBe("test");
    expect(studyBlock(study)).toMatch(/^Test drawings, 3 seeds:\n/);
    expect(studyBlock(study)).toContain("| TAPO (1 seed) |"); // of a method that lacks seeds
  });
});
