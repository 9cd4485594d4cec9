/**
 * Responses that share their prompts, as tensors: a group's prompt stands in the batch once, however many responses it
 * has, and the responses' tokens stand one after another, so that only attention meets padding.
 */
import { roundedUp } from "../engine/buckets";
import type { Packing } from "../engine/gather";
import { tf, type Tensor } from "../engine/tensorflow";
import { nextPosition, promptBatch, type PromptBatch } from "../rollout/prompts";
import type { PromptRow } from "../rollout/types";

/** A response and what it answers. */
export interface GroupRow {
  /** Which prompt of the batch. */
  prompt: number;
  tokenIds: readonly number[];
  /** Whether its tokens are scored; a row that only pads is not. */
  scored: boolean;
}

/**
 * P prompts and B responses of up to R tokens; S places for the tokens that the model reads: all of a response but its
 * last.
 */
export interface GroupBatch {
  prompts: PromptBatch;
  /** int32 `[B]`: the prompt of each response. */
  promptOf: Tensor;
  /** int32 `[1,S]` */
  inputIds: Tensor;
  /** int32 `[3,1,S]` */
  positionIds: Tensor;
  /** Where the S tokens stand in rows `[B,R-1]`, for attention. */
  read: Packing;
  /** int32 `[B+S]`: each response's first token, then what follows each token that is read. */
  targets: Tensor;
  /** Where the `B+S` predictions stand in `[B,R]`. */
  predicted: Packing;
  /** `[B,R]`: 1 for a scored token, 0 for a free place. */
  weights: Tensor;
}

/** R is a multiple of this (long ones of coarser steps), so that few shapes are compiled. */
const RESPONSE_BUCKET = 8;
/** S is so many quarters of the B (R - 1) places. */
const FILLINGS = 4;

/** Places per response: the longest, rounded up to the bucket. */
export function responsePlaces(rows: readonly GroupRow[]): number {
  return roundedUp(Math.max(...rows.map((row) => row.tokenIds.length)), RESPONSE_BUCKET);
}

/** A packing of the padded places `used`, in their order, into `size` places. */
function packing(used: readonly number[], size: number, count: number): Packing {
  const [index, packed, place, padded] = [
    new Int32Array(size),
    new Float32Array(size),
    new Int32Array(count),
    new Float32Array(count),
  ];
  used.forEach((at, s) => {
    index[s] = at;
    packed[s] = 1;
    place[at] = s;
    padded[at] = 1;
  });
  return {
    index: tf.tensor1d(index, "int32"),
    packed: tf.tensor1d(packed),
    place: tf.tensor1d(place, "int32"),
    padded: tf.tensor1d(padded),
  };
}

/** @throws Error where a response points at no prompt or has no tokens, or a prompt is empty */
export function groupBatch(prompts: readonly PromptRow[], rows: readonly GroupRow[]): GroupBatch {
  const places = responsePlaces(rows);
  const batch = promptBatch(prompts);
  const first = prompts.map(nextPosition);
  const weights = new Float32Array(rows.length * places);
  const [read, ids, positions, targets]: number[][] = [[], [], [], rows.map((row) => row.tokenIds[0])];
  rows.forEach(({ prompt, tokenIds, scored }, b) => {
    if (!(prompt in prompts))
      throw new Error(`groupBatch: response ${b} belongs to prompt ${prompt}; there are ${prompts.length}`);
    if (tokenIds.length === 0) throw new Error(`groupBatch: response ${b} has no tokens`);
    if (scored) weights.fill(1, b * places, b * places + tokenIds.length);
    for (let i = 0; i + 1 < tokenIds.length; i++) {
      read.push(b * (places - 1) + i);
      ids.push(tokenIds[i]);
      positions.push(first[prompt] + i);
      targets.push(tokenIds[i + 1]);
    }
  });
  const count = rows.length * (places - 1);
  const size = Math.min(
    count,
    Math.ceil(Math.max(1, read.length) / Math.ceil(count / FILLINGS)) * Math.ceil(count / FILLINGS),
  );
  const fill = (values: readonly number[], length: number): Int32Array =>
    Int32Array.from({ length }, (_, i) => values[i] ?? 0);
  const predicted = [...rows.map((_, b) => b * places), ...read.map((at) => at + Math.floor(at / (places - 1)) + 1)];
  return {
    prompts: batch,
    promptOf: tf.tensor1d(
      rows.map((row) => row.prompt),
      "int32",
    ),
    inputIds: tf.tensor2d(fill(ids, size), [1, size], "int32"),
    positionIds: tf.tensor3d(
      new Int32Array([0, 1, 2].flatMap(() => [...fill(positions, size)])),
      [3, 1, size],
      "int32",
    ),
    read: packing(read, size, count),
    targets: tf.tensor1d(fill(targets, rows.length + size), "int32"),
    predicted: packing(predicted, rows.length + size, rows.length * places),
    weights: tf.tensor2d(weights, [rows.length, places]),
  };
}
