/**
 * Qwen2.5-VL's decoder: grouped-query attention with q/k/v biases, M-RoPE, RMSNorm, SwiGLU. How a layer attends is a
 * parameter (`Attend`): training passes `causalAttention`, generation closures over a KV cache.
 */
import { attention, causalMask, MASKED, type AttentionOptions } from "../engine/attention";
import { gatherRows, mergeRows } from "../engine/gather";
import { rmsNorm, rotary, rotaryTablesOf, type RotaryTables } from "../engine/ops";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import type { ModelConfig } from "./config";
import { layerOf, layerWithParts, mlp, param, project } from "./project";

/**
 * Attention of one layer: q [B, T, heads, headDim], k and v [B, T, kvHeads, headDim], rotated and unscaled -> [B, T,
 * heads * headDim]. In a decoding step all of them are without T.
 */
export interface Attend {
  (q: Tensor, k: Tensor, v: Tensor, reads?: Tensor[]): Tensor;
  /**
   * Float32 tensors it reads besides, which a layer that is computed again must be given: masks, keys and values of
   * other tokens.
   */
  reads?: Tensor[];
  /** The same of q and k as they were before they were rotated by `tables`, where it rotates them itself. */
  rotating?: (q: Tensor, k: Tensor, v: Tensor, tables: RotaryTables, reads?: Tensor[]) => Tensor;
}

/** An attention that reads `reads`, through its last argument. */
export const attendTo = (
  reads: Tensor[],
  attend: (q: Tensor, k: Tensor, v: Tensor, reads: Tensor[]) => Tensor,
): Attend => Object.assign((q: Tensor, k: Tensor, v: Tensor, own = reads) => attend(q, k, v, own), { reads });

/** An attention to a row's own tokens, which rotates queries and keys itself. */
const attendWith = (options: (reads: Tensor[]) => AttentionOptions, reads: Tensor[] = []): Attend =>
  Object.assign(
    attendTo(reads, (q, k, v, own) => attention(q, k, v, options(own))),
    {
      rotating: (q: Tensor, k: Tensor, v: Tensor, rotary: RotaryTables, own = reads) =>
        attention(q, k, v, { ...options(own), rotary }),
    },
  );

/** Token embeddings. @param inputIds int32 [B, T] @returns [B, T, hiddenSize] */
export function embedTokens(params: Params, inputIds: Tensor): Tensor {
  return gatherRows(param(params, "model.embed_tokens.weight"), inputIds);
}

/**
 * Puts image features in the place of placeholder embeddings.
 * @param embeds [B, T, D]
 * @param features [N, D] of all images
 * @param featureIndex int32 [B, T]: row of `features`, or -1 for text. Several rows of the batch may use the same
 * image.
 */
export function mergeImageFeatures(embeds: Tensor, features: Tensor, featureIndex: Tensor): Tensor {
  return mergeRows(embeds, features, featureIndex);
}

/**
 * M-RoPE tables [B, T, 1, headDim]: the first `mropeSection[0]` frequencies follow the temporal position, the next the
 * height, the rest the width; for text all three are equal. Products, not a matmul: exact under TF32.
 * @param positionIds int32 [3, B, T]
 */
export function rotaryTables(config: ModelConfig, positionIds: Tensor): RotaryTables {
  return tf.tidy(() => {
    const { headDim, ropeTheta, mropeSection } = config.text;
    const [, batch, length] = positionIds.shape as [number, number, number];
    const positions = tf.split(positionIds.cast("float32").reshape([3, batch, length, 1]), 3, 0);
    let first = 0;
    const parts = mropeSection.flatMap((size, axis) => {
      const start = first;
      first += size;
      if (size === 0) return [];
      const inverseFrequencies = Float32Array.from(
        { length: size },
        (_, i) => ropeTheta ** ((-2 * (start + i)) / headDim),
      );
      return [positions[axis].mul(tf.tensor1d(inverseFrequencies))];
    });
    return rotaryTablesOf(tf.concat(parts, 3).reshape([batch, length, 1, headDim / 2]));
  });
}

/** Causal self-attention for rows padded on the right: a query never sees the later padding, so that needs no mask. */
export function causalAttention(): Attend {
  return attendWith(() => ({ causal: true }));
}

/**
 * Causal self-attention within each of the rows that were packed into one.
 * @param segmentIds int32 [B, T], -1 for padding
 */
export function packedAttention(segmentIds: Tensor): Attend {
  const [, length] = segmentIds.shape as [number, number];
  const other = tf.tidy(() =>
    segmentIds.expandDims(2).notEqual(segmentIds.expandDims(1)).cast("float32").mul(MASKED).add(causalMask(length)),
  );
  return attendWith(([mask]) => ({ mask }), [other]);
}

/**
 * One decoder layer, [B, T, hiddenSize] -> the same.
 * @param attend how this layer attends
 * @param places int32 [S], in the flattened [B * T]: the only ones whose states are asked for, [S, hiddenSize]. The
 * others are read by attention alone, and neither mixed nor fed forward
 */
export function decoderLayer(
  params: Params,
  config: ModelConfig,
  layer: number,
  hidden: Tensor,
  tables: RotaryTables,
  attend: Attend,
  reads?: Tensor[],
  places: Tensor | null = null,
): Tensor {
  const { numAttentionHeads, numKeyValueHeads, headDim, rmsNormEps } = config.text;
  const name = `model.layers.${layer}`;
  const x = rmsNorm(hidden, param(params, `${name}.input_layernorm.weight`), rmsNormEps);
  const heads = (projection: string, count: number): Tensor =>
    project(params, `${name}.self_attn.${projection}`, x).reshape([...x.shape.slice(0, -1), count, headDim]);
  const [q, k, v] = [
    heads("q_proj", numAttentionHeads),
    heads("k_proj", numKeyValueHeads),
    heads("v_proj", numKeyValueHeads),
  ];
  const asked = (y: Tensor): Tensor => (places ? gatherRows(y.reshape([-1, y.shape[y.rank - 1]]), places) : y);
  const attended = asked(
    attend.rotating ? attend.rotating(q, k, v, tables, reads) : attend(rotary(q, tables), rotary(k, tables), v, reads),
  );
  const mixed = asked(hidden).add(project(params, `${name}.self_attn.o_proj`, attended));
  return mixed.add(
    mlp(params, `${name}.mlp`, rmsNorm(mixed, param(params, `${name}.post_attention_layernorm.weight`), rmsNormEps)),
  );
}

/**
 * All layers and the final norm.
 * @param embeds [B, T, hiddenSize]; in a decoding step [B, hiddenSize], one token of each row
 * @param positionIds int32 [3, B, T]
 * @param attend the attention of each layer
 * @param recompute keep each layer's inputs alone and compute the layer again in the backward pass
 * @param places int32 [S], in the flattened [B * T]: the only states that are asked for; they outlive the step. Null
 * for all
 * @returns of embeds' shape, or [S, hiddenSize]
 */
export function decode(
  params: Params,
  config: ModelConfig,
  embeds: Tensor,
  positionIds: Tensor,
  attend: (layer: number) => Attend,
  recompute = false,
  places: Tensor | null = null,
): Tensor {
  return tf.tidy(() => {
    let tables = rotaryTables(config, positionIds);
    if (embeds.rank === 2) tables = { cos: tf.squeeze(tables.cos, [1]), sin: tf.squeeze(tables.sin, [1]) };
    let hidden = embeds;
    for (let layer = 0; layer < config.text.numHiddenLayers; layer++) {
      const how = attend(layer);
      const asked = layer === config.text.numHiddenLayers - 1 ? places : null;
      const run = (own: Params, [x, cos, sin, ...reads]: Tensor[]): Tensor =>
        decoderLayer(own, config, layer, x, { cos, sin }, how, reads, asked);
      hidden = layerOf(
        params,
        `model.layers.${layer}.`,
        [hidden, tables.cos, tables.sin, ...(how.reads ?? [])],
        run,
        recompute,
      );
    }
    return rmsNorm(hidden, param(params, "model.norm.weight"), config.text.rmsNormEps);
  });
}

/** The tokens of P prompts, padded on the right, and where each ends. */
export interface PromptEnds {
  /** int32 [P]: place of each prompt's last token in the flattened [P * T]. */
  last: Tensor;
  /** [P, 1, 1, T]: 0 for a token, -1e9 for padding. */
  mask: Tensor;
}

/**
 * The last layer of `prefill`: keys and values of all tokens, the rest for the last token of each prompt.
 * @returns states [P, hiddenSize], keys and values [P, T, kvHeads, headDim]
 */
function lastLayer(
  params: Params,
  config: ModelConfig,
  layer: number,
  hidden: Tensor,
  { cos, sin }: RotaryTables,
  ends: PromptEnds,
): Tensor[] {
  const { numAttentionHeads: heads, numKeyValueHeads: kv, headDim, hiddenSize, rmsNormEps } = config.text;
  const [prompts, length] = hidden.shape as [number, number];
  const name = `model.layers.${layer}`;
  const atEnd = (x: Tensor, shape: number[]): Tensor => gatherRows(x.reshape([prompts * length, ...shape]), ends.last);
  const x = rmsNorm(hidden, param(params, `${name}.input_layernorm.weight`), rmsNormEps);
  const of = (projection: string, from: Tensor, count: number): Tensor =>
    project(params, `${name}.self_attn.${projection}`, from).reshape([...from.shape.slice(0, -1), count, headDim]);
  const [k, v] = [rotary(of("k_proj", x, kv), { cos, sin }), of("v_proj", x, kv)];
  const tables = { cos: atEnd(cos, [1, headDim]), sin: atEnd(sin, [1, headDim]) };
  const q = rotary(of("q_proj", atEnd(x, [hiddenSize]), heads), tables).expandDims(1);
  const attended = attention(q, k, v, { mask: ends.mask.reshape([prompts, 1, length]) }).reshape([
    prompts,
    heads * headDim,
  ]);
  const mixed = atEnd(hidden, [hiddenSize]).add(project(params, `${name}.self_attn.o_proj`, attended));
  return [
    mixed.add(
      mlp(params, `${name}.mlp`, rmsNorm(mixed, param(params, `${name}.post_attention_layernorm.weight`), rmsNormEps)),
    ),
    k,
    v,
  ];
}

/**
 * Prompts as those who go on from them need them: what later tokens attend to, and the states that predict each first
 * one. The last layer computes no other states.
 * @param embeds [P, T, hiddenSize], padded on the right
 * @returns states [P, hiddenSize] of the last tokens; keys and values [P, kvHeads, T, headDim] per layer, rotated
 */
export function prefill(
  params: Params,
  config: ModelConfig,
  embeds: Tensor,
  positionIds: Tensor,
  ends: PromptEnds,
  recompute = false,
): { states: Tensor; keys: Tensor[]; values: Tensor[] } {
  return tf.tidy(() => {
    const tables = rotaryTables(config, positionIds);
    const { numKeyValueHeads: kv, headDim, hiddenSize, numHiddenLayers, rmsNormEps } = config.text;
    const [prompts, length] = embeds.shape as [number, number];
    const keys: Tensor[] = [];
    const values: Tensor[] = [];
    let hidden = embeds;
    for (let layer = 0; layer < numHiddenLayers; layer++) {
      const isLast = layer === numHiddenLayers - 1;
      const run = (own: Params, [x, cos, sin]: Tensor[]): Tensor[] => {
        if (isLast) return lastLayer(own, config, layer, x, { cos, sin }, ends);
        const handedOut: Tensor[] = [];
        const states = decoderLayer(own, config, layer, x, { cos, sin }, (q, k, v) => {
          handedOut.push(k, v);
          return attention(q, k, v, { causal: true });
        });
        return [states, ...handedOut];
      };
      const shapes = [
        isLast ? [prompts, hiddenSize] : [prompts, length, hiddenSize],
        [prompts, length, kv, headDim],
        [prompts, length, kv, headDim],
      ];
      const [states, k, v] = layerWithParts(
        params,
        `model.layers.${layer}.`,
        [hidden, tables.cos, tables.sin],
        run,
        shapes,
        recompute,
      );
      hidden = states;
      keys.push(k.transpose([0, 2, 1, 3]));
      values.push(v.transpose([0, 2, 1, 3]));
    }
    return { states: rmsNorm(hidden, param(params, "model.norm.weight"), rmsNormEps), keys, values };
  });
}

/**
 * Logits [..., vocabSize] of hidden states [..., hiddenSize]; with tied embeddings their table is the weight, unless
 * the record has one for the head.
 */
export function lmHead(params: Params, config: ModelConfig, hidden: Tensor): Tensor {
  const own = params["lm_head.weight"] !== undefined || !config.tieWordEmbeddings;
  return project(own ? params : { "lm_head.weight": param(params, "model.embed_tokens.weight") }, "lm_head", hidden);
}
