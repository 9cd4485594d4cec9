/**
 * The host side of the vision tower: in which order patches are visited and which attend to each other.
 * A pure function of the image grids; equal grids give equal plans, so a plan can be kept and reused.
 * Reference: transformers, `get_vision_window_index`, `get_vision_position_ids`, `get_vision_cu_seqlens`.
 */
import { tf, type Tensor } from "../engine/tensorflow";
import type { ModelConfig } from "./config";

/** Temporal, height and width extent of an image in patches. */
export type Grid = [t: number, h: number, w: number];

/** Runs of consecutive patches (window order) that attend to each other, as host arrays. */
export interface SegmentPlan {
  count: number;
  /** The longest segment, patches. */
  length: number;
  /** null when all segments have `length` patches; else for each place of [count, length] the patch (0 where padded). */
  index: Int32Array | null;
  /** null as above; else each patch's place. */
  inverse: Int32Array | null;
  /** null as above; else [count, length], 0 for a patch and -1e9 for padding. */
  mask: Float32Array | null;
}

/** What `encodeImages` needs besides the pixels, as host arrays. */
export interface VisionPlan {
  /** Patches of all images. */
  patches: number;
  /** Image tokens of all images: patches / spatialMergeSize². */
  tokens: number;
  /** [tokens] the merge group (2x2 patches) visited i-th; windows are contiguous. */
  windowIndex: Int32Array;
  /** [tokens] where each group went: the inverse of `windowIndex`. */
  reverseIndex: Int32Array;
  /** [patches, 2] row and column of each patch in its image, in window order. */
  positions: Float32Array;
  windowSegments: SegmentPlan;
  fullSegments: SegmentPlan;
}

/** `SegmentPlan` with tensors. */
export interface Segments {
  count: number;
  length: number;
  index: Tensor | null;
  inverse: Tensor | null;
  /** Additive, [count, 1, 1, length]. */
  mask: Tensor | null;
}

/** `VisionPlan` with tensors: an argument of compiled functions. */
export interface VisionInputs {
  windowIndex: Tensor;
  reverseIndex: Tensor;
  positions: Tensor;
  windowSegments: Segments;
  fullSegments: Segments;
}

function segmentPlan(lengths: readonly number[]): SegmentPlan {
  const count = lengths.length;
  const length = Math.max(...lengths);
  if (lengths.every((n) => n === length)) return { count, length, index: null, inverse: null, mask: null };
  const index = new Int32Array(count * length);
  const inverse = new Int32Array(lengths.reduce((a, b) => a + b, 0));
  const mask = new Float32Array(count * length).fill(-1e9);
  let patch = 0;
  lengths.forEach((n, segment) => {
    for (let i = 0; i < n; i++, patch++) {
      const place = segment * length + i;
      index[place] = patch;
      inverse[patch] = place;
      mask[place] = 0;
    }
  });
  return { count, length, index, inverse, mask };
}

/** The merge groups of one image in window order, and the number of groups in each non-empty window. */
function windowOrder([t, h, w]: Grid, merge: number, side: number): { order: number[]; sizes: number[] } {
  const rows = h / merge;
  const columns = w / merge;
  const order: number[] = [];
  const sizes: number[] = [];
  for (let frame = 0; frame < t; frame++) {
    for (let top = 0; top < rows; top += side) {
      for (let left = 0; left < columns; left += side) {
        const start = order.length;
        for (let row = top; row < Math.min(top + side, rows); row++) {
          for (let column = left; column < Math.min(left + side, columns); column++) order.push((frame * rows + row) * columns + column);
        }
        sizes.push(order.length - start);
      }
    }
  }
  return { order, sizes };
}

/**
 * Plans the vision tower for images of the given grids, packed one after the other.
 * @throws Error when a grid isn't a multiple of the merge size
 */
export function visionPlan(config: ModelConfig, grids: readonly Grid[]): VisionPlan {
  const { spatialMergeSize: merge, windowSize, patchSize } = config.vision;
  if (grids.length === 0) throw new Error("visionPlan: no image; pass pixelValues null for text alone");
  const side = Math.floor(Math.floor(windowSize / merge) / patchSize);
  const unit = merge * merge;
  const windowIndex: number[] = [];
  const windowLengths: number[] = [];
  const fullLengths: number[] = [];
  const positions: number[] = [];
  for (const grid of grids) {
    const [t, h, w] = grid;
    if (![t, h, w].every((n) => Number.isInteger(n) && n > 0) || h % merge !== 0 || w % merge !== 0) {
      throw new Error(`visionPlan: grid [${grid.join(", ")}] isn't made of positive multiples of the merge size ${merge} (height, width)`);
    }
    const offset = windowIndex.length;
    const { order, sizes } = windowOrder(grid, merge, side);
    const columns = w / merge;
    for (const group of order) {
      windowIndex.push(offset + group);
      const inFrame = group % ((h / merge) * columns);
      const top = Math.floor(inFrame / columns) * merge;
      const left = (inFrame % columns) * merge;
      for (let i = 0; i < unit; i++) positions.push(top + Math.floor(i / merge), left + (i % merge));
    }
    windowLengths.push(...sizes.map((n) => n * unit));
    for (let frame = 0; frame < t; frame++) fullLengths.push(h * w);
  }
  const tokens = windowIndex.length;
  const reverseIndex = new Int32Array(tokens);
  windowIndex.forEach((group, i) => (reverseIndex[group] = i));
  return {
    patches: tokens * unit,
    tokens,
    windowIndex: Int32Array.from(windowIndex),
    reverseIndex,
    positions: Float32Array.from(positions),
    windowSegments: segmentPlan(windowLengths),
    fullSegments: segmentPlan(fullLengths),
  };
}

function segmentTensors({ count, length, index, inverse, mask }: SegmentPlan): Segments {
  return {
    count,
    length,
    index: index && tf.tensor1d(index, "int32"),
    inverse: inverse && tf.tensor1d(inverse, "int32"),
    mask: mask && tf.tensor(mask, [count, 1, 1, length]),
  };
}

/** The tensors of a plan; the caller disposes them. */
export function visionInputs(plan: VisionPlan): VisionInputs {
  return {
    windowIndex: tf.tensor1d(plan.windowIndex, "int32"),
    reverseIndex: tf.tensor1d(plan.reverseIndex, "int32"),
    positions: tf.tensor2d(plan.positions, [plan.patches, 2]),
    windowSegments: segmentTensors(plan.windowSegments),
    fullSegments: segmentTensors(plan.fullSegments),
  };
}
