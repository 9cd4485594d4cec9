/** A checkpoint whose output layer has weights of its own, as the 7B model's has. */
import { disposeTree } from "../../lib/engine/tree";
import { loadModel, saveModel } from "../../lib/model/checkpoint";
import { processorFiles } from "../../lib/processor/processor";

/** Saves a copy of the checkpoint `from`, whose output layer is the embeddings, with a layer of equal weights. */
export function saveUntied(from: string, to: string): void {
  const { params, config, generationConfig } = loadModel(from);
  saveModel(to, {
    config: { ...config, tieWordEmbeddings: false },
    params: { ...params, "lm_head.weight": params["model.embed_tokens.weight"] },
    generationConfig,
    files: processorFiles(from),
  });
  disposeTree(params);
}
