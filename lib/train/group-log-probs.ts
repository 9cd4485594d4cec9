/**
 * Log-probabilities of responses whose prompts are shared: each prompt passes the model once, its keys and values serve
 * all of its responses, and gradients flow back through them. The same numbers as whole rows (causal attention never
 * looks ahead), for about half the tokens in a group of ten. The responses' tokens are packed everywhere but in
 * attention.
 */
import { attention, causalMask } from "../engine/attention";
import { gatherRows, packRows, padRows } from "../engine/gather";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import type { ModelConfig } from "../model/config";
import { attendTo, decode, embedTokens, mergeImageFeatures, prefill, type Attend } from "../model/decoder";
import type { GroupBatch } from "./group-batch";
import { stateLogProbs } from "./state-log-probs";

/**
 * Log-probabilities `[B,R]` of the responses' tokens under the tempered full softmax, 0 in free places.
 * @param features `[N, hiddenSize]` of the images that the prompts point at
 * @param temperature divides the logits
 * @param recompute compute each layer, and the logits, again in the backward pass (gradient checkpointing)
 */
export function groupLogProbs(
  params: Params,
  config: ModelConfig,
  features: Tensor,
  batch: GroupBatch,
  temperature: number,
  recompute = false,
): Tensor {
  const { hiddenSize, numAttentionHeads, headDim } = config.text;
  const [rows, places] = batch.weights.shape as [number, number];
  const { inputIds, positionIds, featureIndex, mask } = batch.prompts;
  const promptOf = batch.promptOf as tf.Tensor1D;
  const prompt = prefill(
    params,
    config,
    mergeImageFeatures(embedTokens(params, inputIds), features, featureIndex),
    positionIds,
    batch.prompts,
    recompute,
  );

  const length = places - 1;
  const ofPrompt = tf.tile(tf.reshape(tf.gather(mask, promptOf), [rows, 1, -1]), [1, length, 1]);
  const ofResponse = tf.tile(tf.expandDims(causalMask(length), 0), [rows, 1, 1]);
  const both = tf.concat([ofPrompt, ofResponse], 2);
  const inRows = (x: Tensor): Tensor =>
    tf.reshape(padRows(tf.reshape(x, x.shape.slice(1)), batch.read), [rows, length, ...x.shape.slice(2)]);
  const joined = (promptsOwn: Tensor, own: Tensor): Tensor =>
    tf.concat([gatherRows(promptsOwn, promptOf), tf.transpose(inRows(own), [0, 2, 1, 3])], 2);
  const attend = (layer: number): Attend =>
    attendTo([prompt.keys[layer], prompt.values[layer], both], (q, k, v, [keys, values, seen]) => {
      const mixed = attention(inRows(q), joined(keys, k), joined(values, v), { mask: seen, byHead: true });
      return tf.expandDims(packRows(tf.reshape(mixed, [rows * length, numAttentionHeads * headDim]), batch.read), 0);
    });
  const own = decode(params, config, embedTokens(params, batch.inputIds), batch.positionIds, attend, recompute);

  // the prompt's last state predicts a response's first token; its own states, but the last, predict the others
  const atPromptsEnd = gatherRows(prompt.states, promptOf);
  const states = tf.concat([atPromptsEnd, tf.reshape(own, [-1, hiddenSize])], 0);
  const logProbs = stateLogProbs(params, config, states, batch.targets as tf.Tensor1D, temperature, recompute);
  return tf.reshape(padRows(logProbs, batch.predicted), [rows, places]);
}
