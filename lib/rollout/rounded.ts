/**
 * Weights rounded to bfloat16 once for a `generate` call whose products are computed in it: a decoding step has few
 * rows, and reading its weights in float32 to round them takes as long as multiplying by them.
 */
import { compile, type CompileOptions } from "../engine/compile";
import { canCompile, isBf16 } from "../engine/native";
import { toBf16 } from "../engine/precision";
import { mapParams } from "../engine/tree";
import type { Params } from "../engine/tensorflow";
import type { ModelConfig } from "../model/config";

/** Models whose copy would be larger than this decode from their own weights, which a large batch then shares. */
const MOST_BYTES = 512 * 2 ** 20;

/** What a decoding step is given, and what of it was made here: the caller's. */
export interface Rounded {
  params: Params;
  made: Params;
}

/** A function of a model's parameters, compiled once; without `bf16` it hands them on as they are. */
export function createRounding(config: ModelConfig, options: CompileOptions): (params: Params) => Rounded {
  const round = compile((weights: Params): Params => mapParams(weights, toBf16), { ...options, name: "rollout.round" });
  return (params) => {
    // the embedding is looked up in float32; as the head's weight it is rounded
    const head = config.tieWordEmbeddings ? { "lm_head.weight": params["model.embed_tokens.weight"] } : {};
    const chosen = Object.entries({ ...params, ...head }).filter(
      ([name, weight]) => /^(model\.layers\..*_proj|lm_head)\.weight$/.test(name) && !isBf16(weight),
    );
    const bytes = 2 * chosen.reduce((sum, [, weight]) => sum + weight.size, 0);
    if (!options.bf16 || options.eager || !canCompile() || bytes > MOST_BYTES) return { params, made: {} };
    const made = round(Object.fromEntries(chosen));
    return { params: { ...params, ...made }, made };
  };
}
