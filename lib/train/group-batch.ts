/** Responses that share their prompts, as tensors: a group's prompt stands in the batch once, however many responses it has. */
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

/** P prompts and B responses of up to R tokens. */
export interface GroupBatch {
  prompts: PromptBatch;
  /** int32 `[B]`: the prompt of each response. */
  promptOf: Tensor;
  /** int32 `[B]`: position of each response's first token. */
  firstPosition: Tensor;
  /** int32 `[B,R]`, 0 in free places. */
  responseIds: Tensor;
  /** `[B,R]`: 1 for a scored token, 0 for a free place. */
  weights: Tensor;
}

/** R is a multiple of this, so that few shapes are compiled. */
const RESPONSE_BUCKET = 16;

/** Places per response: the longest, rounded up to the bucket. */
export function responsePlaces(rows: readonly GroupRow[]): number {
  return Math.max(1, Math.ceil(Math.max(...rows.map((row) => row.tokenIds.length)) / RESPONSE_BUCKET)) * RESPONSE_BUCKET;
}

/** @throws Error where a response points at no prompt, or a prompt is empty */
export function groupBatch(prompts: readonly PromptRow[], rows: readonly GroupRow[]): GroupBatch {
  const places = responsePlaces(rows);
  const ids = new Int32Array(rows.length * places);
  const weights = new Float32Array(rows.length * places);
  rows.forEach(({ prompt, tokenIds, scored }, b) => {
    if (!(prompt in prompts)) throw new Error(`groupBatch: response ${b} belongs to prompt ${prompt}; there are ${prompts.length}`);
    ids.set(tokenIds, b * places);
    if (scored) weights.fill(1, b * places, b * places + tokenIds.length);
  });
  const first = prompts.map(nextPosition);
  return {
    prompts: promptBatch(prompts),
    promptOf: tf.tensor1d(rows.map((row) => row.prompt), "int32"),
    firstPosition: tf.tensor1d(rows.map((row) => first[row.prompt]), "int32"),
    responseIds: tf.tensor2d(ids, [rows.length, places], "int32"),
    weights: tf.tensor2d(weights, [rows.length, places]),
  };
}
