/**
 * The published Qwen2.5-VL checkpoints that the paper starts from, as far as shapes go: for plans before anything is
 * downloaded.
 */
import { parseConfig, type ModelConfig } from "./config";

/** Names under which they are published (by `Qwen`, on Hugging Face). */
export const PUBLISHED = ["Qwen2.5-VL-3B-Instruct", "Qwen2.5-VL-7B-Instruct"] as const;
export type PublishedName = (typeof PUBLISHED)[number];

const DECODERS: Readonly<Record<PublishedName, object>> = {
  "Qwen2.5-VL-3B-Instruct": {
    hidden_size: 2048,
    intermediate_size: 11008,
    num_hidden_layers: 36,
    num_attention_heads: 16,
    num_key_value_heads: 2,
    vocab_size: 151936,
    tie_word_embeddings: true,
  },
  "Qwen2.5-VL-7B-Instruct": {
    hidden_size: 3584,
    intermediate_size: 18944,
    num_hidden_layers: 28,
    num_attention_heads: 28,
    num_key_value_heads: 4,
    vocab_size: 152064,
    tie_word_embeddings: false,
  },
};

/** The content of a published `config.json`, without what no shape depends on. */
export function publishedConfigJson(name: PublishedName): Record<string, unknown> {
  const decoder = DECODERS[name] as { hidden_size: number };
  return {
    model_type: "qwen2_5_vl",
    ...decoder,
    torch_dtype: "bfloat16",
    max_position_embeddings: 128000,
    rms_norm_eps: 1e-6,
    rope_theta: 1000000,
    initializer_range: 0.02,
    rope_scaling: { type: "mrope", mrope_section: [16, 24, 24] },
    bos_token_id: 151643,
    eos_token_id: 151645,
    image_token_id: 151655,
    video_token_id: 151656,
    vision_start_token_id: 151652,
    vision_end_token_id: 151653,
    vision_config: {
      depth: 32,
      hidden_act: "silu",
      hidden_size: 1280,
      intermediate_size: 3420,
      num_heads: 16,
      in_chans: 3,
      out_hidden_size: decoder.hidden_size,
      patch_size: 14,
      spatial_merge_size: 2,
      window_size: 112,
      fullatt_block_indexes: [7, 15, 23, 31],
      tokens_per_second: 2,
      temporal_patch_size: 2,
    },
  };
}

/** The same, parsed. */
export function publishedConfig(name: PublishedName): ModelConfig {
  return parseConfig(publishedConfigJson(name), name);
}

/** The content of their `preprocessor_config.json`. */
export const publishedPreprocessorJson = {
  min_pixels: 3136,
  max_pixels: 12845056,
  patch_size: 14,
  temporal_patch_size: 2,
  merge_size: 2,
  rescale_factor: 1 / 255,
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
  image_processor_type: "Qwen2VLImageProcessor",
} as const;
