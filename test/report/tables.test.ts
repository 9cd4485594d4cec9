import { describe, expect, it } from "vitest";
import { overview } from "../../lib/eval/overview";
import { resultsTable } from "../../lib/eval/results";
import type { PredictionRow } from "../../lib/eval/rows";
import { domainPivot, mcnemarTable, overviewTable, toMarkdown, withLabels } from "../../lib/report/tables";

/** `right` of 10 open, seen images of a domain right. */
function rows(method: string, domain: string, right: number, seed = 0): PredictionRow[] {
  return Array.from({ length: 10 }, (_, i) => ({
    method,
    seed,
    domain,
    split: "seen",
    setting: "open",
    image_path: `${i}.png`,
    question: "q",
    ground_truth: `${domain} ${i}`,
    output: `<answer>${i < right ? `${domain} ${i}` : "x"}</answer>`,
  }));
}

describe("domainPivot", () => {
  it("puts methods down, domains across, and means the domains", () => {
    const table = resultsTable([
      ...rows("tapo", "bird", 8),
      ...rows("tapo", "food", 3),
      ...rows("base", "bird", 5),
      ...rows("base", "food", 5),
    ]);
    expect(domainPivot(table, { split: "seen", setting: "open" })).toEqual([
      { method: "base", bird: 50, food: 50, all: 50, mean: 50 },
      { method: "tapo", bird: 80, food: 30, all: 55, mean: 55 },
    ]);
    expect(domainPivot(table, { split: "unseen", setting: "open" })).toEqual([]);
  });
});

describe("overviewTable", () => {
  it("prints accuracy and interval in %, the deviation with several seeds, - where there is nothing", () => {
    const [one] = overviewTable(overview(rows("sft", "bird", 5)));
    expect(one).toMatchObject({
      method: "sft",
      seeds: 1,
      "open seen": "50.0 [23.7, 76.3]",
      "closed seen": "-",
      mean: "-",
    });
    const [two] = overviewTable(overview([...rows("sft", "bird", 4), ...rows("sft", "bird", 6, 1)]));
    expect(two).toMatchObject({ seeds: 2, "open seen": "50.0 ±14.1 [23.7, 76.3]" });
  });
});

describe("mcnemarTable", () => {
  it("compares every method with the reference, seed by seed", () => {
    const all = [
      ...rows("sft", "bird", 2),
      ...rows("tapo", "bird", 10),
      ...rows("tapo", "bird", 2, 1),
      ...rows("base", "food", 1),
    ];
    const table = mcnemarTable(all, "sft");
    // seed 0: 8 images only tapo got: exact p = 2 / 2^8 = 0.0078; seed 1: none differ
    expect(
      table.map((row) => [
        row.method,
        row.seed,
        row["only this right"],
        row["only the reference right"],
        row["p exact"],
      ]),
    ).toEqual([
      ["tapo", 0, 8, 0, "0.008"],
      ["tapo", 1, 0, 0, "1.000"],
    ]);
    expect(String(table[0]["difference (points)"])).toMatch(/^40\.0 \[/);
  });
});

describe("toMarkdown", () => {
  it("aligns numbers right, fills gaps and escapes bars", () => {
    expect(
      toMarkdown([
        { a: "x|y", n: 1 },
        { a: "z", n: 20, extra: "w" },
      ]),
    ).toBe("| a    |   n | extra |\n| ---- | --: | ----- |\n| x\\|y |   1 | -     |\n| z    |  20 | w     |\n");
    expect(toMarkdown([])).toBe("(no rows)\n");
    expect(withLabels([{ method: "cls-rl" }, { x: 1 }])).toEqual([{ method: "CLS-RL" }, { x: 1 }]);
  });
});
