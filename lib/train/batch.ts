/** Rows of tokens to padded tensors: the batch of every training and scoring function. */
import { tf, type Tensor } from "../engine/tensorflow";
import type { ModelConfig } from "../model/config";
import { ropePositions } from "../model/positions";
import type { Grid } from "../model/vision-plan";

/** One row: prompt and response as tokens, and what is predicted. */
export interface TrainingRow {
  inputIds: readonly number[];
  /** Per token whether its prediction is trained or scored; the first token never is. */
  predicted: readonly boolean[];
  /** Index of the row's image in the batch; -1 for text alone. */
  image: number;
}

/** Tensors of a batch of B rows of length T with S scored places. */
export interface RowBatch {
  /** int32 `[B,T]` */
  inputIds: Tensor;
  /** int32 `[3,B,T]` */
  positionIds: Tensor;
  /** int32 `[B,T]`, -1 for text */
  featureIndex: Tensor;
  /** int32 `[S]`: where in the flattened `[B*T]` the hidden state stands that predicts each scored token. */
  hiddenIndex: Tensor;
  /** int32 `[S]` */
  targets: Tensor;
  /** `[S]`: 1 for a scored token, 0 for a free place. */
  weights: Tensor;
}

/** Shapes of a batch: sizes are rounded up to the buckets, so that few shapes are compiled. */
export interface BatchShape {
  /** T is a multiple of this. */
  lengthBucket: number;
  /** `flat`: S is a multiple of `size` over all rows. `rows`: each row has a multiple of `size` places, S = B x that. */
  places: { layout: "flat" | "rows"; size: number };
  /** Grid of every image in patches and its number of tokens. */
  grid: Grid;
  tokensPerImage: number;
}

const roundUp = (n: number, multiple: number): number => Math.max(multiple, Math.ceil(n / multiple) * multiple);

/** Places per row in the `rows` layout. */
export function placesPerRow(rows: readonly TrainingRow[], size: number): number {
  return roundUp(Math.max(...rows.map((row) => row.predicted.reduce((n, p) => n + (p ? 1 : 0), 0))), size);
}

/**
 * Pads rows on the right.
 * @throws Error where a row predicts its first token or its lengths differ
 */
export function rowBatch(rows: readonly TrainingRow[], config: ModelConfig, shape: BatchShape): RowBatch {
  const length = roundUp(Math.max(...rows.map((row) => row.inputIds.length)), shape.lengthBucket);
  const count = rows.length;
  const inputIds = new Int32Array(count * length);
  const positionIds = new Int32Array(3 * count * length);
  const featureIndex = new Int32Array(count * length).fill(-1);
  const scored: { index: number; target: number }[][] = rows.map(() => []);
  rows.forEach((row, b) => {
    const { inputIds: ids, predicted, image } = row;
    if (ids.length !== predicted.length) throw new Error(`rowBatch: row ${b} has ${ids.length} tokens and ${predicted.length} flags`);
    if (predicted[0]) throw new Error(`rowBatch: row ${b} predicts its first token, which nothing precedes`);
    const positions = ropePositions(config, ids, image >= 0 ? [shape.grid] : []);
    let placed = 0;
    for (let t = 0; t < ids.length; t++) {
      const at = b * length + t;
      inputIds[at] = ids[t];
      positionIds[at] = positions.temporal[t];
      positionIds[count * length + at] = positions.height[t];
      positionIds[2 * count * length + at] = positions.width[t];
      if (ids[t] === config.imageTokenId) featureIndex[at] = image * shape.tokensPerImage + placed++;
      if (predicted[t]) scored[b].push({ index: at - 1, target: ids[t] });
    }
  });
  const perRow = shape.places.layout === "rows" ? placesPerRow(rows, shape.places.size) : 0;
  const total = perRow > 0 ? count * perRow : roundUp(scored.reduce((n, s) => n + s.length, 0), shape.places.size);
  const hiddenIndex = new Int32Array(total);
  const targets = new Int32Array(total);
  const weights = new Float32Array(total);
  let next = 0;
  scored.forEach((row, b) => {
    if (perRow > 0) next = b * perRow;
    for (const { index, target } of row) {
      hiddenIndex[next] = index;
      targets[next] = target;
      weights[next++] = 1;
    }
  });
  return {
    inputIds: tf.tensor2d(inputIds, [count, length], "int32"),
    positionIds: tf.tensor3d(positionIds, [3, count, length], "int32"),
    featureIndex: tf.tensor2d(featureIndex, [count, length], "int32"),
    hiddenIndex: tf.tensor1d(hiddenIndex, "int32"),
    targets: tf.tensor1d(targets, "int32"),
    weights: tf.tensor1d(weights),
  };
}
