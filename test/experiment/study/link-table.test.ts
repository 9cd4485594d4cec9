import { describe, expect, it } from "vitest";
import { linkLines, type SeedLink } from "../../../lib/experiment/study/link-table";

const link = (seed: number, given: SeedLink["given"], setting: "closed" | "open", accuracy: number): SeedLink => ({
  method: "sft",
  seed,
  given,
  setting,
  split: "seen",
  accuracy,
  n: 200,
});

describe("linkLines", () => {
  const first = [link(0, "own", "closed", 0.5), link(0, "own", "open", 0.25), link(0, "words", "closed", 0.75)];
  const second = [link(3, "own", "closed", 0.6), link(3, "own", "open", 0.35), link(3, "words", "closed", 0.8)];

  it("has one seed's accuracies as they are", () => {
    expect(linkLines(first)).toEqual([
      { method: "sft", given: "own", seeds: 1, "closed seen": "50.0", "open seen": "25.0" },
      { method: "sft", given: "words", seeds: 1, "closed seen": "75.0" },
    ]);
  });

  it("has the mean over seeds, and their number", () => {
    expect(linkLines([...first, ...second])).toEqual([
      { method: "sft", given: "own", seeds: 2, "closed seen": "55.0", "open seen": "30.0" },
      { method: "sft", given: "words", seeds: 2, "closed seen": "77.5" },
    ]);
  });

  it("keeps methods apart, in the order of the first seed", () => {
    const other = first.map((one) => ({ ...one, method: "tapo" }));
    const lines = linkLines([...first, ...other, ...second]);
    expect(lines.map(({ method, given, seeds }) => [method, given, seeds])).toEqual([
      ["sft", "own", 2],
      ["sft", "words", 2],
      ["tapo", "own", 1],
      ["tapo", "words", 1],
    ]);
  });
});
