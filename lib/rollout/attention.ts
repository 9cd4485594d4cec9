/**
 * Attention of a decoding step: to the prompt's cache (one per prompt, shared by its whole group) and to the row's own
 * tokens.
 */
import { MASKED } from "../engine/attention";
import { callKernel, usesKernelsWithoutGradient } from "../engine/kernels";
import { tf, type Tensor } from "../engine/tensorflow";
import type { ModelConfig } from "../model/config";
import type { Attend } from "../model/decoder";

/** Keys or values per layer. */
export type LayerTensors = Tensor[];

/** What one decoding step attends to. B = P prompts x n rows each, a prompt's rows side by side. */
export interface DecodeCache {
  /** `[P,kv,T,hd]` per layer. */
  promptKeys: LayerTensors;
  promptValues: LayerTensors;
  /** `[P,1,1,T]`: 0 for a token, a large negative number for padding. */
  promptMask: Tensor;
  /** Finished chunks, `[B,kv,F,hd]` per layer; empty lists before the first chunk is full. */
  pastKeys: LayerTensors;
  pastValues: LayerTensors;
  /**
   * The chunk being filled, `[B,kv,C,hd]` per layer, zero where nothing is yet. A step uses them up: the kernel writes
   * into them.
   */
  chunkKeys: LayerTensors;
  chunkValues: LayerTensors;
  /** int32 scalar: the slot of this step's token in the chunk. */
  slot: Tensor;
}

/** One-token attention over prompt, past and chunk; hands the chunk with the new keys and values on through `keep`. */
export function decodeAttention(
  config: ModelConfig,
  cache: DecodeCache,
  keep: (layer: number, key: Tensor, value: Tensor) => void,
): (layer: number) => Attend {
  return usesKernelsWithoutGradient() ? fused(config, cache, keep) : composed(config, cache, keep);
}

function fused(
  { text: { numAttentionHeads: heads, numKeyValueHeads: kv, headDim } }: ModelConfig,
  cache: DecodeCache,
  keep: (layer: number, key: Tensor, value: Tensor) => void,
): (layer: number) => Attend {
  const prompts = cache.promptMask.shape[0];
  const mask = tf.reshape(cache.promptMask, [prompts, -1]);
  return (layer) => (q, k, v) => {
    const rows = q.shape[0];
    const none = cache.pastKeys.length === 0 ? tf.zeros([rows, kv, 0, headDim]) : null;
    const inputs = [
      q,
      k,
      v,
      cache.promptKeys[layer],
      cache.promptValues[layer],
      mask,
      none ?? cache.pastKeys[layer],
      none ?? cache.pastValues[layer],
    ];
    const [out, keys, values] = callKernel(
      "DecodeAttention",
      [...inputs, cache.chunkKeys[layer], cache.chunkValues[layer], cache.slot],
      3,
    );
    keep(layer, keys, values);
    return tf.reshape(out, [rows, heads * headDim]);
  };
}

/** The queries are scaled before the products (a Grappler rewrite makes the other order 200 times slower on CPU). */
function composed(
  { text: { numAttentionHeads: heads, numKeyValueHeads: kv, headDim } }: ModelConfig,
  cache: DecodeCache,
  keep: (layer: number, key: Tensor, value: Tensor) => void,
): (layer: number) => Attend {
  const group = heads / kv;
  const places = tf.range(0, cache.chunkKeys[0].shape[2]!, 1, "int32");
  const isSlot = tf.cast(tf.equal(places, cache.slot), "float32");
  const chunkMask = tf.mul(tf.cast(tf.greater(places, cache.slot), "float32"), MASKED);
  return (layer) => (q, k, v) => {
    const rows = q.shape[0];
    const prompts = cache.promptMask.shape[0];
    const perPrompt = rows / prompts;
    const promptLength = cache.promptMask.shape[3]!;
    const slot = tf.reshape(isSlot, [1, 1, -1, 1]);
    const keys = tf.add(cache.chunkKeys[layer], tf.mul(slot, tf.reshape(k, [rows, kv, 1, headDim])));
    const values = tf.add(cache.chunkValues[layer], tf.mul(slot, tf.reshape(v, [rows, kv, 1, headDim])));
    keep(layer, keys, values);

    const queries = tf.mul(tf.reshape(q, [rows, kv, group, headDim]), 1 / Math.sqrt(headDim));
    // rows of one prompt share its cache: [P,kv,n*g,hd] x [P,kv,T,hd]
    const toPrompt = (x: Tensor, last: number): Tensor =>
      tf.reshape(tf.transpose(tf.reshape(x, [prompts, perPrompt, kv, group, last]), [0, 2, 1, 3, 4]), [
        prompts,
        kv,
        perPrompt * group,
        last,
      ]);
    const fromPrompt = (x: Tensor, last: number): Tensor =>
      tf.reshape(tf.transpose(tf.reshape(x, [prompts, kv, perPrompt, group, last]), [0, 2, 1, 3, 4]), [
        rows,
        kv,
        group,
        last,
      ]);
    const promptScores = tf.add(
      tf.matMul(toPrompt(queries, headDim), cache.promptKeys[layer], false, true),
      cache.promptMask,
    );
    const scores = [fromPrompt(promptScores, promptLength)];
    const hasPast = cache.pastKeys.length > 0;
    if (hasPast) scores.push(tf.matMul(queries, cache.pastKeys[layer], false, true));
    scores.push(tf.add(tf.matMul(queries, keys, false, true), chunkMask));

    const weights = tf.split(
      tf.softmax(tf.concat(scores, 3)),
      scores.map((s) => s.shape[3]!),
      3,
    );
    const outputs = [fromPrompt(tf.matMul(toPrompt(weights[0], promptLength), cache.promptValues[layer]), headDim)];
    if (hasPast) outputs.push(tf.matMul(weights[1], cache.pastValues[layer]));
    outputs.push(tf.matMul(weights[weights.length - 1], values));
    return tf.reshape(tf.addN(outputs), [rows, heads * headDim]);
  };
}
