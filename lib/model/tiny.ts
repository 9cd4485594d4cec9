/** The configuration of the shipped tiny model. */
import type { ModelConfig } from "./config";

/** Token ids that a tokenizer fixes for the model. */
export type TokenIds = Pick<
  ModelConfig,
  "imageTokenId" | "videoTokenId" | "visionStartTokenId" | "visionEndTokenId" | "eosTokenId" | "padTokenId"
>;

/** Where a tokenizer with Qwen's special tokens has them. */
export function tokenIds(tokenizer: { tokenId(token: string): number }): TokenIds {
  return {
    imageTokenId: tokenizer.tokenId("<|image_pad|>"),
    videoTokenId: tokenizer.tokenId("<|video_pad|>"),
    visionStartTokenId: tokenizer.tokenId("<|vision_start|>"),
    visionEndTokenId: tokenizer.tokenId("<|vision_end|>"),
    eosTokenId: tokenizer.tokenId("<|im_end|>"),
    padTokenId: tokenizer.tokenId("<|endoftext|>"),
  };
}

/** Qwen2.5-VL in small: 64 x 64 pixels are 16 tokens. 3.1 M parameters with a vocabulary of 2,500. */
export function tinyConfig(vocabSize: number, tokens: TokenIds): ModelConfig {
  return {
    text: {
      vocabSize,
      hiddenSize: 192,
      intermediateSize: 512,
      numHiddenLayers: 4,
      numAttentionHeads: 6,
      numKeyValueHeads: 2,
      headDim: 32,
      rmsNormEps: 1e-6,
      ropeTheta: 10000,
      mropeSection: [4, 6, 6],
      maxPositionEmbeddings: 2048,
      initializerRange: 0.02,
    },
    vision: {
      depth: 4,
      hiddenSize: 128,
      intermediateSize: 256,
      numHeads: 4,
      inChannels: 3,
      patchSize: 8,
      temporalPatchSize: 2,
      spatialMergeSize: 2,
      windowSize: 32,
      fullattBlockIndexes: [1, 3],
      outHiddenSize: 192,
      tokensPerSecond: 2,
    },
    tieWordEmbeddings: true,
    ...tokens,
  };
}
