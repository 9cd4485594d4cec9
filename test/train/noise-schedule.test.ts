import { describe, expect, it } from "vitest";
import { loadSettings } from "../../lib/experiment/load-settings";
import { noiseScales, noiseStepAt } from "../../lib/train/noise-schedule";

const { rl } = loadSettings({ environment: {} });

describe("noiseScales", () => {
  it("starts at the variance of one step, and keeps the sum of variances 1", () => {
    // 1e-5 + (0.5e-2 - 1e-5) / (1 + e^6) = 2.23384e-5
    expect(noiseScales(0).noise ** 2).toBeCloseTo(2.23384e-5, 9);
    for (const step of [0, 1, 250, 500, 999]) {
      const { signal, noise } = noiseScales(step);
      expect(signal ** 2 + noise ** 2).toBeCloseTo(1, 12);
    }
  });

  it("gives what the release's schedule gives, computed apart from this code", () => {
    expect(noiseScales(250).noise).toBeCloseTo(0.14701805557603106, 10);
    expect(noiseScales(500).noise).toBeCloseTo(0.5051746964733322, 10);
    expect(noiseScales(999).signal).toBeCloseTo(0.2850424429870048, 10);
  });

  it("refuses a step that the process does not have", () => {
    for (const step of [-1, 0.5, 1000]) expect(() => noiseScales(step)).toThrow(`step ${step} of the forward process`);
  });
});

describe("noiseStepAt", () => {
  const at = (step: number, given: Partial<typeof rl> = {}): number =>
    noiseStepAt({ ...rl, steps: 60, ...given }, step);

  it("falls along the release's sigmoid: of 60 steps half is left at 40, nothing at the end", () => {
    // 500 / (1 + e^(30 (t - 40) / 60)): at t = 1 a hair under 500, at 44 500 / (1 + e^2) = 59.6
    expect([1, 40, 44, 60].map((step) => at(step))).toEqual([499, 250, 59, 0]);
    const all = Array.from({ length: 60 }, (_, i) => at(i + 1));
    expect(all).toEqual([...all].sort((a, b) => b - a));
  });

  it("has the same shape over any number of steps, and takes its numbers from the settings", () => {
    expect([1, 80, 120].map((step) => at(step, { steps: 120 }))).toEqual([499, 250, 0]);
    expect(at(30, { noiseDecayMidpoint: 0.5, gaussianNoiseStep: 400 })).toBe(200);
    expect(at(44, { noiseDecayCoef: 15 })).toBe(134); // 500 / (1 + e)
    expect([15, 60].map((step) => at(step, { noiseDecayMode: "linear" }))).toEqual([375, 0]);
    expect([1, 60].map((step) => at(step, { noiseDecayMode: "none" }))).toEqual([500, 500]);
  });
});
