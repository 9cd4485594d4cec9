import { describe, expect, it } from "vitest";
import { holm } from "../../lib/eval/holm";

describe("holm", () => {
  it("is R's p.adjust(method = 'holm') on a worked example", () => {
    // sorted: 0.005 x 4, 0.01 x 3, 0.03 x 2, 0.04 x 1 -> 0.02, 0.03, 0.06, max(0.06, 0.04)
    expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02]);
  });

  it("leaves one p-value as it is, stops at 1, and takes none", () => {
    expect(holm([0.2])).toEqual([0.2]);
    expect(holm([0.7, 0.9])).toEqual([1, 1]);
    expect(holm([])).toEqual([]);
  });

  it("keeps the order and never makes a value smaller", () => {
    const p = [0.2, 0.001, 0.04, 0.04, 0.5];
    const adjusted = holm(p);
    adjusted.forEach((value, i) => expect(value).toBeGreaterThanOrEqual(p[i]));
    expect(adjusted[2]).toBe(adjusted[3]);
  });

  it("corrects for hypotheses without a p-value as for those that have 1", () => {
    // of seven: 0.004 x 7, 0.03 x 6
    expect(holm([0.03, 0.004], 7)).toEqual([0.18, 0.028]);
    expect(holm([0.03, 0.004], 7)).toEqual(holm([0.03, 0.004, 1, 1, 1, 1, 1]).slice(0, 2));
    expect(() => holm([0.1, 0.2], 1)).toThrow(/a family of 1 hypotheses for 2 p-values/);
  });

  it.each([[[-0.1]], [[1.1]], [[Number.NaN]]])("refuses %j", (p) => {
    expect(() => holm(p)).toThrow(/p-value .*from 0 to 1/);
  });
});
