import { describe, expect, it } from "vitest";
import { random } from "../../lib/util/random";
import { mcnemar, pairedBootstrap, pairRows, type Pair } from "../../lib/eval/compare";
import type { PredictionRow } from "../../lib/eval/rows";

const table = (both: number, onlyA: number, onlyB: number, none: number): Pair[] => {
  const make = (n: number, a: number, b: number): Pair[] =>
    Array.from({ length: n }, (_, i) => ({ cluster: `c${i % 10}`, a, b }));
  return [...make(both, 1, 1), ...make(onlyA, 1, 0), ...make(onlyB, 0, 1), ...make(none, 0, 0)];
};

describe("mcnemar", () => {
  it("is the exact binomial test on the discordant pairs, by hand", () => {
    // 1 against 7: 2 (C(8,0) + C(8,1)) / 2^8 = 18 / 256 = 0.0703125; mid-p: minus C(8,1) / 2^8 = 8 / 256 -> 10 / 256
    // (Fagerland et al. 2013, airway hyper-responsiveness: exact p = 0.070, mid-p = 0.039)
    const got = mcnemar(table(1, 1, 7, 12));
    expect(got).toMatchObject({ n: 21, onlyA: 1, onlyB: 7 });
    expect(got.exact).toBeCloseTo(0.0703125, 12);
    expect(got.midP).toBeCloseTo(0.0390625, 12);
    expect(mcnemar(table(1, 7, 1, 12)).exact).toBe(got.exact);
  });

  it("does not reject what is equal", () => {
    expect(mcnemar(table(5, 0, 0, 5))).toMatchObject({ exact: 1, midP: 1 });
    // 2 against 2: exact 1; mid-p 1 - C(4,2) / 2^4 / 2 = 1 - 3/16
    expect(mcnemar(table(0, 2, 2, 0)).exact).toBe(1);
    expect(mcnemar(table(0, 2, 2, 0)).midP).toBeCloseTo(13 / 16, 12);
  });

  it("stays right for many pairs, where 2^-n underflows", () => {
    // 2400 of 5000: z = (2 x 2400 - 5000 + 1) / sqrt(5000) = -2.8143; two-sided normal with continuity correction
    // 0.00489
    expect(mcnemar(table(0, 2400, 2600, 0)).exact).toBeCloseTo(0.00489, 4);
  });

  it("refuses averages over seeds", () => {
    expect(() => mcnemar([{ cluster: "c", a: 0.5, b: 1 }])).toThrow(/several seeds/);
  });
});

describe("pairedBootstrap", () => {
  it("gives the difference, and the same interval for the same seed", () => {
    const got = pairedBootstrap(table(20, 12, 4, 24), { seed: 1 });
    expect(got.difference).toBeCloseTo(8 / 60, 12);
    expect(got.low).toBeLessThan(got.difference);
    expect(got.high).toBeGreaterThan(got.difference);
    expect(pairedBootstrap(table(20, 12, 4, 24), { seed: 1 })).toEqual(got);
    expect(pairedBootstrap(table(20, 12, 4, 24), { seed: 2 })).not.toEqual(got);
    expect(pairedBootstrap([...table(20, 12, 4, 24)].reverse(), { seed: 1 })).toEqual(got); // whatever the order
  });

  it("has no width where both agree everywhere", () => {
    expect(pairedBootstrap(table(5, 0, 0, 5))).toEqual({ n: 10, difference: 0, low: 0, high: 0 });
  });

  it("is wider when pairs come in clusters than when each stands alone", () => {
    const stream = random(5);
    const outcomes = Array.from({ length: 20 }, () => stream.integer(3) - 1);
    const clustered = outcomes.flatMap((d, c) =>
      Array.from({ length: 10 }, () => ({ cluster: `c${c}`, a: d > 0 ? 1 : 0, b: d < 0 ? 1 : 0 })),
    );
    const alone = clustered.map((pair, i) => ({ ...pair, cluster: `x${i}` }));
    const width = (pairs: Pair[]): number => {
      const { low, high } = pairedBootstrap(pairs);
      return high - low;
    };
    expect(width(clustered)).toBeGreaterThan(2 * width(alone));
  });

  it("agrees with the normal interval where pairs are independent", () => {
    const pairs = table(100, 60, 40, 200).map((pair, i) => ({ ...pair, cluster: `x${i}` }));
    // variance of a difference in {-1, 0, 1}: (100 - 20^2 / 400) / 400 = 0.2475; half width 1.96 sqrt(0.2475 / 400) =
    // 0.04875
    const { low, high } = pairedBootstrap(pairs, { draws: 4000 });
    expect((high - low) / 2).toBeCloseTo(0.04875, 2);
  });

  it("refuses to work on nothing", () => {
    expect(() => pairedBootstrap([])).toThrow(/no pairs/);
  });
});

describe("pairRows", () => {
  const row = (method: string, image: string, output: string, seed = 0): PredictionRow => ({
    method,
    seed,
    domain: "bird",
    split: "seen",
    setting: "closed",
    image_path: image,
    question: `q of ${method}`,
    ground_truth: "fox",
    output: `<answer>${output}</answer>`,
  });

  it("pairs by image and setting, averages over seeds and counts what has no partner", () => {
    const a = [row("a", "1", "fox"), row("a", "1", "cat", 1), row("a", "2", "fox"), row("a", "3", "fox")];
    const b = [row("b", "2", "a fox"), row("b", "1", "cat")];
    const { pairs, unpaired } = pairRows(a, b);
    expect(pairs).toEqual([
      { cluster: "bird/fox", a: 0.5, b: 0 },
      { cluster: "bird/fox", a: 1, b: 1 },
    ]);
    expect(unpaired).toBe(1);
    expect(pairRows(a, b, "exact").pairs[1]).toEqual({ cluster: "bird/fox", a: 1, b: 0 });
  });

  it("pairs each of several questions about an image by its words", () => {
    const ask = (output: string, question: string): PredictionRow => ({ ...row("a", "1", output), question });
    const a = [ask("fox", "Which animal?"), ask("cat", "Which species?")];
    const b = [ask("cat", "Which animal?"), ask("fox", "Which species?"), ask("fox", "Which family?")];
    expect(pairRows(a, b)).toEqual({
      pairs: [
        { cluster: "bird/fox", a: 1, b: 0 },
        { cluster: "bird/fox", a: 0, b: 1 },
      ],
      unpaired: 1,
    });
  });
});
