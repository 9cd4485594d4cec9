/** M-RoPE position ids of one row of tokens (transformers' `get_rope_index`), on the host. */
import type { ModelConfig } from "./config";
import type { Grid } from "./vision-plan";

/** Positions of one row. */
export interface RowPositions {
  /** Each of the row's length. */
  temporal: Int32Array;
  height: Int32Array;
  width: Int32Array;
  /** What to add to a later token's index to get its position, in all three axes. */
  ropeDelta: number;
}

/**
 * Text advances all three positions by one. An image starts at the next position s: its tokens have
 * (s + t, s + row, s + column) on the merged grid, and text goes on at s + max(rows, columns).
 * @param ids the row without padding, image placeholders expanded
 * @param grids its images in order, in patches
 * @throws Error when placeholders and grids don't match, naming place and counts
 */
export function ropePositions(config: ModelConfig, ids: ArrayLike<number>, grids: readonly Grid[]): RowPositions {
  const merge = config.vision.spatialMergeSize;
  const length = ids.length;
  const temporal = new Int32Array(length);
  const height = new Int32Array(length);
  const width = new Int32Array(length);
  let next = 0;
  let image = 0;
  let i = 0;
  while (i < length) {
    if (ids[i] === config.videoTokenId)
      throw new Error(`ropePositions: token ${i} is a video placeholder; videos are not supported`);
    if (ids[i] !== config.imageTokenId) {
      temporal[i] = height[i] = width[i] = next++;
      i++;
      continue;
    }
    const grid = grids[image++];
    if (!grid)
      throw new Error(`ropePositions: token ${i} starts image ${image}, but the row has ${grids.length} image grids`);
    const [t, rows, columns] = [grid[0], grid[1] / merge, grid[2] / merge];
    const tokens = t * rows * columns;
    for (let j = 0; j < tokens; j++, i++) {
      if (ids[i] !== config.imageTokenId)
        throw new Error(
          `ropePositions: image ${image} of grid [${grid.join(", ")}] needs ${tokens} placeholders; the row has ${j}`,
        );
      temporal[i] = next + Math.floor(j / (rows * columns));
      height[i] = next + (Math.floor(j / columns) % rows);
      width[i] = next + (j % columns);
    }
    next += Math.max(rows, columns);
  }
  if (image !== grids.length)
    throw new Error(`ropePositions: the row has placeholders for ${image} images and ${grids.length} image grids`);
  let last = -1;
  for (let j = 0; j < length; j++) last = Math.max(last, temporal[j], height[j], width[j]);
  return { temporal, height, width, ropeDelta: last + 1 - length };
}
