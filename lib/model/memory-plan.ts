/**
 * What a run needs in memory, from shapes alone. Parameters and weights' gradients are exact; activations are what the
 * backward pass keeps in float32, counted per layer. `npm run measure-memory` compares with what a step takes
 * (docs/memory.json).
 */
import type { ModelConfig } from "./config";
import { loraModules } from "./lora";
import type { LoraConfig } from "./lora-config";
import { paramShapes } from "./shapes";

/** Bytes of a float32. */
const FLOAT = 4;

/** A line of a plan. */
export interface PlanItem {
  name: string;
  bytes: number;
  /** How the number comes about. */
  how: string;
}

/** One phase of a run. */
export interface Phase {
  name: string;
  items: PlanItem[];
  bytes: number;
}

/** Rows of equal length, and the distinct images they show. */
export interface RowsShape {
  rows: number;
  /** Tokens of prompt (image tokens included) and response. */
  promptTokens: number;
  responseTokens: number;
  images: number;
  /** Patches of one image. */
  imagePatches: number;
  /** Prompts, where rows share them (a group's responses): each passes the model once. Default one a row. */
  prompts?: number;
}

/** Numbers of parameters: all, and those that a run trains. */
export interface ParameterCounts {
  model: number;
  adapter: number;
  trained: number;
  /** Bytes of each of the model's: 2 where an adapter is trained beside bfloat16 weights. Default 4. */
  weightBytes?: 2 | 4;
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/**
 * Counts parameters.
 * @param lora the adapter that is trained in place of the model, or null
 * @param visionTrained whether the vision tower learns
 */
export function parameterCounts(config: ModelConfig, lora: LoraConfig | null, visionTrained: boolean): ParameterCounts {
  const counts = { model: 0, adapter: 0, trained: 0 };
  const learns = (name: string): boolean => visionTrained || !name.startsWith("visual.");
  for (const [name, shape] of Object.entries(paramShapes(config))) {
    counts.model += sizeOf(shape);
    if (!lora && learns(name)) counts.trained += sizeOf(shape);
  }
  for (const [name, { shape, rank }] of lora ? Object.entries(loraModules(config, lora)) : []) {
    counts.adapter += rank * (shape[0] + shape[1]);
    if (learns(name)) counts.trained += rank * (shape[0] + shape[1]);
  }
  return counts;
}

/**
 * Floats that the backward pass of one decoder row of `tokens` keeps: per layer and token two norms (each its input
 * scaled and its output), q, k, v, the attention's output and probabilities, four of the MLP's width.
 * @param attended tokens that each attends to, where there are others before the row's own
 */
export function decoderActivations({ text }: ModelConfig, tokens: number, attended = tokens): number {
  const kv = text.numKeyValueHeads * text.headDim;
  const perToken = 6 * text.hiddenSize + 2 * kv + text.numAttentionHeads * attended + 4 * text.intermediateSize;
  return text.numHiddenLayers * tokens * perToken;
}

/** The same of one image of `patches` in the vision tower; blocks with windows attend within them. */
export function visionActivations({ vision }: ModelConfig, patches: number): number {
  const window = Math.min(patches, (vision.windowSize / vision.patchSize) ** 2);
  const full = vision.fullattBlockIndexes.filter((block) => block < vision.depth).length;
  const perPatch =
    vision.depth * (8 * vision.hiddenSize + 4 * vision.intermediateSize) +
    vision.numHeads * (full * patches + (vision.depth - full) * window);
  return patches * perPatch;
}

/** Floats of the keys and values of `tokens`. */
export const cacheFloats = ({ text }: ModelConfig, tokens: number): number =>
  2 * text.numHiddenLayers * text.numKeyValueHeads * text.headDim * tokens;

/** The weights' line: the adapter is always in float32. */
function weightsItem({ model, adapter, weightBytes = FLOAT }: ParameterCounts): PlanItem {
  const bytes = weightBytes * model + FLOAT * adapter;
  if (weightBytes === FLOAT) return { name: "weights", bytes, how: `${model + adapter} parameters in float32` };
  return { name: "weights", bytes, how: `${model} parameters in bfloat16, ${adapter} in float32` };
}

const phase = (name: string, items: PlanItem[]): Phase => ({
  name,
  items,
  bytes: items.reduce((total, item) => total + item.bytes, 0),
});

/**
 * Measured on CPU (docs/memory.json): TensorFlow's pool of large blocks keeps a share beyond what is in use, and
 * functions and threads take some.
 */
const POOL_SHARE = 0.25;
const ENGINE = 2 ** 27;

/** Places whose logits are made at once under gradient checkpointing (`lib/train/state-log-probs.ts`). */
export const LOGITS_AT_ONCE = 1024;

/**
 * Bytes of parameters that are updated at once (`lib/train/update.ts`); where a run trains more, a group's moments and
 * parameters are made one after the other.
 */
export const UPDATE_GROUP = 2 ** 25;

/**
 * A training step. Updated as a whole, new parameters and moments are there before the old ones are disposed; in
 * groups, each tensor of the largest group has a new one and what it is made from beside it.
 * @param passes forward passes with gradient over each row (2 where the negative's log-probs are recomputed)
 * @param recompute gradient checkpointing: a layer keeps its input, and one layer at a time its activations
 */
export function trainingPhase(
  name: string,
  config: ModelConfig,
  counts: ParameterCounts,
  shape: RowsShape,
  passes: number,
  visionTrained: boolean,
  recompute = false,
): Phase {
  const { rows, promptTokens, responseTokens, images, imagePatches } = shape;
  const tokens = promptTokens + responseTokens;
  const { text, vision } = config;
  const { prompts } = shape;
  const all =
    prompts === undefined
      ? rows * decoderActivations(config, tokens)
      : prompts * decoderActivations(config, promptTokens) + rows * decoderActivations(config, responseTokens, tokens);
  const places = prompts === undefined ? rows * tokens : prompts * promptTokens + rows * responseTokens;
  const decoder = recompute
    ? passes * text.numHiddenLayers * places * text.hiddenSize + all / text.numHiddenLayers
    : passes * all; // one layer of one pass at a time
  const tower = recompute
    ? vision.depth * imagePatches * vision.hiddenSize + visionActivations(config, imagePatches) / vision.depth
    : visionActivations(config, imagePatches);
  const grouped = FLOAT * counts.trained > UPDATE_GROUP;
  const table = text.vocabSize * text.hiddenSize;
  const copied = grouped
    ? Math.min(counts.trained, Math.max(UPDATE_GROUP / FLOAT, counts.trained > table ? table : 0))
    : counts.trained;
  const scored = rows * passes * responseTokens;
  const layers = recompute ? ", inputs of layers only" : "";
  const held: PlanItem[] = [
    weightsItem(counts),
    {
      name: "gradients",
      bytes: FLOAT * counts.trained,
      how: `${counts.trained} trained parameters; those of parts are summed in place`,
    },
    { name: "optimizer", bytes: 2 * FLOAT * counts.trained, how: "two moments of each" },
    {
      name: "new copies",
      bytes: (grouped ? 2 : 3) * FLOAT * copied,
      how: grouped ? "of the largest group, one kind after the other" : "weights and moments before the old ones go",
    },
  ];
  const passing: PlanItem[] = [
    {
      name: "activations",
      bytes: FLOAT * decoder,
      how: `${rows} rows of ${tokens} tokens${prompts === undefined ? "" : ` on ${prompts} prompts`}, ${passes} ${passes === 1 ? "pass" : "passes"}${layers}`,
    },
    ...(visionTrained
      ? [
          {
            name: "vision activations",
            bytes: FLOAT * images * tower,
            how: `${images} images of ${imagePatches} patches${layers}`,
          },
        ]
      : []),
    {
      name: "logits",
      bytes: 2 * FLOAT * (recompute ? Math.min(LOGITS_AT_ONCE, scored) : scored) * config.text.vocabSize,
      how: `${rows * passes} x ${responseTokens} scored places${recompute ? `, ${LOGITS_AT_ONCE} at once` : ""}, and their gradient`,
    },
  ];
  const sum = (items: PlanItem[]): number => items.reduce((total, item) => total + item.bytes, 0);
  return phase(name, [
    ...held,
    ...passing,
    {
      name: "allocator",
      bytes: POOL_SHARE * sum(held) + ENGINE,
      how: `${100 * POOL_SHARE} % of weights, gradients and moments, and TensorFlow itself (measured)`,
    },
  ]);
}

/** Generation of `shape.rows` rows, `perPrompt` to a prompt, which share its cache. */
export function generationPhase(
  name: string,
  config: ModelConfig,
  counts: ParameterCounts,
  shape: RowsShape,
  perPrompt: number,
): Phase {
  const { rows, promptTokens, responseTokens } = shape;
  const prompts = Math.ceil(rows / perPrompt);
  return phase(name, [
    weightsItem(counts),
    {
      name: "prompts' attention",
      bytes: 2 * FLOAT * prompts * config.text.numAttentionHeads * promptTokens ** 2,
      how: `scores and probabilities of one layer, ${prompts} prompts at once`,
    },
    {
      name: "prompts' KV cache",
      bytes: FLOAT * prompts * cacheFloats(config, promptTokens),
      how: `${prompts} prompts of ${promptTokens} tokens`,
    },
    {
      name: "rows' KV cache",
      bytes: 2 * FLOAT * rows * cacheFloats(config, responseTokens),
      how: `${rows} rows of ${responseTokens} tokens, twice while chunks are joined`,
    },
    { name: "probabilities", bytes: 2 * FLOAT * rows * config.text.vocabSize, how: `${rows} rows of the vocabulary` },
  ]);
}
