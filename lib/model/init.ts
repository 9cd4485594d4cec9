/** Seeded initial parameters. */
import { foldIn, random } from "../util/random";
import { tf, type Params } from "../engine/tensorflow";
import type { ModelConfig } from "./config";
import { paramShapes } from "./shapes";

/** How weights are drawn. */
export interface InitOptions {
  /**
   * `normal`: every weight from N(0, initializerRange²), as transformers does.
   * `scaled`: linear weights from N(0, 1 / fanIn), those that write to the residual stream divided by sqrt(2 layers)
   * (GPT-2); embeddings as `normal`. Trains faster from scratch.
   */
  scheme?: "normal" | "scaled";
}

const writesToResidual = (name: string): boolean => /\.(o_proj|down_proj|attn\.proj)\.weight$/.test(name);

/**
 * Parameters for `config`: biases 0, norms 1, the rest normal. A tensor depends on the seed and its name only.
 * The caller disposes them.
 */
export function initParams(config: ModelConfig, seed: number, options: InitOptions = {}): Params {
  const scaled = options.scheme === "scaled";
  const params: Params = {};
  for (const [name, shape] of Object.entries(paramShapes(config))) {
    const isNorm = /(norm1|norm2|ln_q|layernorm|model\.norm)\.weight$/.test(name);
    if (isNorm) params[name] = tf.ones(shape);
    else if (name.endsWith(".bias")) params[name] = tf.zeros(shape);
    else {
      const size = shape.reduce((a, b) => a * b, 1);
      const layers = name.startsWith("visual.") ? config.vision.depth : config.text.numHiddenLayers;
      const isTable = name === "model.embed_tokens.weight" || name === "lm_head.weight";
      let std = config.text.initializerRange;
      if (scaled && !isTable) std = 1 / Math.sqrt((size / shape[0]) * (writesToResidual(name) ? 2 * layers : 1));
      const draw = random(foldIn(seed, name));
      params[name] = tf.tensor(
        Float32Array.from({ length: size }, () => std * draw.normal()),
        shape,
        "float32",
      );
    }
  }
  return params;
}
