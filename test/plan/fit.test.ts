import { describe, expect, it } from "vitest";
import { fitCosts, heldOut, leaveOneOut, meanError, predict, worstFactor, type Sample } from "../../lib/plan/fit";

/** A time of 2 s a unit of the first kind and 3 s a unit of the second. */
const exact = (a: number, b: number): Sample => ({ name: `${a},${b}`, seconds: 2 * a + 3 * b, work: [a, b] });

describe("fits", () => {
  it("find the costs that made the times", () => {
    const [first, second] = fitCosts([exact(1, 5), exact(4, 1), exact(2, 2)]);
    expect(first).toBeCloseTo(2, 9);
    expect(second).toBeCloseTo(3, 9);
    for (const { error } of leaveOneOut([exact(1, 5), exact(4, 1), exact(2, 2)])) expect(error).toBeCloseTo(0, 9);
  });

  it("weigh relative errors: of 1 s and 100 s for the same work the cost is near the smaller", () => {
    // least squares of (c - 1)² + (c/100 - 1)²: c = (1 + 0.01) / (1 + 0.0001)
    const [cost] = fitCosts([
      { name: "a", seconds: 1, work: [1] },
      { name: "b", seconds: 100, work: [1] },
    ]);
    expect(cost).toBeCloseTo(1.01 / 1.0001, 9);
  });

  it("have no cost below 0", () => {
    // operations less a twentieth of the layers, exactly: operations alone remain
    const samples = [
      { name: "a", seconds: 1, work: [1.5, 10] },
      { name: "b", seconds: 2, work: [2.25, 5] },
      { name: "c", seconds: 3, work: [3.05, 1] },
    ];
    const costs = fitCosts(samples);
    expect(costs.every((cost) => cost >= 0)).toBe(true);
    expect(costs[1]).toBe(0);
  });

  it("hold each out of the fit that predicts it", () => {
    const samples = [1, 2].map((seconds) => ({ name: String(seconds), seconds, work: [1] }));
    expect(leaveOneOut(samples).map(({ predicted, error }) => [predicted, error])).toEqual([
      [2, 1],
      [1, -0.5],
    ]);
    expect(leaveOneOut(samples.slice(1))).toEqual([]);
    expect(() => fitCosts([])).toThrow(/as many measurements/);
  });

  it("sum up errors: their mean size, the largest factor either way", () => {
    const errors = [{ error: 1 }, { error: -0.75 }];
    expect(meanError(errors)).toBe(0.875);
    expect(worstFactor(errors)).toBe(4);
    expect([meanError([]), worstFactor([])]).toEqual([null, 1]);
    expect(heldOut([2, 3], { name: "x", seconds: 10, work: [1, 1] })).toMatchObject({ predicted: 5, error: -0.5 });
    expect(predict([2, 3], [4, 5])).toBe(23);
  });
});
