import { describe, expect, it } from "vitest";
import { random } from "../../lib/util/random";
import {
  aggregateSeeds,
  RESULT_COLUMNS,
  resultsByDesigner,
  resultsFromCsv,
  resultsTable,
  resultsToCsv,
} from "../../lib/eval/results";
import type { PredictionRow } from "../../lib/eval/rows";
import { overview } from "../../lib/eval/overview";
import { accuracyByPosition, alwaysFirst, ambiguousRows } from "../../lib/eval/positions";
import { summariseMethods } from "../../lib/eval/summary";

/** Rows of three methods, three domains, both splits and settings: right with a rate that depends on the method. */
function sampleRows(): PredictionRow[] {
  const stream = random(7);
  const rows: PredictionRow[] = [];
  for (const [m, method] of ["tapo", "sft", "base"].entries()) {
    for (const seed of method === "base" ? [0] : [0, 1]) {
      for (const domain of ["flag", "bird", "food"]) {
        for (const split of ["seen", "unseen"] as const) {
          for (const setting of ["closed", "open"] as const) {
            for (let i = 0; i < 10; i++) {
              const name = `${domain} ${i % 5}`;
              const right = stream.uniform() < 0.7 - 0.2 * m;
              rows.push({
                method,
                seed,
                domain,
                split,
                setting,
                image_path: `${split}/${i}.png`,
                question: "q",
                ground_truth: name,
                options: setting === "closed" ? [name, "other", "more", "none"] : undefined,
                output: `<think>t</think> <answer>${right ? name : "other"}</answer>`,
                designer: i % 2 ? "one" : "two",
              });
            }
          }
        }
      }
    }
  }
  return rows;
}

describe("resultsTable", () => {
  const rows = sampleRows();
  const table = resultsTable(rows);

  it("counts by hand", () => {
    const one = (output: string, domain = "bird"): PredictionRow => ({
      ...rows[0],
      method: "x",
      domain,
      ground_truth: "fox",
      output,
    });
    const small = resultsTable([
      one("<answer>fox</answer>"),
      one("<answer>a fox</answer>"),
      one("<answer>cat</answer>"),
      one("<answer>fox</answer>", "flag"),
    ]);
    const cell = (domain: string, metric: string): unknown[] => {
      const found = small.find((row) => row.domain === domain && row.metric === metric)!;
      return [found.n, found.correct, found.accuracy];
    };
    expect(cell("bird", "substring")).toEqual([3, 2, 0.666667]);
    expect(cell("bird", "exact")).toEqual([3, 1, 0.333333]);
    expect(cell("flag", "exact")).toEqual([1, 1, 1]);
    expect(cell("all", "substring")).toEqual([4, 3, 0.75]); // pooled
    expect(cell("all-but-flags", "substring")).toEqual([3, 2, 0.666667]);
    expect(small.length).toBe(8);
    // Wilson, 2 of 3: (2/3 + 3.8415/6 -+ 1.96 sqrt(2/27 + 3.8415/36)) / (1 + 3.8415/3)
    const { ci_low, ci_high } = small.find((row) => row.domain === "bird" && row.metric === "substring")!;
    expect([ci_low, ci_high]).toEqual([0.20766, 0.938508]);
  });

  it("has every line once, in a fixed order, whatever the order of the rows", () => {
    // (1 + 2 + 2 runs) x 2 settings x 2 splits x 2 metrics x (3 + 2 domains)
    expect(table.length).toBe(5 * 8 * 5);
    expect(table.map((row) => row.method).filter((m, i, all) => m !== all[i - 1])).toEqual(["base", "sft", "tapo"]);
    expect(table.slice(0, 5).map((row) => row.domain)).toEqual(["bird", "flag", "food", "all-but-flags", "all"]);
    expect(resultsToCsv(resultsTable(random(1).shuffle(rows)))).toBe(resultsToCsv(table));
  });

  it("leaves all-but-flags out where there are no flags", () => {
    expect(
      resultsTable(rows.filter((row) => row.domain === "food")).some((row) => row.domain === "all-but-flags"),
    ).toBe(false);
  });

  it("writes exactly the columns asked for, and reads them back to the last digit", () => {
    const csv = resultsToCsv(table);
    expect(csv.split("\n")[0]).toBe("method,domain,split,setting,metric,n,correct,accuracy,ci_low,ci_high,seed");
    expect(csv.split("\n")[0]).toBe(RESULT_COLUMNS.join(","));
    expect(csv.endsWith("\n")).toBe(true);
    expect(csv.split("\n").length).toBe(table.length + 2);
    expect(resultsFromCsv(csv)).toEqual(table);
    expect(resultsToCsv(resultsFromCsv(csv))).toBe(csv);
    expect(resultsToCsv([])).toBe(`${RESULT_COLUMNS.join(",")}\n`);
  });

  it("names file, line and column of a bad CSV", () => {
    const csv = resultsToCsv(table).replace(/^(base,bird,[^,]*,[^,]*,[^,]*),\d+/m, "$1,many");
    expect(() => resultsFromCsv(csv, "figures/results.csv")).toThrow('figures/results.csv, line 2: "n" is "many"');
    expect(() => resultsFromCsv("method,n\nx,1\n")).toThrow(/no column "domain"/);
  });

  it("splits by designer", () => {
    const byDesigner = resultsByDesigner(rows);
    const pick = (designer: string): number =>
      byDesigner.find((row) => row.designer === designer && row.method === "tapo" && row.metric === "exact")!.n;
    expect([pick("one"), pick("two")]).toEqual([15, 15]);
  });

  it("aggregates seeds: mean, deviation, interval of one seed's size", () => {
    const base = {
      method: "m",
      domain: "all",
      split: "seen",
      setting: "open",
      metric: "exact",
      n: 10,
      ci_low: 0,
      ci_high: 1,
    } as const;
    const [got] = aggregateSeeds([
      { ...base, correct: 4, accuracy: 0.4, seed: 0 },
      { ...base, correct: 6, accuracy: 0.6, seed: 1 },
    ]);
    expect(got).toMatchObject({ n: 10, correct: 5, accuracy: 0.5, seeds: 2 });
    expect(got.deviation).toBeCloseTo(Math.SQRT2 / 10, 12);
    expect(got.ci_low).toBeCloseTo(0.2366, 4); // Wilson, 5 of 10
  });
});

describe("overview", () => {
  it("agrees with the results table, and means its four cells", () => {
    const rows = sampleRows();
    const lines = overview(rows);
    expect(lines.map((line) => [line.method, line.seeds])).toEqual([
      ["base", 1],
      ["sft", 2],
      ["tapo", 2],
    ]);
    const pooled = aggregateSeeds(resultsTable(rows)).filter(
      (row) => row.domain === "all" && row.metric === "substring",
    );
    for (const line of lines) {
      const want = pooled.filter((row) => row.method === line.method);
      line.cells.forEach((cell, i) => {
        expect(cell!.accuracy).toBeCloseTo(want[i].accuracy, 12);
        expect(cell!.low).toBeCloseTo(want[i].ci_low, 12);
        expect(cell!.deviation).toBeCloseTo(want[i].deviation, 12);
      });
      expect(line.mean!.accuracy).toBeCloseTo(line.cells.reduce((sum, cell) => sum + cell!.accuracy, 0) / 4, 12);
      expect(line.mean!.low).toBeLessThan(line.mean!.accuracy);
      expect(line.mean!.high).toBeGreaterThan(line.mean!.accuracy);
    }
    expect(overview(rows)).toEqual(lines);
  });

  it("leaves empty what a method was not asked", () => {
    const [line] = overview(sampleRows().filter((row) => row.method === "sft" && row.setting === "open"));
    expect(line.cells.slice(0, 2)).toEqual([null, null]);
    expect(line.mean).toBeNull();
  });
});

describe("positions", () => {
  const row = (options: string[], answer: string): PredictionRow => ({
    ...sampleRows()[0],
    ground_truth: "lily",
    options,
    output: `<answer>${answer}</answer>`,
  });

  it("scores the always-first policy, which a released file rewards", () => {
    expect(
      alwaysFirst([
        row(["Lily", "rose"], "x"),
        row(["fire lily", "lily"], "x"),
        row(["rose", "lily"], "x"),
        row([], "x"),
      ]),
    ).toEqual({ n: 3, substring: 2 / 3, exact: 1 / 3 });
    expect(alwaysFirst(sampleRows()).exact).toBe(1);
  });

  it("splits accuracy by the truth's position, and counts options that contain the truth", () => {
    const rows = [
      row(["lily", "rose"], "lily"),
      row(["lily", "rose"], "rose"),
      row(["fire lily", "lily"], "fire lily"),
      row(["rose", "iris"], "rose"),
    ];
    expect(accuracyByPosition(rows)).toEqual([
      { position: -1, n: 1, correct: 0, accuracy: 0 },
      { position: 0, n: 2, correct: 1, accuracy: 0.5 },
      { position: 1, n: 1, correct: 1, accuracy: 1 },
    ]);
    expect(ambiguousRows(rows)).toBe(1);
  });
});

describe("summariseMethods", () => {
  it("gives format, listing and length per method and setting", () => {
    const base = {
      ...sampleRows()[0],
      method: "m",
      setting: "open",
      domain: "bird",
      ground_truth: "fox",
      options: undefined,
    } as PredictionRow;
    const [line] = summariseMethods([
      { ...base, output: "<think>a b</think> <answer>fox</answer>" },
      { ...base, output: "<answer>fox or wolf</answer>" },
      { ...base, ground_truth: "wolf", output: "wolf" },
      { ...base, output: "" },
    ]);
    // words: "<think>a", "b</think>", "<answer>fox</answer>" = 3; 3; 1; 0
    expect(line).toEqual({
      method: "m",
      setting: "open",
      n: 4,
      format: 0.25,
      answered: 0.5,
      listing: 0.25,
      length: 7 / 4,
      lengthUnit: "words",
    });
    expect(summariseMethods([{ ...base, output_tokens: 12 }])[0]).toMatchObject({ length: 12, lengthUnit: "tokens" });
  });
});
