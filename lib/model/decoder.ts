/**
 * Qwen2.5-VL's decoder: grouped-query attention with q/k/v biases, M-RoPE, RMSNorm, SwiGLU.
 * How a layer attends is a parameter (`Attend`): training passes `causalAttention`, generation closures over a KV cache.
 */
import { attention, causalMask, MASKED } from "../engine/attention";
import { rmsNorm, rotary, rotaryTablesOf, type RotaryTables } from "../engine/ops";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import type { ModelConfig } from "./config";
import { layerOf, param, project } from "./project";
import { mlp } from "./vision";

/** Attention of one layer: q [B, T, heads, headDim], k and v [B, T, kvHeads, headDim], rotated and unscaled -> [B, T, heads * headDim]. */
export interface Attend {
  (q: Tensor, k: Tensor, v: Tensor, reads?: Tensor[]): Tensor;
  /** Float32 tensors it reads besides, which a layer that is computed again must be given: masks, keys and values of other tokens. */
  reads?: Tensor[];
}

/** An attention that reads `reads`, through its last argument. */
export const attendTo = (reads: Tensor[], attend: (q: Tensor, k: Tensor, v: Tensor, reads: Tensor[]) => Tensor): Attend => Object.assign((q: Tensor, k: Tensor, v: Tensor, own = reads) => attend(q, k, v, own), { reads });

/** Token embeddings. @param inputIds int32 [B, T] @returns [B, T, hiddenSize] */
export function embedTokens(params: Params, inputIds: Tensor): Tensor {
  return tf.gather(param(params, "model.embed_tokens.weight"), inputIds as tf.Tensor2D);
}

/**
 * Puts image features in the place of placeholder embeddings.
 * @param embeds [B, T, D]
 * @param features [N, D] of all images
 * @param featureIndex int32 [B, T]: row of `features`, or -1 for text. Several rows of the batch may use the same image.
 */
export function mergeImageFeatures(embeds: Tensor, features: Tensor, featureIndex: Tensor): Tensor {
  return tf.tidy(() => {
    const isImage = featureIndex.greaterEqual(tf.scalar(0, "int32")).cast("float32").expandDims(2);
    const isText = tf.sub(1, isImage);
    const placed = tf.gather(features, featureIndex.maximum(tf.scalar(0, "int32")) as tf.Tensor2D);
    return embeds.mul(isText).add(placed.mul(isImage));
  });
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
      const inverseFrequencies = Float32Array.from({ length: size }, (_, i) => ropeTheta ** ((-2 * (start + i)) / headDim));
      return [positions[axis].mul(tf.tensor1d(inverseFrequencies))];
    });
    return rotaryTablesOf(tf.concat(parts, 3).reshape([batch, length, 1, headDim / 2]));
  });
}

/** Causal self-attention for rows padded on the right: a query never sees the later padding, so that needs no mask. */
export function causalAttention(): Attend {
  return (q, k, v) => attention(q, k, v, { causal: true });
}

/** Causal self-attention within each of the rows that were packed into one. @param segmentIds int32 [B, T], -1 for padding */
export function packedAttention(segmentIds: Tensor): Attend {
  const [, length] = segmentIds.shape as [number, number];
  const other = tf.tidy(() => segmentIds.expandDims(2).notEqual(segmentIds.expandDims(1)).cast("float32").mul(MASKED).add(causalMask(length)));
  return attendTo([other], (q, k, v, [mask]) => attention(q, k, v, { mask }));
}

/** One decoder layer, [B, T, hiddenSize] -> the same. @param attend how this layer attends */
export function decoderLayer(params: Params, config: ModelConfig, layer: number, hidden: Tensor, tables: RotaryTables, attend: Attend, reads?: Tensor[]): Tensor {
  const { numAttentionHeads, numKeyValueHeads, headDim, rmsNormEps } = config.text;
  const [batch, length] = hidden.shape;
  const name = `model.layers.${layer}`;
  const x = rmsNorm(hidden, param(params, `${name}.input_layernorm.weight`), rmsNormEps);
  const heads = (projection: string, count: number): Tensor => project(params, `${name}.self_attn.${projection}`, x).reshape([batch, length, count, headDim]);
  const q = rotary(heads("q_proj", numAttentionHeads), tables);
  const k = rotary(heads("k_proj", numKeyValueHeads), tables);
  const mixed = hidden.add(project(params, `${name}.self_attn.o_proj`, attend(q, k, heads("v_proj", numKeyValueHeads), reads)));
  return mixed.add(mlp(params, `${name}.mlp`, rmsNorm(mixed, param(params, `${name}.post_attention_layernorm.weight`), rmsNormEps)));
}

/**
 * All layers and the final norm.
 * @param embeds [B, T, hiddenSize]
 * @param positionIds int32 [3, B, T]
 * @param attend the attention of each layer
 * @param recompute keep each layer's inputs alone and compute the layer again in the backward pass
 * @returns [B, T, hiddenSize]
 */
export function decode(params: Params, config: ModelConfig, embeds: Tensor, positionIds: Tensor, attend: (layer: number) => Attend, recompute = false): Tensor {
  return tf.tidy(() => {
    const tables = rotaryTables(config, positionIds);
    let hidden = embeds;
    for (let layer = 0; layer < config.text.numHiddenLayers; layer++) {
      const how = attend(layer);
      const run = (own: Params, [x, cos, sin, ...reads]: Tensor[]): Tensor => decoderLayer(own, config, layer, x, { cos, sin }, how, reads);
      hidden = layerOf(params, `model.layers.${layer}.`, [hidden, tables.cos, tables.sin, ...(how.reads ?? [])], run, recompute);
    }
    return rmsNorm(hidden, param(params, "model.norm.weight"), config.text.rmsNormEps);
  });
}

/**
 * `decode` with causal attention that also hands out what later tokens attend to.
 * @param embeds [B, T, hiddenSize], padded on the right
 * @returns hidden [B, T, hiddenSize]; keys and values [B, kvHeads, T, headDim] per layer, rotated
 */
export function prefill(params: Params, config: ModelConfig, embeds: Tensor, positionIds: Tensor, recompute = false): { hidden: Tensor; keys: Tensor[]; values: Tensor[] } {
  return tf.tidy(() => {
    const tables = rotaryTables(config, positionIds);
    const { numKeyValueHeads: kv, headDim, hiddenSize } = config.text;
    const [batch, length] = embeds.shape as [number, number];
    const keys: Tensor[] = [];
    const values: Tensor[] = [];
    const byHead = (x: Tensor): Tensor => (x.rank === 3 ? x.reshape([batch, length, kv, headDim]) : x).transpose([0, 2, 1, 3]);
    let hidden = embeds;
    for (let layer = 0; layer < config.text.numHiddenLayers; layer++) {
      if (!recompute) {
        hidden = decoderLayer(params, config, layer, hidden, tables, (q, k, v) => {
          keys.push(byHead(k));
          values.push(byHead(v));
          return attention(q, keys[layer], values[layer], { causal: true, byHead: true });
        });
        continue;
      }
      // what is computed again has one result: the states with the keys and values beside them
      const run = (own: Params, [x, cos, sin]: Tensor[]): Tensor => {
        const handedOut: Tensor[] = [];
        const states = decoderLayer(own, config, layer, x, { cos, sin }, (q, k, v) => {
          handedOut.push(k.reshape([batch, length, -1]), v.reshape([batch, length, -1]));
          return attention(q, k, v, { causal: true });
        });
        return tf.concat([states, ...handedOut], 2);
      };
      const [states, k, v] = tf.split(layerOf(params, `model.layers.${layer}.`, [hidden, tables.cos, tables.sin], run, true), [hiddenSize, kv * headDim, kv * headDim], 2);
      hidden = states;
      keys.push(byHead(k));
      values.push(byHead(v));
    }
    return { hidden: rmsNorm(hidden, param(params, "model.norm.weight"), config.text.rmsNormEps), keys, values };
  });
}

/** Logits [..., vocabSize] of hidden states [..., hiddenSize]; with tied embeddings their table is the weight. */
export function lmHead(params: Params, config: ModelConfig, hidden: Tensor): Tensor {
  return config.tieWordEmbeddings ? project({ "lm_head.weight": param(params, "model.embed_tokens.weight") }, "lm_head", hidden) : project(params, "lm_head", hidden);
}
