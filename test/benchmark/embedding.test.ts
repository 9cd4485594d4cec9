import { describe, expect, it } from "vitest";
import { cosineLikeness, meanVectors } from "../../lib/benchmark/embedding";
import type { BenchmarkImage, Subcategory } from "../../lib/benchmark/types";

describe("meanVectors and cosineLikeness", () => {
  const [a, b, c] = ["a", "b", "c"].map((id): Subcategory => ({ id, name: id, domain: "d", split: "seen" }));
  const image = (subcategory: Subcategory, i: number): BenchmarkImage => ({
    id: `${subcategory.id}${i}`,
    file: null,
    subcategory,
    key: [],
  });
  const images = [image(a, 0), image(a, 1), image(b, 0)];

  it("scale each vector to length 1 before the mean, so that a long one does not outweigh", () => {
    const means = meanVectors(images, [
      [10, 0],
      [0, 0.1],
      [3, 4],
    ]);
    expect(means.get("a")!.map((x) => x.toFixed(6))).toEqual([Math.SQRT1_2, Math.SQRT1_2].map((x) => x.toFixed(6)));
    expect(means.get("b")).toEqual([0.6, 0.8]);
    expect(cosineLikeness(means)(a, b)).toBeCloseTo(1.4 * Math.SQRT1_2, 12);
    expect(cosineLikeness(means)(a, a)).toBeCloseTo(1, 12);
  });

  it("refuse what does not match, naming the image", () => {
    expect(() => meanVectors(images, [[1]])).toThrow("embeddings: 1 vectors for 3 images");
    expect(() => meanVectors(images, [[1, 0], [1], [1, 0]])).toThrow("a1 has 1 values, others 2");
    expect(() => meanVectors(images, [[1], [0], [1]])).toThrow("a1: its embedding has length 0");
    expect(() => meanVectors(images, [[1], [1], [NaN]])).toThrow("b0: its embedding has length NaN");
    expect(() => cosineLikeness(meanVectors(images, [[1], [1], [1]]))(a, c)).toThrow("no image of c");
  });
});
