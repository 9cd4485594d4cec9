/**
 * Log-probabilities of responses whose prompts are shared: each prompt passes the model once, its keys and values serve all
 * of its responses, and gradients flow back through them. The same numbers as whole rows (causal attention never looks
 * ahead), for about half the tokens in a group of ten.
 */
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { tokenLogProbs } from "../loss/log-probs";
import type { ModelConfig } from "../model/config";
import { attendTo, causalMask, decode, embedTokens, groupedAttention, lmHead, mergeImageFeatures, prefill, type Attend } from "../model/decoder";
import type { GroupBatch } from "./group-batch";

/**
 * Log-probabilities `[B,R]` of the responses' tokens under the tempered full softmax; free places hold numbers without meaning.
 * @param features `[N, hiddenSize]` of the images that the prompts point at
 * @param temperature divides the logits
 * @param recompute compute each layer again in the backward pass (gradient checkpointing)
 */
export function groupLogProbs(params: Params, config: ModelConfig, features: Tensor, batch: GroupBatch, temperature: number, recompute = false): Tensor {
  const { hiddenSize } = config.text;
  const [rows, places] = batch.responseIds.shape as [number, number];
  const { inputIds, positionIds, featureIndex, mask, last } = batch.prompts;
  const promptOf = batch.promptOf as tf.Tensor1D;
  const read = prefill(params, config, mergeImageFeatures(embedTokens(params, inputIds), features, featureIndex), positionIds, recompute);
  // the prompt's last state predicts a response's first token; its own states, but the last, predict the others
  const states: Tensor[] = [tf.reshape(tf.gather(tf.reshape(read.hidden, [-1, hiddenSize]), tf.gather(last, promptOf) as tf.Tensor1D), [rows, 1, hiddenSize])];
  if (places > 1) {
    const length = places - 1;
    const positions = tf.add(tf.reshape(batch.firstPosition, [1, rows, 1]), tf.range(0, length, 1, "int32"));
    const ofPrompt = tf.tile(tf.reshape(tf.gather(mask, promptOf), [rows, 1, 1, 1, -1]), [1, 1, 1, length, 1]);
    const ofResponse = tf.tile(tf.reshape(causalMask(length), [1, 1, 1, length, length]), [rows, 1, 1, 1, 1]);
    const both = tf.concat([ofPrompt, ofResponse], 4);
    const joined = (promptsOwn: Tensor, own: Tensor): Tensor => tf.concat([tf.gather(promptsOwn, promptOf), tf.transpose(own, [0, 2, 1, 3])], 2);
    const embeds = embedTokens(params, tf.slice(batch.responseIds, [0, 0], [rows, length]));
    const attend = (layer: number): Attend => attendTo([read.keys[layer], read.values[layer], both], (q, k, v, [keys, values, mask]) => groupedAttention(q, joined(keys, k), joined(values, v), mask));
    states.push(decode(params, config, embeds, tf.tile(positions, [3, 1, 1]), attend, recompute));
  }
  const hidden = tf.reshape(tf.concat(states, 1), [rows * places, hiddenSize]);
  return tf.reshape(tokenLogProbs(lmHead(params, config, hidden) as tf.Tensor2D, tf.reshape(batch.responseIds, [-1]) as tf.Tensor1D, temperature), [rows, places]);
}
