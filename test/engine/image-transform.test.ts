import { describe, expect, it } from "vitest";
import { imageTransform } from "../../lib/engine/image-transform";
import { tf } from "../../lib/engine/tensorflow";

const image = (): tf.Tensor4D => tf.tensor4d([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1]);
const transformed = (matrix: number[], fill = 0): number[] =>
  tf.tidy(() => Array.from(imageTransform(image(), tf.tensor2d([[...matrix, 0, 0]]), fill).dataSync()));

describe("imageTransform", () => {
  it("maps output to input coordinates, x first", () => {
    expect(transformed([1, 0, 0, 0, 1, 0])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(transformed([1, 0, 1, 0, 1, 0], 99)).toEqual([2, 3, 99, 5, 6, 99, 8, 9, 99]);
    expect(transformed([1, 0, 0, 0, 1, -1], 0)).toEqual([0, 0, 0, 1, 2, 3, 4, 5, 6]);
    expect(transformed([-1, 0, 2, 0, 1, 0])).toEqual([3, 2, 1, 6, 5, 4, 9, 8, 7]);
    expect(transformed([0, 1, 0, 1, 0, 0])).toEqual([1, 4, 7, 2, 5, 8, 3, 6, 9]);
  });

  it("interpolates linearly, towards the fill value at the edge", () => {
    expect(transformed([1, 0, 0.5, 0, 1, 0], 255)).toEqual([1.5, 2.5, 129, 4.5, 5.5, 130.5, 7.5, 8.5, 132]);
  });

  it("moves each image by its own transform and leaks nothing", () => {
    const images = tf.tile(image(), [2, 1, 1, 1]);
    const transforms = tf.tensor2d([
      [1, 0, 0, 0, 1, 0, 0, 0],
      [-1, 0, 2, 0, 1, 0, 0, 0],
    ]);
    const before = tf.memory().numTensors;
    const out = imageTransform(images, transforms, 0);
    expect(tf.memory().numTensors).toBe(before + 1);
    expect(Array.from(out.dataSync())).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 3, 2, 1, 6, 5, 4, 9, 8, 7]);
  });
});
