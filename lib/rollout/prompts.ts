/** Prompts as padded tensors: what prefill and group scoring read. */
import { roundedUp } from "../engine/buckets";
import { tf, type Tensor } from "../engine/tensorflow";
import { MASKED } from "../engine/attention";
import type { PromptRow } from "./types";

/** Tensors of P prompts, padded on the right to T tokens. */
export interface PromptBatch {
  /** int32 `[P,T]` */
  inputIds: Tensor;
  /** int32 `[3,P,T]` */
  positionIds: Tensor;
  /** int32 `[P,T]`: row of the image features; -1 for text and padding. */
  featureIndex: Tensor;
  /** `[P,1,1,T]`: 0 for a token, a large negative number for padding. */
  mask: Tensor;
  /** int32 `[P]`: where each prompt's last token stands in the flattened `[P*T]`. */
  last: Tensor;
}

/** Prompt lengths are padded to a multiple of this (long ones to coarser steps), so that few shapes are compiled. */
const PROMPT_BUCKET = 8;

const paddedLength = (prompts: readonly PromptRow[]): number =>
  roundedUp(Math.max(...prompts.map((p) => p.inputIds.length)), PROMPT_BUCKET);
const pad = (row: readonly number[], length: number, value: number): number[] => [
  ...row,
  ...new Array<number>(length - row.length).fill(value),
];

/** int32 `[P,T]`: which image feature each prompt token stands for. */
export function promptFeatureIndex(prompts: readonly PromptRow[]): Tensor {
  const length = paddedLength(prompts);
  return tf.tensor2d(
    prompts.map((p) => pad(p.featureIndex, length, -1)),
    [prompts.length, length],
    "int32",
  );
}

/** @throws Error where a prompt has no tokens */
export function promptBatch(prompts: readonly PromptRow[]): PromptBatch {
  prompts.forEach((p, i) => {
    if (p.inputIds.length === 0) throw new Error(`prompt ${i} has no tokens`);
  });
  const length = paddedLength(prompts);
  return {
    inputIds: tf.tensor2d(
      prompts.map((p) => pad(p.inputIds, length, 0)),
      [prompts.length, length],
      "int32",
    ),
    positionIds: tf.tensor3d(
      [0, 1, 2].map((axis) => prompts.map((p) => pad(p.positionIds[axis], length, 0))),
      [3, prompts.length, length],
      "int32",
    ),
    featureIndex: promptFeatureIndex(prompts),
    mask: tf.tensor4d(
      prompts.map((p) => [
        [
          pad(
            p.inputIds.map(() => 0),
            length,
            MASKED,
          ),
        ],
      ]),
      [prompts.length, 1, 1, length],
    ),
    last: tf.tensor1d(
      prompts.map((p, i) => i * length + p.inputIds.length - 1),
      "int32",
    ),
  };
}

/**
 * Position of the first token after a prompt: one past its largest, whichever axis that is on (M-RoPE's "rope delta").
 */
export function nextPosition({ positionIds }: PromptRow): number {
  return Math.max(...positionIds.map((axis) => axis.reduce((a, b) => Math.max(a, b), -1))) + 1;
}
