/**
 * From hidden states to the log-probabilities of the tokens that they predict: where a step's largest tensors, the
 * logits, are made.
 */
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { tokenLogProbs } from "../loss/log-probs";
import type { ModelConfig } from "../model/config";
import { lmHead } from "../model/decoder";
import { LOGITS_AT_ONCE } from "../model/memory-plan";
import { layerOf } from "../model/project";

/**
 * Log-probabilities `[N]` under the tempered full softmax.
 * @param states `[N, hiddenSize]`
 * @param targets int32 `[N]`; outlives the step
 * @param recompute makes the logits `atOnce` places at a time and again in the backward pass, so that `[N, V]` never
 * stands in memory
 */
export function stateLogProbs(
  params: Params,
  config: ModelConfig,
  states: Tensor,
  targets: tf.Tensor1D,
  temperature: number,
  recompute: boolean,
  atOnce = LOGITS_AT_ONCE,
): Tensor {
  const count = states.shape[0];
  if (!recompute) return tokenLogProbs(lmHead(params, config, states) as tf.Tensor2D, targets, temperature);
  const head = config.tieWordEmbeddings ? "model.embed_tokens." : "lm_head.";
  const parts = Array.from({ length: Math.ceil(count / atOnce) }, (_, i) => {
    const [start, size] = [i * atOnce, Math.min(atOnce, count - i * atOnce)];
    const run = (own: Params, [some]: Tensor[]): Tensor =>
      tokenLogProbs(lmHead(own, config, some) as tf.Tensor2D, tf.slice(targets, start, size), temperature);
    return layerOf(params, head, [tf.slice(states, [start, 0], [size, -1])], run, true);
  });
  return parts.length === 1 ? parts[0] : tf.concat(parts, 0);
}
