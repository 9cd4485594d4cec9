/** The whole model: images and tokens in, hidden states or logits out. */
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import type { ModelConfig } from "./config";
import { causalAttention, decode, embedTokens, lmHead, mergeImageFeatures } from "./decoder";
import { encodeImages } from "./vision";
import type { VisionInputs } from "./vision-plan";

/** A batch as the model takes it: rows padded on the right. */
export interface ModelInputs {
  /** int32 [B, T] */
  inputIds: Tensor;
  /** int32 [3, B, T]: temporal, height, width. */
  positionIds: Tensor;
  /** int32 [B, T]: which image feature stands at a place, -1 for text. */
  featureIndex: Tensor;
  /** [patches, inChannels * temporalPatchSize * patchSize²] of all images, null without images. */
  pixelValues: Tensor | null;
  /** The plan of the same images, null without images. */
  vision: VisionInputs | null;
}

/** Token embeddings with image features in their places, [B, T, hiddenSize]. */
export function embedInputs(params: Params, config: ModelConfig, inputs: ModelInputs): Tensor {
  return tf.tidy(() => {
    const embeds = embedTokens(params, inputs.inputIds);
    if (!inputs.pixelValues || !inputs.vision) return embeds;
    return mergeImageFeatures(
      embeds,
      encodeImages(params, config, inputs.pixelValues, inputs.vision),
      inputs.featureIndex,
    );
  });
}

/** Hidden states after the final norm, [B, T, hiddenSize]. */
export function hiddenStates(params: Params, config: ModelConfig, inputs: ModelInputs): Tensor {
  return tf.tidy(() => {
    const attend = causalAttention();
    return decode(params, config, embedInputs(params, config, inputs), inputs.positionIds, () => attend);
  });
}

/** Logits, [B, T, vocabSize]. Where few places are scored, gather hidden states first and call `lmHead` on those. */
export function forward(params: Params, config: ModelConfig, inputs: ModelInputs): Tensor {
  return tf.tidy(() => lmHead(params, config, hiddenStates(params, config, inputs)));
}
