/** The published Qwen2.5-VL checkpoints by size, as far as shapes go: what a plan counts with before any download. */
import { parseConfig, type ModelConfig } from "../model/config";
import { publishedConfig, publishedConfigJson } from "../model/published";

export const SIZES = ["3B", "7B", "32B", "72B"] as const;
export type Size = (typeof SIZES)[number];

/**
 * What the larger ones change in the 7B model's `config.json`: `config.json` of `Qwen/Qwen2.5-VL-32B-Instruct` and
 * `Qwen/Qwen2.5-VL-72B-Instruct` on Hugging Face. Their decoders are Qwen2.5-32B and -72B; the files of `-AWQ` pad the
 * 72B model's feed-forward width to 29,696, the model itself has 29,568.
 */
const LARGER: Readonly<Record<"32B" | "72B", object>> = {
  "32B": {
    hidden_size: 5120,
    intermediate_size: 27648,
    num_hidden_layers: 64,
    num_attention_heads: 40,
    num_key_value_heads: 8,
  },
  "72B": {
    hidden_size: 8192,
    intermediate_size: 29568,
    num_hidden_layers: 80,
    num_attention_heads: 64,
    num_key_value_heads: 8,
  },
};

/** Feed-forward width of their vision towers; 3,420 in the smaller two. */
const LARGER_VISION_WIDTH = 3456;

/** The configuration of a published size. */
export function sizeConfig(size: Size): ModelConfig {
  if (size === "3B" || size === "7B") return publishedConfig(`Qwen2.5-VL-${size}-Instruct`);
  const base = publishedConfigJson("Qwen2.5-VL-7B-Instruct");
  const decoder = LARGER[size] as { hidden_size: number };
  const vision = {
    ...(base.vision_config as object),
    intermediate_size: LARGER_VISION_WIDTH,
    out_hidden_size: decoder.hidden_size,
  };
  return parseConfig({ ...base, ...decoder, vision_config: vision }, `Qwen2.5-VL-${size}-Instruct`);
}
