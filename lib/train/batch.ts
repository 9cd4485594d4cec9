/** Rows of tokens to padded tensors: the batch of every training and scoring function. */
import { tf, type Tensor } from "../engine/tensorflow";
import type { ModelConfig } from "../model/config";
import { ropePositions, type RowPositions } from "../model/positions";
import type { ImagePlace } from "../model/vision-plan";

/** One row: prompt and response as tokens, and what is predicted. */
export interface TrainingRow {
  inputIds: readonly number[];
  /** Per token whether its prediction is trained or scored; the first token never is. */
  predicted: readonly boolean[];
  /** The row's image; null for text alone. */
  image: ImagePlace | null;
}

/** Tensors of a batch of B rows of length T with S scored places. Several training rows may be packed into one. */
export interface RowBatch {
  /** int32 `[B,T]` */
  inputIds: Tensor;
  /** int32 `[3,B,T]` */
  positionIds: Tensor;
  /** int32 `[B,T]`, -1 for text */
  featureIndex: Tensor;
  /** int32 `[B,T]`: which of the packed rows a token belongs to, -1 for padding; null where each row holds one. */
  segmentIds: Tensor | null;
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
  /** S is a multiple of this. */
  placesBucket: number;
  /** B is a multiple of this (1 unless given); the rows added hold padding alone. */
  rowsBucket?: number;
}

const roundUp = (n: number, multiple: number): number => Math.max(multiple, Math.ceil(n / multiple) * multiple);

/** What `make` returns; its error begins with the row's name. */
function positionsOf(name: string, make: () => RowPositions): RowPositions {
  try {
    return make();
  } catch (error) {
    throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * Pads on the right.
 * @param packed the training rows of each row of the batch; several stand one after another and do not see each other
 * @throws Error naming the row that is empty, predicts its first token, has flags of another number than tokens, or
 * placeholders that are not its image's
 */
export function rowBatch(
  packed: readonly (readonly TrainingRow[])[],
  config: ModelConfig,
  shape: BatchShape,
): RowBatch {
  const sum = (rows: readonly TrainingRow[]): number => rows.reduce((n, row) => n + row.inputIds.length, 0);
  const length = roundUp(Math.max(...packed.map(sum)), shape.lengthBucket);
  const count = roundUp(packed.length, shape.rowsBucket ?? 1);
  const inputIds = new Int32Array(count * length);
  const positionIds = new Int32Array(3 * count * length);
  const featureIndex = new Int32Array(count * length).fill(-1);
  const segmentIds = packed.some((rows) => rows.length > 1) ? new Int32Array(count * length).fill(-1) : null;
  const scored: { index: number; target: number }[] = [];
  let number = 0;
  packed.forEach((rows, b) => {
    let start = b * length;
    rows.forEach(({ inputIds: ids, predicted, image }, segment) => {
      const name = `rowBatch: row ${number++}`;
      if (ids.length !== predicted.length)
        throw new Error(`${name} has ${ids.length} tokens and ${predicted.length} flags`);
      if (ids.length === 0) throw new Error(`${name} has no tokens`);
      if (predicted[0]) throw new Error(`${name} predicts its first token, which nothing precedes`);
      const positions = positionsOf(name, () => ropePositions(config, ids, image ? [image.grid] : []));
      let placed = 0;
      for (let t = 0; t < ids.length; t++) {
        const at = start + t;
        inputIds[at] = ids[t];
        positionIds[at] = positions.temporal[t];
        positionIds[count * length + at] = positions.height[t];
        positionIds[2 * count * length + at] = positions.width[t];
        if (segmentIds) segmentIds[at] = segment;
        if (ids[t] === config.imageTokenId) featureIndex[at] = image!.first + placed++;
        if (predicted[t]) scored.push({ index: at - 1, target: ids[t] });
      }
      start += ids.length;
    });
  });
  const total = roundUp(scored.length, shape.placesBucket);
  const hiddenIndex = new Int32Array(total);
  const targets = new Int32Array(total);
  const weights = new Float32Array(total);
  scored.forEach(({ index, target }, i) => {
    hiddenIndex[i] = index;
    targets[i] = target;
    weights[i] = 1;
  });
  return {
    inputIds: tf.tensor2d(inputIds, [count, length], "int32"),
    positionIds: tf.tensor3d(positionIds, [3, count, length], "int32"),
    featureIndex: tf.tensor2d(featureIndex, [count, length], "int32"),
    segmentIds: segmentIds && tf.tensor2d(segmentIds, [count, length], "int32"),
    hiddenIndex: tf.tensor1d(hiddenIndex, "int32"),
    targets: tf.tensor1d(targets, "int32"),
    weights: tf.tensor1d(weights),
  };
}
