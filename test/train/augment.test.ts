import { describe, expect, it } from "vitest";
import { tf, type Tensor } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { processImage } from "../../lib/processor/image-processor";
import { augment, drawAugmentation, toPatches } from "../../lib/train/augment";
import { SIDE, toyPixels, toyPreprocessor } from "../helpers/tiny";

const images = (...paths: string[]): Tensor =>
  tf.tensor4d(Float32Array.from(paths.flatMap((path) => Array.from(toyPixels(path).data))), [
    paths.length,
    SIDE,
    SIDE,
    3,
  ]);
const white = (count: number): Tensor => tf.fill([count, SIDE, SIDE, 3], 255);
const largestDifference = (a: Tensor, b: Tensor): number => tf.tidy(() => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]);
const seeds = Array.from({ length: 24 }, (_, i) => i);

describe("augment", () => {
  it("is the identity at strength 0, mirroring allowed or not", () => {
    const x = images("a", "b");
    const drawn = drawAugmentation([1, 2], SIDE, 0, [true, true]);
    expect(largestDifference(augment(x, drawn), x)).toBeLessThan(1e-3);
  });

  it("keeps white ground white and every value in range at full strength", () => {
    const drawn = drawAugmentation(
      seeds,
      SIDE,
      1,
      seeds.map(() => true),
    );
    expect(largestDifference(augment(white(24), drawn), white(24))).toBeLessThan(1e-3);
    const x = tf.tile(images("a"), [24, 1, 1, 1]);
    const out = augment(x, drawn);
    expect(tf.min(out).dataSync()[0]).toBeGreaterThanOrEqual(0);
    expect(tf.max(out).dataSync()[0]).toBeLessThanOrEqual(255);
    const perImage = Array.from(tf.mean(tf.abs(tf.sub(out, x)), [1, 2, 3]).dataSync());
    expect(Math.min(...perImage)).toBeGreaterThan(1);
    expect(new Set(perImage.map((d) => d.toFixed(3))).size).toBe(24);
  });

  it("depends on an image's own seed only", () => {
    const x = images("a", "b");
    const together = augment(x, drawAugmentation([8, 9], SIDE, 1, [true, true]));
    const alone = augment(images("b"), drawAugmentation([9], SIDE, 1, [true]));
    expect(largestDifference(tf.slice(together, 1, 1), alone)).toBeLessThan(1e-3);
  });

  it("mirrors only what may be mirrored", () => {
    const mirrored = (allowed: boolean): number => {
      const drawn = drawAugmentation(
        seeds,
        SIDE,
        0.1,
        seeds.map(() => allowed),
      );
      const { transforms } = drawn;
      const count = Array.from(tf.slice(transforms, [0, 0], [-1, 1]).dataSync()).filter((a) => a < 0).length;
      disposeTree(drawn);
      return count;
    };
    expect(mirrored(false)).toBe(0);
    expect(mirrored(true)).toBeGreaterThan(4);
    expect(mirrored(true)).toBeLessThan(20);
  });

  it("paints the cutout white and makes grey where the saturation is 0", () => {
    const plain = drawAugmentation([1], SIDE, 0, [false]);
    const out = augment(images("a"), {
      ...plain,
      cutout: tf.tensor2d([[2, 3, 6, 9]]),
      saturation: tf.zeros([1, 1, 1, 1]),
    });
    expect(largestDifference(tf.slice(out, [0, 2, 3, 0], [1, 4, 6, 3]), tf.fill([1, 4, 6, 3], 255))).toBe(0);
    const [r, g] = tf.split(tf.slice(out, [0, 8, 0, 0], [1, 8, 16, 3]), 3, 3);
    expect(largestDifference(r, g)).toBeLessThan(1e-3);
    const row = Array.from(tf.slice(out, [0, 6, 3, 0], [1, 1, 6, 3]).dataSync());
    expect(row.every((v) => v === 255)).toBe(false);
  });
});

describe("toPatches", () => {
  it("equals the image processor's patches for the same pixels", () => {
    const patches = toPatches(images("a", "b"), toyPreprocessor);
    const expected = ["a", "b"].flatMap((path) =>
      Array.from(processImage(toyPreprocessor, toyPixels(path)).pixelValues),
    );
    expect(patches.shape).toEqual([32, 96]);
    const got = patches.dataSync();
    expect(expected).toHaveLength(got.length);
    expect(expected.reduce((worst, v, i) => Math.max(worst, Math.abs(v - got[i])), 0)).toBeLessThan(1e-5);
  });
});
