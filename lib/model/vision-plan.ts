/**
 * The host side of the vision tower: in which order patches are visited and which attend to each other.
 * A pure function of the image grids; equal grids give equal plans, so a plan can be kept and reused.
 * Reference: transformers, `get_vision_window_index`, `get_vision_position_ids`, `get_vision_cu_seqlens`.
 */
import { roundedUp } from "../engine/buckets";
import { tf, type Tensor } from "../engine/tensorflow";
import type { ModelConfig } from "./config";

/** Temporal, height and width extent of an image in patches. */
export type Grid = [t: number, h: number, w: number];

/** Where the features of an image stand among those of its batch. */
export interface ImagePlace {
  grid: Grid;
  /** Row of its first feature. */
  first: number;
}

/** Places of the features of images of these grids, one after the other. */
export function imagePlaces({ vision }: ModelConfig, grids: readonly Grid[]): ImagePlace[] {
  let next = 0;
  return grids.map((grid) => {
    const first = next;
    next += (grid[0] * grid[1] * grid[2]) / vision.spatialMergeSize ** 2;
    return { grid, first };
  });
}

/** Runs of consecutive patches (window order) that attend to each other, as host arrays. */
export interface SegmentPlan {
  count: number;
  /** The longest segment, patches. */
  length: number;
  /**
   * null when all segments have `length` patches; else for each place of [count, length] the patch (0 where padded).
   */
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
  /** Additive, [count, 1, length]. */
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

/**
 * Sizes of a plan. Batches of other images share a compiled function where their plans are padded to one shape: patches
 * that belong to no image are computed, read by none, and passed over by every index into the features.
 */
export interface VisionShape {
  /** Patches of all images. */
  patches: number;
  windows: number;
  /** Of the largest window. */
  windowPatches: number;
  /** Runs of full attention: frames of images. */
  frames: number;
  /** Of the largest frame. */
  framePatches: number;
}

/**
 * @param patches of the plan: those of images, which come first, and padding
 * @throws Error where `count` segments of `length` have no place for them
 */
function segmentPlan(lengths: readonly number[], count: number, length: number, patches: number): SegmentPlan {
  if (lengths.length === count && lengths.every((n) => n === length) && count * length === patches)
    return { count, length, index: null, inverse: null, mask: null };
  if (count * length < patches)
    throw new Error(`visionPlan: ${count} segments of ${length} patches hold no ${patches}`);
  const index = new Int32Array(count * length);
  const mask = new Float32Array(count * length).fill(-1e9);
  const inverse = new Int32Array(patches);
  let patch = 0;
  lengths.forEach((n, segment) => {
    for (let i = 0; i < n; i++, patch++) {
      const place = segment * length + i;
      index[place] = patch;
      inverse[patch] = place;
      mask[place] = 0;
    }
  });
  // patches of padding share a place that nobody attends to: nothing flows from it, and no gradient to it
  inverse.fill(
    mask.findIndex((value) => value !== 0),
    patch,
  );
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
          for (let column = left; column < Math.min(left + side, columns); column++)
            order.push((frame * rows + row) * columns + column);
        }
        sizes.push(order.length - start);
      }
    }
  }
  return { order, sizes };
}

/** Side of a window, merge groups. */
const windowSide = ({ vision }: ModelConfig): number =>
  Math.floor(Math.floor(vision.windowSize / vision.spatialMergeSize) / vision.patchSize);

/** What images of these grids need, packed one after the other. */
export function visionShape(config: ModelConfig, grids: readonly Grid[]): VisionShape {
  const merge = config.vision.spatialMergeSize;
  const side = windowSide(config);
  const shape: VisionShape = { patches: 0, windows: 0, windowPatches: 0, frames: 0, framePatches: 0 };
  for (const [t, h, w] of grids) {
    const [rows, columns] = [h / merge, w / merge];
    shape.patches += t * h * w;
    shape.windows += t * Math.ceil(rows / side) * Math.ceil(columns / side);
    shape.windowPatches = Math.max(shape.windowPatches, Math.min(rows, side) * Math.min(columns, side) * merge * merge);
    shape.frames += t;
    shape.framePatches = Math.max(shape.framePatches, h * w);
  }
  return shape;
}

/** `shape` with some room, so that batches of images of many sizes have few shapes. */
export function roomyShape(config: ModelConfig, shape: VisionShape): VisionShape {
  const unit = config.vision.spatialMergeSize ** 2;
  const [patches, windowPatches, framePatches] = [
    roundedUp(shape.patches, 16 * unit),
    roundedUp(shape.windowPatches, unit),
    roundedUp(shape.framePatches, 16 * unit),
  ];
  const holding = (count: number, length: number): number => roundedUp(Math.max(count, Math.ceil(patches / length)), 1);
  return {
    patches,
    windows: holding(shape.windows, windowPatches),
    windowPatches,
    frames: Math.max(shape.frames, Math.ceil(patches / framePatches)),
    framePatches,
  };
}

/** The smallest shape that holds each of `shapes`. @throws Error without any */
export function commonShape(shapes: readonly VisionShape[]): VisionShape {
  if (shapes.length === 0) throw new Error("commonShape: no shapes");
  const most = (key: keyof VisionShape): number => shapes.reduce((n, shape) => Math.max(n, shape[key]), 0);
  return {
    patches: most("patches"),
    windows: most("windows"),
    windowPatches: most("windowPatches"),
    frames: most("frames"),
    framePatches: most("framePatches"),
  };
}

/**
 * Plans the vision tower for images of the given grids, packed one after the other.
 * @param shape padded to it; default what the images need
 * @throws Error when a grid isn't a multiple of the merge size, or the images need more than `shape`
 */
export function visionPlan(
  config: ModelConfig,
  grids: readonly Grid[],
  shape: VisionShape = visionShape(config, grids),
): VisionPlan {
  const { spatialMergeSize: merge } = config.vision;
  if (grids.length === 0) throw new Error("visionPlan: no image; pass pixelValues null for text alone");
  const side = windowSide(config);
  const unit = merge * merge;
  const windowIndex: number[] = [];
  const windowLengths: number[] = [];
  const fullLengths: number[] = [];
  const positions: number[] = [];
  for (const grid of grids) {
    const [t, h, w] = grid;
    if (![t, h, w].every((n) => Number.isInteger(n) && n > 0) || h % merge !== 0 || w % merge !== 0) {
      throw new Error(
        `visionPlan: grid [${grid.join(", ")}] isn't made of positive multiples of the merge size ${merge} (height, width)`,
      );
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
  const needed = visionShape(config, grids);
  for (const key of Object.keys(needed) as (keyof VisionShape)[])
    if (needed[key] > shape[key])
      throw new Error(`visionPlan: the images need ${key} ${needed[key]}; the shape has ${shape[key]}`);
  if (shape.patches % unit !== 0)
    throw new Error(`visionPlan: a shape of ${shape.patches} patches isn't made of merge groups of ${unit}`);
  for (let group = windowIndex.length; group < shape.patches / unit; group++) {
    windowIndex.push(group);
    for (let i = 0; i < 2 * unit; i++) positions.push(0);
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
    windowSegments: segmentPlan(windowLengths, shape.windows, shape.windowPatches, shape.patches),
    fullSegments: segmentPlan(fullLengths, shape.frames, shape.framePatches, shape.patches),
  };
}

function segmentTensors({ count, length, index, inverse, mask }: SegmentPlan): Segments {
  return {
    count,
    length,
    index: index && tf.tensor1d(index, "int32"),
    inverse: inverse && tf.tensor1d(inverse, "int32"),
    mask: mask && tf.tensor(mask, [count, 1, length]),
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
