import { beforeAll, describe, expect, it } from "vitest";
import type { Tensor } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import type { ModelConfig } from "../../lib/model/config";
import { rowBatch, type BatchShape, type TrainingRow } from "../../lib/train/batch";
import { toyConfig, toyPlace, toyProcessor } from "../helpers/tiny";

const list = (t: Tensor): number[] => Array.from(t.dataSync());
let config: ModelConfig;
let withImage: TrainingRow;
const text: TrainingRow = { inputIds: [7, 8, 9, 10], predicted: [false, false, true, true], image: null };
const shape: BatchShape = { lengthBucket: 8, placesBucket: 4 };

beforeAll(() => {
  config = toyConfig(toyProcessor());
  const image = config.imageTokenId;
  withImage = {
    inputIds: [5, image, image, image, image, 6, 7],
    predicted: [false, false, false, false, false, false, true],
    image: toyPlace(2),
  };
});

describe("rowBatch", () => {
  it("pads on the right and points at the image's features and at the hidden state before each scored token", () => {
    const batch = rowBatch([[text], [withImage]], config, shape);
    const image = config.imageTokenId;
    expect(batch.inputIds.shape).toEqual([2, 8]);
    expect(list(batch.inputIds)).toEqual([7, 8, 9, 10, 0, 0, 0, 0, 5, image, image, image, image, 6, 7, 0]);
    expect(list(batch.featureIndex)).toEqual([...Array<number>(8).fill(-1), -1, 8, 9, 10, 11, -1, -1, -1]);
    expect(list(batch.positionIds)).toEqual([
      0, 1, 2, 3, 0, 0, 0, 0, 0, 1, 1, 1, 1, 3, 4, 0, // temporal
      0, 1, 2, 3, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 4, 0, // rows
      0, 1, 2, 3, 0, 0, 0, 0, 0, 1, 2, 1, 2, 3, 4, 0, // columns
    ]); // prettier-ignore
    expect([list(batch.hiddenIndex), list(batch.targets), list(batch.weights)]).toEqual([
      [1, 2, 13, 0],
      [9, 10, 7, 0],
      [1, 1, 1, 0],
    ]);
    disposeTree(batch);
  });

  it("names the row whose tokens, flags or placeholders are wrong", () => {
    const empty = { inputIds: [], predicted: [], image: null };
    expect(() => rowBatch([[text], [empty]], config, shape)).toThrow("rowBatch: row 1 has no tokens");
    expect(() => rowBatch([[text, { ...text, image: toyPlace(0) }]], config, shape)).toThrow(
      "rowBatch: row 1: ropePositions: the row has placeholders for 0 images and 1 image grids",
    );
  });

  it("packs rows one after another, each with positions and segments of its own", () => {
    const batch = rowBatch([[withImage, text], [text]], config, { ...shape, lengthBucket: 4, rowsBucket: 3 });
    expect(batch.inputIds.shape).toEqual([3, 12]);
    expect(list(batch.segmentIds!)).toEqual([
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      1,
      1,
      1,
      1,
      -1,
      0,
      0,
      0,
      0,
      ...Array<number>(20).fill(-1),
    ]);
    expect(list(batch.positionIds).slice(0, 12)).toEqual([0, 1, 1, 1, 1, 3, 4, 0, 1, 2, 3, 0]);
    expect([list(batch.hiddenIndex), list(batch.targets)]).toEqual([
      [5, 8, 9, 13, 14, 0, 0, 0],
      [7, 9, 10, 9, 10, 0, 0, 0],
    ]);
    disposeTree(batch);
  });

  it("rounds lengths and places up to their buckets", () => {
    const batch = rowBatch([[text]], config, { ...shape, lengthBucket: 5, placesBucket: 7 });
    expect([batch.inputIds.shape, batch.weights.shape]).toEqual([[1, 5], [7]]);
    disposeTree(batch);
  });

  it("names the row that is wrong", () => {
    expect(() => rowBatch([[text], [{ ...text, predicted: [false] }]], config, shape)).toThrow(
      "row 1 has 4 tokens and 1 flags",
    );
    expect(() => rowBatch([[{ ...text, predicted: [true, false, false, false] }]], config, shape)).toThrow(
      "row 0 predicts its first token",
    );
    expect(() => rowBatch([[{ ...withImage, image: null }]], config, shape)).toThrow(/image/);
    expect(() => rowBatch([[{ ...text, image: toyPlace(0) }]], config, shape)).toThrow(
      /placeholders for 0 images and 1/,
    );
  });
});
