import { describe, expect, it } from "vitest";
import { incompleteBeta, tQuantile } from "../../lib/eval/student-t";

describe("incompleteBeta", () => {
  it("is the polynomial that it is for whole numbers", () => {
    // I_x(2, 3) = 6 x^2 - 8 x^3 + 3 x^4, on either side of its mean of 0.4
    for (const x of [0.1, 0.39, 0.41, 0.9])
      expect(incompleteBeta(x, 2, 3)).toBeCloseTo(6 * x ** 2 - 8 * x ** 3 + 3 * x ** 4, 13);
    expect([incompleteBeta(0, 2, 3), incompleteBeta(1, 2, 3)]).toEqual([0, 1]);
  });

  it("is the arcsine distribution's for halves", () => {
    expect(incompleteBeta(0.3, 0.5, 0.5)).toBeCloseTo((2 / Math.PI) * Math.asin(Math.sqrt(0.3)), 13);
  });
});

describe("tQuantile", () => {
  it.each([
    // printed tables of the t distribution
    [0.975, 1, 12.7062],
    [0.975, 2, 4.30265],
    [0.975, 3, 3.18245],
    [0.975, 4, 2.77645],
    [0.975, 10, 2.22814],
    [0.975, 30, 2.04227],
    [0.975, 120, 1.97993],
    [0.95, 1, 6.31375],
    [0.95, 4, 2.13185],
    [0.95, 30, 1.69726],
    [0.9, 5, 1.47588],
  ])("%d, %d degrees of freedom: %d", (p, df, value) => {
    expect(Math.abs(tQuantile(p, df) / value - 1)).toBeLessThan(4e-6);
  });

  it("is exact where there is a formula: one and two degrees of freedom", () => {
    for (const p of [0.6, 0.95, 0.999]) {
      expect(tQuantile(p, 1)).toBeCloseTo(Math.tan(Math.PI * (p - 0.5)), 8);
      expect(tQuantile(p, 2)).toBeCloseTo((2 * p - 1) / Math.sqrt(2 * p * (1 - p)), 10);
    }
  });

  it.each([1.5, 2.44, 7.3, 61.8])("agrees with the integral of the density at %d degrees of freedom", (df) => {
    // with t = sqrt(df) tan(a) the density is proportional to cos(a)^(df - 1); the midpoint rule
    const area = (end: number): number => {
      const steps = 200_000;
      let sum = 0;
      for (let i = 0; i < steps; i++) sum += Math.cos(((i + 0.5) * end) / steps) ** (df - 1);
      return (sum * end) / steps;
    };
    const whole = area(Math.PI / 2);
    for (const p of [0.95, 0.975])
      expect(0.5 + area(Math.atan(tQuantile(p, df) / Math.sqrt(df))) / (2 * whole)).toBeCloseTo(p, 6);
  });

  it("is symmetric, 0 in the middle, and the normal distribution's for many degrees of freedom", () => {
    expect(tQuantile(0.025, 3.5)).toBe(-tQuantile(0.975, 3.5));
    expect(tQuantile(0.5, 3)).toBeCloseTo(0, 12);
    expect(tQuantile(0.975, 1e6)).toBeCloseTo(1.959966, 5);
  });

  it.each([
    [0, 3, /p is 0/],
    [Number.NaN, 3, /p is NaN/],
    [0.975, 0.5, /df is 0.5/],
    [0.975, Infinity, /df is Infinity/],
  ])("refuses p %d with %d degrees of freedom", (p, df, message) => {
    expect(() => tQuantile(p, df)).toThrow(message);
  });
});
