import { describe, expect, it } from "vitest";
import { random } from "../../lib/util/random";
import { packLengths } from "../../lib/train/pack";

describe("packLengths", () => {
  it("fits each length, longest first, where least room is left", () => {
    // 7 -> [7]; 6 -> [6]; 4 fits beside 6 alone; 3 beside 7 alone; 2 nowhere
    expect(packLengths([3, 7, 4, 6, 2], 10)).toEqual([[1, 0], [3, 2], [4]]);
    expect(packLengths([12, 1], 10)).toEqual([[0], [1]]); // too long: a bin of its own
    expect(packLengths([], 10)).toEqual([]);
  });

  it("puts everything in exactly one bin, none above the capacity", () => {
    const r = random(3);
    const lengths = Array.from({ length: 200 }, () => 20 + r.integer(100));
    const bins = packLengths(lengths, 256);
    expect(bins.flat().sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
    const filled = bins.map((bin) => bin.reduce((n, i) => n + lengths[i], 0));
    expect(Math.max(...filled)).toBeLessThanOrEqual(256);
    expect(filled.reduce((a, b) => a + b) / (256 * bins.length)).toBeGreaterThan(0.9);
  });
});
