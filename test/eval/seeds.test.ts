import { describe, expect, it } from "vitest";
import type { PredictionRow, Setting, Split } from "../../lib/eval/rows";
import { pairSeeds } from "../../lib/eval/paired-seeds";
import { plannedInterval, seedDifference, seedSummary } from "../../lib/eval/seeds";

/** One question on sub-category `truth`. */
const row = (
  seed: number,
  setting: Setting,
  split: Split,
  truth: string,
  right: boolean,
  method = "a",
): PredictionRow => ({
  method,
  seed,
  domain: "bird",
  split,
  setting,
  image_path: `${truth}-${setting}`,
  question: "q",
  ground_truth: truth,
  output: `<answer>${right ? truth : "other"}</answer>`,
});
const CELLS: [Setting, Split][] = [
  ["closed", "seen"],
  ["closed", "unseen"],
  ["open", "seen"],
  ["open", "unseen"],
];
/** `clusters` sub-categories in every cell, of which `right(seed, cell, i)` says whether they are answered right. */
const world = (
  seeds: number[],
  clusters: number,
  right: (seed: number, cell: number, i: number) => boolean,
  method = "a",
): PredictionRow[] =>
  seeds.flatMap((seed) =>
    CELLS.flatMap(([setting, split], cell) =>
      Array.from({ length: clusters }, (_, i) =>
        row(seed, setting, split, `${split}${i}`, right(seed, cell, i), method),
      ),
    ),
  );

describe("seedSummary", () => {
  it("is the mean over seeds in every cell, and the plain mean of the cells", () => {
    // seed 0: closed seen 4 of 4, seed 1: 2 of 4 -> 0.75; the other cells 0; mean 0.75 / 4
    const summary = seedSummary(world([0, 1], 4, (seed, cell, i) => cell === 0 && (seed === 0 || i < 2)));
    expect(summary.cells.map((cell) => cell!.accuracy)).toEqual([0.75, 0, 0, 0]);
    expect(summary.mean!.accuracy).toBeCloseTo(0.1875, 12);
    expect([summary.seeds, summary.n]).toEqual([[0, 1], 16]);
    expect(summary.cells[1]).toEqual({ accuracy: 0, low: 0, high: 0 });
    expect(summary.cells[0]!.low).toBeLessThan(0.75);
  });

  it("holds the spread of the seeds even where every sub-category is the same", () => {
    // all right with seed 0, all wrong with seed 1: a draw of two seeds is 0, 1/2, 1 with 1/4, 1/2, 1/4
    expect(seedSummary(world([0, 1], 5, (seed) => seed === 0)).mean).toEqual({ accuracy: 0.5, low: 0, high: 1 });
    expect(seedSummary(world([0], 5, () => true)).mean).toEqual({ accuracy: 1, low: 1, high: 1 });
  });

  it("with one seed has the spread of the sub-categories, as wide as the binomial's where each has one question", () => {
    const { cells } = seedSummary(world([3], 100, (_, __, i) => i % 2 === 0));
    // 1.96 sqrt(0.5 x 0.5 / 100) = 0.098; the draws of closed seen take from 200 sub-categories, of which 100 have a
    // question there
    expect((cells[0]!.high - cells[0]!.low) / 2).toBeCloseTo(0.098, 1);
    expect(seedSummary(world([3], 100, (_, __, i) => i % 2 === 0))).toEqual(
      seedSummary(world([3], 100, (_, __, i) => i % 2 === 0).reverse()),
    );
  });

  it("has no mean where a cell is empty, and refuses no rows", () => {
    const summary = seedSummary(world([0], 3, () => true).filter(({ setting }) => setting === "open"));
    expect(summary.cells.map((cell) => cell?.accuracy ?? null)).toEqual([null, null, 1, 1]);
    expect(summary.mean).toBeNull();
    expect(() => seedSummary([])).toThrow(/no rows/);
  });
});

describe("seedDifference", () => {
  it("is the difference of the means, over the seeds that both have", () => {
    // cell 0: a 4 of 4, b 2 of 4; the others equal -> 0.5 / 4; seed 7 is a's alone
    const a = world([0, 7], 4, (seed, cell) => seed === 0 && cell === 0);
    const b = world([0], 4, (_, cell, i) => cell === 0 && i < 2, "b");
    const got = seedDifference(a, b)!;
    expect(got.difference).toBeCloseTo(0.125, 12);
    expect(got.seeds).toEqual([0]);
    expect(got.low).toBeGreaterThanOrEqual(0);
    expect(seedDifference(b, a)!.difference).toBeCloseTo(-0.125, 12);
  });

  it("has p 1 without a difference, and the least p of its draws where every draw differs", () => {
    const [all, none] = [world([0, 1], 6, () => true), world([0, 1], 6, () => false, "b")];
    expect(seedDifference(all, none)).toMatchObject({ difference: 1, low: 1, high: 1, p: 2 / 2001 });
    expect(seedDifference(all, all)).toMatchObject({ difference: 0, low: 0, high: 0, p: 1 });
  });

  it("counts a draw that is 0 but for rounding on both sides", () => {
    // one sub-category with ten questions in each world: +2 of 10 closed (3 against 1), -2 of 10 open (5 against 7), so
    // every draw is 0, and (0.3 - 0.1) + (0.5 - 0.7) = 2.8e-17
    const ten = (method: string, right: Record<Setting, number>): PredictionRow[] =>
      (["closed", "open"] as const).flatMap((setting) =>
        Array.from({ length: 10 }, (_, i) => row(0, setting, "seen", "owl", i < right[setting], method)),
      );
    const got = seedDifference(ten("a", { closed: 3, open: 5 }), ten("b", { closed: 1, open: 7 }))!;
    expect(got.difference).not.toBe(0);
    expect(Math.abs(got.difference)).toBeLessThan(1e-15);
    expect(got.p).toBe(1);
  });

  it("has a 90 % interval within the 95 % interval, in the ratio of the normal distribution's", () => {
    const a = world([0], 200, (_, __, i) => i % 3 === 0);
    const { low, high, interval90 } = seedDifference(
      a,
      world([0], 200, (_, __, i) => i % 2 === 0, "b"),
    )!;
    expect((interval90.high - interval90.low) / (high - low)).toBeCloseTo(1.645 / 1.96, 1);
    expect(interval90.low).toBeGreaterThan(low);
    expect(interval90.high).toBeLessThan(high);
  });

  it("tells a gain of every seed from one that a single seed makes", () => {
    const none = world([0, 1, 2], 30, () => false, "b");
    const steady = seedDifference(
      world([0, 1, 2], 30, (_, __, i) => i < 10),
      none,
    )!;
    const lucky = seedDifference(
      world([0, 1, 2], 30, (seed) => seed === 0),
      none,
    )!;
    expect(steady.difference).toBeCloseTo(lucky.difference, 12);
    expect(steady.p).toBeLessThan(0.05);
    expect(lucky.p).toBeGreaterThan(0.3); // (2/3)^3 = 0.296 of the draws hold no seed 0: twice that
  });

  it("refuses other questions, and knows nothing without a common seed", () => {
    expect(() =>
      seedDifference(
        world([0], 3, () => true),
        world([0], 2, () => true, "b"),
      ),
    ).toThrow(/a and b were not asked the same questions/);
    expect(
      seedDifference(
        world([0], 3, () => true),
        world([1], 3, () => true),
      ),
    ).toBeNull();
  });
});

describe("plannedInterval", () => {
  // b is always wrong, a right in every second sub-category: the difference is 0.5, whatever the seed
  const a = world([0, 1], 40, (_seed, _cell, i) => i % 2 === 0);
  const b = world([0, 1], 40, () => false, "b");
  const width = (subcategories: number, seeds = 2): number => {
    const { low, high } = plannedInterval(pairSeeds(a, b)!, { seeds, subcategories });
    return high - low;
  };

  it("narrows with the square root of the number of sub-categories", () => {
    expect(width(320) / width(80)).toBeCloseTo(0.5, 1);
    expect(width(80, 8)).toBeCloseTo(width(80), 1); // seeds don't differ here
  });

  it("is the interval of the difference at the size at hand", () => {
    const { low, high } = seedDifference(a, b)!;
    expect(plannedInterval(pairSeeds(a, b)!, { seeds: 2, subcategories: 80 })).toEqual({ low, high });
  });
});
