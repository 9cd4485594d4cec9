/** Which tensors a model has, under the names of the published Qwen2.5-VL safetensors, and their shapes. */
import type { ModelConfig } from "./config";

/** Every parameter's shape by name, in the order of the forward pass. A linear layer is [out, in]. */
export function paramShapes(config: ModelConfig): Record<string, number[]> {
  const { text, vision } = config;
  const shapes: Record<string, number[]> = {};
  const linear = (name: string, outSize: number, inSize: number, bias: boolean): void => {
    shapes[`${name}.weight`] = [outSize, inSize];
    if (bias) shapes[`${name}.bias`] = [outSize];
  };
  const mlp = (name: string, hidden: number, intermediate: number, bias: boolean): void => {
    linear(`${name}.gate_proj`, intermediate, hidden, bias);
    linear(`${name}.up_proj`, intermediate, hidden, bias);
    linear(`${name}.down_proj`, hidden, intermediate, bias);
  };

  const width = vision.hiddenSize;
  shapes["visual.patch_embed.proj.weight"] = [
    width,
    vision.inChannels,
    vision.temporalPatchSize,
    vision.patchSize,
    vision.patchSize,
  ];
  for (let block = 0; block < vision.depth; block++) {
    const name = `visual.blocks.${block}`;
    shapes[`${name}.norm1.weight`] = [width];
    linear(`${name}.attn.qkv`, 3 * width, width, true);
    linear(`${name}.attn.proj`, width, width, true);
    shapes[`${name}.norm2.weight`] = [width];
    mlp(`${name}.mlp`, width, vision.intermediateSize, true);
  }
  const merged = width * vision.spatialMergeSize ** 2;
  shapes["visual.merger.ln_q.weight"] = [width];
  linear("visual.merger.mlp.0", merged, merged, true);
  linear("visual.merger.mlp.2", vision.outHiddenSize, merged, true);

  const hidden = text.hiddenSize;
  const kvSize = text.numKeyValueHeads * text.headDim;
  shapes["model.embed_tokens.weight"] = [text.vocabSize, hidden];
  for (let layer = 0; layer < text.numHiddenLayers; layer++) {
    const name = `model.layers.${layer}`;
    shapes[`${name}.input_layernorm.weight`] = [hidden];
    linear(`${name}.self_attn.q_proj`, hidden, hidden, true);
    linear(`${name}.self_attn.k_proj`, kvSize, hidden, true);
    linear(`${name}.self_attn.v_proj`, kvSize, hidden, true);
    linear(`${name}.self_attn.o_proj`, hidden, hidden, false);
    shapes[`${name}.post_attention_layernorm.weight`] = [hidden];
    mlp(`${name}.mlp`, hidden, text.intermediateSize, false);
  }
  shapes["model.norm.weight"] = [hidden];
  if (!config.tieWordEmbeddings) shapes["lm_head.weight"] = [text.vocabSize, hidden];
  return shapes;
}

/** Number of parameters of a model. */
export function parameterCount(config: ModelConfig): number {
  return Object.values(paramShapes(config)).reduce((total, shape) => total + shape.reduce((a, b) => a * b, 1), 0);
}
