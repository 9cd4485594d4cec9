import { describe, expect, it } from "vitest";
import { random } from "../../lib/util/random";
import { groupAdvantages, keepGroup } from "../../lib/loss/advantages";

describe("groupAdvantages", () => {
  it("is (R - mean) / (unbiased std + 1e-6), by hand", () => {
    // rewards 1, 0, 0, 1: mean 0.5; squares 4 x 0.25 = 1; unbiased variance 1 / 3; std 0.5773503
    // 0.5 / (0.5773503 + 1e-6) = 0.8660239
    const got = groupAdvantages([1, 0, 0, 1]);
    expect(got[0]).toBeCloseTo(0.8660239, 7);
    expect(got).toEqual([got[0], -got[0], -got[0], got[0]]);
    // biased: std 0.5, advantage 0.999998; must not be that
    expect(got[0]).toBeLessThan(0.9);
  });

  it("adds epsilon to the deviation", () => {
    // rewards 0, 1: mean 0.5, std sqrt(0.5) = 0.7071068; with epsilon 0.2928932 the scale is 1
    expect(groupAdvantages([0, 1], { epsilon: 1 - Math.SQRT1_2 })[1]).toBeCloseTo(0.5, 12);
  });

  it("sums to zero, and has unit deviation", () => {
    const stream = random(1);
    for (let trial = 0; trial < 20; trial++) {
      const got = groupAdvantages(Array.from({ length: 10 }, () => stream.integer(11) / 10));
      expect(Math.abs(got.reduce((a, b) => a + b))).toBeLessThan(1e-9);
      expect(Math.sqrt(got.reduce((a, b) => a + b * b, 0) / 9)).toBeCloseTo(1, 4);
    }
  });

  it("gives exact zeros for equal rewards, also where their mean rounds", () => {
    expect(groupAdvantages(Array.from({ length: 10 }, () => 0.1))).toEqual(new Array(10).fill(0));
  });

  it("refuses a group of one and a reward that is not finite", () => {
    expect(() => groupAdvantages([1])).toThrow(/group of 1/);
    expect(() => groupAdvantages([1, NaN])).toThrow(/rewards\[1\] is NaN/);
  });
});

describe("keepGroup", () => {
  it("drops groups that are all right or all wrong, and keeps the rest", () => {
    expect(keepGroup([1, 1, 1])).toBe(false);
    expect(keepGroup([0, 0, 0])).toBe(false);
    expect(keepGroup([0, 1, 0])).toBe(true);
  });

  it("has open bounds", () => {
    expect(keepGroup([0.25, 0.25], 0.25, 0.99)).toBe(false);
    expect(keepGroup([0.75, 0.75], 0.01, 0.75)).toBe(false);
    expect(keepGroup([0.25, 0.75], 0.25, 0.75)).toBe(true);
    expect(() => keepGroup([])).toThrow(/empty/);
  });
});
