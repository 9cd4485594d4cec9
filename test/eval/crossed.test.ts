import { describe, expect, it } from "vitest";
import { crossedDifference, crossedInterval } from "../../lib/eval/crossed";
import type { PairedSeeds } from "../../lib/eval/paired-seeds";
import type { PredictionRow, Setting, Split } from "../../lib/eval/rows";
import { seedDifference } from "../../lib/eval/seeds";
import { tQuantile } from "../../lib/eval/student-t";
import { random } from "../../lib/util/random";

/** Sub-categories with one question each in one cell, and in another where `second` is given; b is never right. */
function paired(table: number[][], second?: { n: number[]; gain: number[][] }): PairedSeeds {
  const subcategories = table[0].map((_, c) => ({ cluster: `d/${c}`, domain: "d" }));
  const tallies = (of: (s: number, c: number) => number[]) =>
    table.map((row, s) =>
      row.map((_, c) => ({ ...subcategories[c], correct: of(s, c), n: [1, 0, second?.n[c] ?? 0, 0] })),
    );
  return {
    seeds: table.map((_, s) => s),
    subcategories,
    a: tallies((s, c) => [table[s][c], 0, second?.gain[s][c] ?? 0, 0]),
    b: tallies(() => [0, 0, 0, 0]),
  };
}

describe("crossedInterval", () => {
  // seeds 2/3 and 0, sub-categories 1, -1/2, 1/2, mean 1/3. MS of seeds 3 (1/9 + 1/9) / 1 = 2/3; of sub-categories
  // 2 (4/9 + 25/36 + 1/36) / 2 = 7/6; residuals -+1/3, +-1/6, +-1/6: (1/3) / 2 = 1/6
  const table = [
    [1, 0, 1],
    [1, -1, 0],
  ];

  it("is the two-way analysis of variance of a table worked by hand", () => {
    const got = crossedInterval(paired(table))!;
    expect(got.difference).toBeCloseTo(1 / 3, 12);
    expect(got.standardError ** 2).toBeCloseTo((2 / 3 + 7 / 6 - 1 / 6) / 6, 12);
    // (5/3)^2 / ((2/3)^2 / 1 + (7/6)^2 / 2 + (1/6)^2 / 2) = 100/41
    expect(got.df).toBeCloseTo(100 / 41, 12);
    expect(got.seedDeviation).toBeCloseTo(Math.sqrt((2 / 3 - 1 / 6) / 3), 12);
    const half = (p: number): number => tQuantile(p, 100 / 41) * Math.sqrt(5 / 18);
    expect(got.interval95.low).toBeCloseTo(1 / 3 - half(0.975), 12);
    expect(got.interval95.high).toBeCloseTo(1 / 3 + half(0.975), 12);
    expect(got.interval90.high).toBeCloseTo(1 / 3 + half(0.95), 12);
  });

  it("weighs cells equally, and the questions of a cell", () => {
    // a second cell with 3, 0 and 1 questions, of which seed 0 gains 2 and 0 (d 1/2), seed 1 -1 and 1 (d 0)
    // seed 0: (2/3 + 1/2) / 2 = 7/12; its table 7/12 + 3 [(x1 - 2/3) / 3 + (x2 - n / 2) / 4] / 2:
    //   x1 - 2/3 = 1/3, -2/3, 1/3 and x2 - n / 2 = 1/2, 0, -1/2 -> 7/12 + 1/6 + 3/16, 7/12 - 1/3, 7/12 + 1/6 - 3/16
    // seed 1: (0 + 0) / 2 = 0; x1 = 1, -1, 0 and x2 = -1, 0, 1 -> 1/2 - 3/8, -1/2, 3/8
    const twoCells = paired(table, {
      n: [3, 0, 1],
      gain: [
        [2, 0, 0],
        [-1, 0, 1],
      ],
    });
    const same = paired([
      [15 / 16, 1 / 4, 9 / 16],
      [1 / 8, -1 / 2, 3 / 8],
    ]);
    const [got, expected] = [crossedInterval(twoCells)!, crossedInterval(same)!];
    for (const key of ["difference", "standardError", "df", "seedDeviation"] as const)
      expect(got[key]).toBeCloseTo(expected[key], 12);
    expect(got.difference).toBeCloseTo(7 / 24, 12);
  });

  it("with seeds that are equal has the variance of the sub-categories alone", () => {
    const row = [1, 0, 1, -1];
    const got = crossedInterval(paired([row, row, row]))!;
    // variance of 1, 0, 1, -1: (9 + 1 + 9 + 25) / 16 / 3 = 11/12, of the mean of four 11/48
    expect(got.standardError ** 2).toBeCloseTo(11 / 48, 12);
    expect(got.df).toBeCloseTo(3, 9);
    expect(got.seedDeviation).toBe(0);
  });

  it("with sub-categories that are equal has the variance of the seeds alone", () => {
    const got = crossedInterval(
      paired([
        [1, 1, 1],
        [0, 0, 0],
        [0.5, 0.5, 0.5],
      ]),
    )!;
    expect(got.standardError ** 2).toBeCloseTo(0.25 / 3, 12);
    expect(got.df).toBeCloseTo(2, 9);
    expect(got.seedDeviation).toBeCloseTo(0.5, 12);
  });

  it("is a point where nothing differs, and null with one seed or one sub-category", () => {
    expect(
      crossedInterval(
        paired([
          [1, 1],
          [1, 1],
        ]),
      ),
    ).toMatchObject({ interval95: { low: 1, high: 1 }, df: 1 });
    expect(crossedInterval(paired([[1, 0, 1]]))).toBeNull();
    expect(crossedInterval(paired([[1], [0]]))).toBeNull();
  });

  it("refuses seeds with questions in different cells", () => {
    const one = paired(table);
    one.a[1] = one.a[1].map((tally) => ({ ...tally, n: [1, 1, 0, 0] }));
    expect(() => crossedInterval(one)).toThrow(/seeds 0 and 1 have questions in different cells/);
  });

  it.each([
    ["seeds that differ little", 0.02],
    ["seeds that differ much", 0.3],
  ])("covers the truth as often as it says and finds the spread of %s", (_, deviation) => {
    const r = random(1);
    const [worlds, seeds, clusters, truth] = [400, 5, 60, 0.1];
    const found = Array.from({ length: worlds }, () => {
      const easy = Array.from({ length: clusters }, () => 0.5 * r.normal());
      const table = Array.from({ length: seeds }, () => {
        const seed = deviation * r.normal();
        return easy.map((own) => truth + seed + own + 0.4 * r.normal());
      });
      return crossedInterval(paired(table))!;
    });
    const share = (name: "interval95" | "interval90"): number =>
      found.filter(({ [name]: { low, high } }) => low <= truth && truth <= high).length / worlds;
    // the standard error of a share of 400 is 0.011 at 0.95, 0.015 at 0.9
    expect(Math.abs(share("interval95") - 0.95)).toBeLessThan(0.03);
    expect(Math.abs(share("interval90") - 0.9)).toBeLessThan(0.04);
    const variance = found.reduce((sum, { seedDeviation }) => sum + seedDeviation ** 2, 0) / worlds;
    expect(Math.abs(Math.sqrt(variance) - deviation)).toBeLessThan(0.02);
  });
});

describe("crossedDifference", () => {
  const row = (method: string, seed: number, c: number, cell: [Setting, Split], image: number, right: boolean) =>
    ({
      method,
      seed,
      domain: "bird",
      split: cell[1],
      setting: cell[0],
      image_path: `${c}-${image}`,
      question: "q",
      ground_truth: `bird ${String.fromCharCode(97 + c)}`,
      output: `<answer>${right ? `bird ${String.fromCharCode(97 + c)}` : "other"}</answer>`,
    }) satisfies PredictionRow;
  /** Sub-categories with one to three questions in each world; every third is unseen. */
  const world = (method: string, seeds: number[], share: number): PredictionRow[] => {
    const r = random(share * 100);
    return seeds.flatMap((seed) =>
      Array.from({ length: 14 }, (_, c) =>
        (["closed", "open"] as const).flatMap((setting) =>
          Array.from({ length: 1 + (c % 3) }, (__, i) =>
            row(method, seed, c, [setting, c % 3 === 1 ? "unseen" : "seen"], i, r.uniform() < share),
          ),
        ),
      ).flat(),
    );
  };
  const [a, b] = [world("a", [0, 1, 4], 0.7), world("b", [0, 1, 4], 0.4)];

  it("is the difference of seedDifference, over the seeds that both have", () => {
    const crossed = crossedDifference(a, b)!;
    expect(crossed.difference).toBeCloseTo(seedDifference(a, b)!.difference, 12);
    expect(crossed.interval95.low).toBeLessThan(crossed.interval90.low);
    expect(crossedDifference([...a, ...world("a", [7], 0.9)], b)).toEqual(crossed);
    expect(crossedDifference(b, a)!.difference).toBeCloseTo(-crossed.difference, 12);
  });

  it("is null with one common seed, or none", () => {
    expect(crossedDifference(world("a", [0], 0.7), b)).toBeNull();
    expect(crossedDifference(world("a", [9], 0.7), b)).toBeNull();
  });
});
