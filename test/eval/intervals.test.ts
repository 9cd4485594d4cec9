import { describe, expect, it } from "vitest";
import { random } from "../../lib/util/random";
import { meanAndDeviation, quantile, wilson } from "../../lib/eval/intervals";

describe("wilson", () => {
  it("matches published values", () => {
    // Newcombe (1998), table I, method 3 (score): 81/263 -> 0.2553, 0.3662; 15/148 -> 0.0624, 0.1605; 0/20 -> 0,
    // 0.1611; 1/29 -> 0.0061, 0.1718
    for (const [r, n, low, high] of [
      [81, 263, 0.2553, 0.3662],
      [15, 148, 0.0624, 0.1605],
      [0, 20, 0, 0.1611],
      [1, 29, 0.0061, 0.1718],
    ]) {
      expect(wilson(r, n).low).toBeCloseTo(low, 4);
      expect(wilson(r, n).high).toBeCloseTo(high, 4);
    }
  });

  it("is symmetric, stays in [0, 1] and holds the estimate", () => {
    for (let k = 0; k <= 12; k++) {
      const { low, high } = wilson(k, 12);
      expect(low).toBeGreaterThanOrEqual(0);
      expect(high).toBeLessThanOrEqual(1);
      expect(low <= k / 12 && k / 12 <= high).toBe(true);
      expect(wilson(12 - k, 12).low).toBeCloseTo(1 - high, 12);
    }
    expect(wilson(0, 0)).toEqual({ low: 0, high: 1 });
  });

  it("covers the truth about 95 times in 100", () => {
    const stream = random(3);
    let covered = 0;
    for (let trial = 0; trial < 2000; trial++) {
      let k = 0;
      for (let i = 0; i < 60; i++) if (stream.uniform() < 0.3) k++;
      const { low, high } = wilson(k, 60);
      if (low <= 0.3 && 0.3 <= high) covered++;
    }
    expect(covered / 2000).toBeGreaterThan(0.93);
    expect(covered / 2000).toBeLessThan(0.98);
  });

  it("refuses what is not a count", () => {
    expect(() => wilson(3, 2)).toThrow(/3 of 2/);
    expect(() => wilson(0.5, 2)).toThrow();
  });
});

describe("meanAndDeviation and quantile", () => {
  it("are what they say", () => {
    expect(meanAndDeviation([1, 2, 3, 4])).toEqual({ mean: 2.5, deviation: Math.sqrt(5 / 3) });
    expect(meanAndDeviation([7])).toEqual({ mean: 7, deviation: 0 });
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(quantile([1, 2, 3, 4, 5], 0.25)).toBe(2);
    expect(quantile([1], 0.975)).toBe(1);
  });
});
