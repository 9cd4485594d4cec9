import { describe, expect, it } from "vitest";
import { foldIn, random } from "../../lib/util/random";

const draws = (seed: number, n: number): number[] => {
  const r = random(seed);
  return Array.from({ length: n }, r.uniform);
};

describe("random", () => {
  it("repeats a stream for the same seed, and only for it", () => {
    expect(draws(5, 20)).toEqual(draws(5, 20));
    expect(draws(5, 20)).not.toEqual(draws(6, 20));
  });

  it("is uniform: mean 1/2, variance 1/12, sixteen bins within a chi-square bound", () => {
    const x = draws(1, 32_000);
    const mean = x.reduce((a, b) => a + b) / x.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.01);
    expect(Math.abs(x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length - 1 / 12)).toBeLessThan(0.003);
    const bins = new Array<number>(16).fill(0);
    for (const u of x) bins[Math.floor(u * 16)]++;
    expect(bins.reduce((sum, n) => sum + (n - 2000) ** 2 / 2000, 0)).toBeLessThan(40); // 15 degrees: p = 0.0005
    expect(x.every((u) => u >= 0 && u < 1)).toBe(true);
  });

  it("gives neighbouring seeds unrelated streams", () => {
    const first = Array.from({ length: 4000 }, (_, seed) => draws(seed, 1)[0] - 0.5);
    const correlation =
      first.slice(1).reduce((sum, u, i) => sum + u * first[i], 0) / first.reduce((sum, u) => sum + u * u, 0);
    expect(Math.abs(correlation)).toBeLessThan(0.06);
  });

  it("draws standard normals", () => {
    const r = random(3);
    const x = Array.from({ length: 20_000 }, r.normal);
    const mean = x.reduce((a, b) => a + b) / x.length;
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(x.reduce((a, b) => a + b * b, 0) / x.length - 1)).toBeLessThan(0.04);
    expect(x.filter((v) => Math.abs(v) < 1).length / x.length).toBeCloseTo(0.6827, 1);
  });

  it("shuffles, samples and chooses without loss, and leaves the list alone", () => {
    const list = [1, 2, 3, 4, 5, 6, 7, 8];
    const r = random(9);
    const shuffled = r.shuffle(list);
    expect(shuffled).not.toEqual(list);
    expect([...shuffled].sort()).toEqual(list);
    expect(list).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(new Set(r.sample(list, 5)).size).toBe(5);
    const counts = new Map<number, number>();
    for (let i = 0; i < 3000; i++) counts.set(r.integer(3), (counts.get(r.integer(3)) ?? 0) + 1);
    expect([...counts.keys()].sort()).toEqual([0, 1, 2]);
    expect(() => r.choice([])).toThrow(/the list is empty/);
    expect(() => r.sample(list, 9)).toThrow(/9 asked of a list of 8/);
  });
});

describe("foldIn", () => {
  it("depends on seed, on every item and on their order", () => {
    const seeds = [
      foldIn(0, 1, 2),
      foldIn(0, 2, 1),
      foldIn(0, "1", 2),
      foldIn(0, 1),
      foldIn(1, 1, 2),
      foldIn(0, "ab"),
      foldIn(0, "ba"),
      foldIn(0, "a", "b", 1),
    ];
    expect(new Set(seeds).size).toBe(seeds.length);
    expect(foldIn(4, "x", 7)).toBe(foldIn(4, "x", 7));
    expect(seeds.every((s) => Number.isInteger(s) && s >= 0 && s < 2 ** 32)).toBe(true);
  });

  it("makes no two of ten thousand purposes the same seed, or nearly none", () => {
    const seeds = new Set(Array.from({ length: 10_000 }, (_, i) => foldIn(0, "step", i % 100, Math.floor(i / 100))));
    expect(seeds.size).toBeGreaterThan(9_997);
  });
});
