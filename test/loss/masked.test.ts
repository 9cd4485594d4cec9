import { describe, expect, it } from "vitest";
import { tf } from "../../lib/engine/tensorflow";
import { average, microBatchMean, MICRO_BATCH_MEAN, tokenMean, TOKEN_MEAN } from "../../lib/loss/masked";

const values = (): tf.Tensor =>
  tf.tensor2d([
    [1, 2, 3],
    [10, 99, 99],
    [4, 6, 99],
    [5, 99, 99],
  ]);
const mask = (): tf.Tensor =>
  tf.tensor2d([
    [1, 1, 1],
    [1, 0, 0],
    [1, 1, 0],
    [1, 0, 0],
  ]);

describe("tokenMean", () => {
  it("is the mean over the tokens of the mask", () => {
    // (1 + 2 + 3 + 10 + 4 + 6 + 5) / 7 = 31 / 7
    expect(tokenMean(values(), mask()).dataSync()[0]).toBeCloseTo(31 / 7, 5);
  });

  it("is 0 for an empty mask, not NaN", () => {
    expect(tokenMean(values(), tf.zeros([4, 3])).dataSync()[0]).toBe(0);
  });

  it("adds up over micro-batches when each has the whole batch's normaliser, a number or a scalar", () => {
    const part = (start: number, normaliser: number | tf.Scalar): number =>
      tokenMean(tf.slice(values(), [start, 0], [2, 3]), tf.slice(mask(), [start, 0], [2, 3]), normaliser).dataSync()[0];
    expect(part(0, 7) + part(2, tf.scalar(7))).toBeCloseTo(31 / 7, 5);
  });
});

describe("microBatchMean (release, deviation 4)", () => {
  it("averages the micro-batches' means, whatever their token counts", () => {
    // size 2: (1 + 2 + 3 + 10) / 4 = 4; (4 + 6 + 5) / 3 = 5; mean 4.5, while the token mean is 31 / 7 = 4.43
    expect(microBatchMean(values(), mask(), 2).dataSync()[0]).toBeCloseTo(4.5, 5);
  });

  it("depends on the split, which is the point of the switch", () => {
    // size 1: 2, 10, 5, 5 -> 5.5
    expect(microBatchMean(values(), mask(), 1).dataSync()[0]).toBeCloseTo(5.5, 5);
    expect(average(values(), mask(), MICRO_BATCH_MEAN).dataSync()[0]).toBeCloseTo(31 / 7, 5); // one micro-batch of 4
    expect(average(values(), mask(), TOKEN_MEAN).dataSync()[0]).toBeCloseTo(31 / 7, 5);
  });

  it("refuses a batch that does not split evenly", () => {
    expect(() => microBatchMean(values(), mask(), 3)).toThrow(/4 sequences does not split into micro-batches of 3/);
  });
});
