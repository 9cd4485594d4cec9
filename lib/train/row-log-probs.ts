/** From a batch of rows to the log-probabilities of its scored tokens: the part SFT and pre-training share. */
import { type Params, type Tensor, type tf } from "../engine/tensorflow";
import type { ModelConfig } from "../model/config";
import { causalAttention, decode, embedTokens, mergeImageFeatures, packedAttention } from "../model/decoder";
import type { RowBatch } from "./batch";
import { stateLogProbs } from "./state-log-probs";

/**
 * Log-probabilities `[S]` of the scored tokens under the tempered full softmax. The last layer's states and logits are
 * made for scored places only.
 * @param features `[N, hiddenSize]` of the batch's images
 * @param temperature divides the logits
 * @param recompute compute each layer, and the logits, again in the backward pass (gradient checkpointing)
 */
export function rowLogProbs(
  params: Params,
  config: ModelConfig,
  features: Tensor,
  batch: RowBatch,
  temperature: number,
  recompute = false,
): Tensor {
  const embeds = mergeImageFeatures(embedTokens(params, batch.inputIds), features, batch.featureIndex);
  const attend = batch.segmentIds ? packedAttention(batch.segmentIds) : causalAttention();
  const scored = decode(params, config, embeds, batch.positionIds, () => attend, recompute, batch.hiddenIndex);
  return stateLogProbs(params, config, scored, batch.targets as tf.Tensor1D, temperature, recompute);
}
