/** Rows of tokens and images to one batch of host arrays, and those to tensors. */
import { tf } from "../engine/tensorflow";
import type { ModelConfig } from "../model/config";
import type { ModelInputs } from "../model/forward";
import { ropePositions } from "../model/positions";
import { visionInputs, visionPlan, type Grid } from "../model/vision-plan";
import type { ProcessedImage } from "./image-processor";

/**
 * One row: its tokens with expanded placeholders, and its images in order. Rows that use the same image object share
 * its features.
 */
export interface Row {
  inputIds: ArrayLike<number>;
  images: readonly ProcessedImage[];
}

/** A batch as host arrays, rows padded on the right. */
export interface HostInputs {
  batchSize: number;
  /** Padded length T. */
  length: number;
  /** Length of each row without padding. */
  lengths: number[];
  /** [B, T] */
  inputIds: Int32Array;
  /** [3, B, T] */
  positionIds: Int32Array;
  /** [B, T], -1 for text and padding. */
  featureIndex: Int32Array;
  /** What to add to a later token's index in its row to get its position. */
  ropeDeltas: number[];
  /** Patches of the distinct images; null without images. */
  pixelValues: Float32Array | null;
  /** Grids of the distinct images. */
  grids: Grid[];
}

/** Options of `collate`. */
export interface CollateOptions {
  padTokenId: number;
  /** Padded length, to keep shapes few; default the longest row. */
  length?: number;
}

/**
 * Collates rows.
 * @throws Error naming row and counts when a row is too long or its placeholders don't match its images
 */
export function collate(config: ModelConfig, rows: readonly Row[], options: CollateOptions): HostInputs {
  if (rows.length === 0) throw new Error("collate: no rows");
  const lengths = rows.map((row) => row.inputIds.length);
  const length = options.length ?? Math.max(...lengths);
  const batchSize = rows.length;
  const inputIds = new Int32Array(batchSize * length).fill(options.padTokenId);
  const positionIds = new Int32Array(3 * batchSize * length);
  const featureIndex = new Int32Array(batchSize * length).fill(-1);
  const ropeDeltas: number[] = [];
  const unit = config.vision.spatialMergeSize ** 2;
  const firstFeature = new Map<ProcessedImage, number>();
  let features = 0;
  rows.forEach((row, b) => {
    if (lengths[b] > length)
      throw new Error(`collate: row ${b} has ${lengths[b]} tokens, more than the padded length ${length}`);
    let positions: ReturnType<typeof ropePositions>;
    try {
      positions = ropePositions(
        config,
        row.inputIds,
        row.images.map((image) => image.grid),
      );
    } catch (error) {
      throw new Error(`collate: row ${b}: ${(error as Error).message}`);
    }
    ropeDeltas.push(positions.ropeDelta);
    [positions.temporal, positions.height, positions.width].forEach((axis, i) =>
      positionIds.set(axis, (i * batchSize + b) * length),
    );
    inputIds.set(Array.from(row.inputIds), b * length);
    const places: number[] = [];
    for (const image of row.images) {
      const tokens = (image.grid[0] * image.grid[1] * image.grid[2]) / unit;
      let first = firstFeature.get(image);
      if (first === undefined) {
        firstFeature.set(image, (first = features));
        features += tokens;
      }
      for (let i = 0; i < tokens; i++) places.push(first + i);
    }
    let next = 0;
    for (let t = 0; t < lengths[b]; t++)
      if (row.inputIds[t] === config.imageTokenId) featureIndex[b * length + t] = places[next++];
  });
  const images = [...firstFeature.keys()];
  let pixelValues: Float32Array | null = null;
  if (images.length > 0) {
    pixelValues = new Float32Array(images.reduce((total, image) => total + image.pixelValues.length, 0));
    let offset = 0;
    for (const image of images) {
      pixelValues.set(image.pixelValues, offset);
      offset += image.pixelValues.length;
    }
  }
  return {
    batchSize,
    length,
    lengths,
    inputIds,
    positionIds,
    featureIndex,
    ropeDeltas,
    pixelValues,
    grids: images.map((image) => image.grid),
  };
}

/** The tensors of a batch; the caller disposes them. */
export function modelInputs(config: ModelConfig, host: HostInputs): ModelInputs {
  const { batchSize, length } = host;
  const patchValues = config.vision.inChannels * config.vision.temporalPatchSize * config.vision.patchSize ** 2;
  const { pixelValues } = host;
  const plan = pixelValues && visionPlan(config, host.grids);
  if (plan && pixelValues.length !== plan.patches * patchValues)
    throw new Error(
      `modelInputs: ${pixelValues.length} pixel values for ${plan.patches} patches of ${patchValues}: the preprocessor and the model disagree on the patch size`,
    );
  return {
    inputIds: tf.tensor2d(host.inputIds, [batchSize, length], "int32"),
    positionIds: tf.tensor3d(host.positionIds, [3, batchSize, length], "int32"),
    featureIndex: tf.tensor2d(host.featureIndex, [batchSize, length], "int32"),
    pixelValues: plan && tf.tensor2d(pixelValues, [plan.patches, patchValues]),
    vision: plan && visionInputs(plan),
  };
}
