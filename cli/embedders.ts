/** What "similar" means to a command: `--embedding model|onnx|names` with `--model DIR`. */
import {
  embeddingSimilarity,
  nameSimilarity,
  type Embedder,
  type SetImage,
  type Similarity,
} from "../lib/benchmark/photographs";
import { disposeTree } from "../lib/engine/tree";
import { openTowers } from "../lib/eval/onnx";
import { loadModel } from "../lib/model/checkpoint";
import { loadProcessor } from "../lib/processor/processor";
import { progress } from "../lib/report/progress";
import { createVisionEmbedder } from "../lib/rollout/vision-embedder";
import { choiceOf } from "./arguments";

export const EMBEDDINGS = ["model", "onnx", "names"] as const;

/** How alike sub-categories are, from images of them; `close` frees the model. */
export interface SimilaritySource {
  of(images: readonly (SetImage & { file: string })[]): Promise<Similarity>;
  close(): Promise<void>;
}

/** By a checkpoint's own vision tower, by a CLIP or SigLIP directory, or by the spelling of names. @throws Error naming the option or file that is wrong */
export async function openSimilarity(
  embedding: string | undefined,
  model: string | undefined,
  usage: string,
): Promise<SimilaritySource> {
  const kind = choiceOf("embedding", embedding, EMBEDDINGS);
  if ((kind !== "names") !== (model !== undefined))
    throw new Error(`--model belongs to --embedding model and onnx, and is needed there; ${usage}`);
  if (kind === "names") return { of: () => Promise.resolve(nameSimilarity), close: () => Promise.resolve() };
  const by =
    (embedder: Embedder): SimilaritySource["of"] =>
    async (images) => {
      const bar = progress("images embedded", images.length);
      const vectors = await embedder(
        images.map(({ file }) => file),
        (done) => bar.update(done),
      );
      bar.finish();
      return embeddingSimilarity(images, vectors);
    };
  if (kind === "onnx") {
    const towers = await openTowers(model!, {});
    return { of: by(towers.images), close: () => towers.close() };
  }
  const processor = loadProcessor(model!);
  const { config, params } = loadModel(model!);
  return {
    of: by(createVisionEmbedder(params, config, processor)),
    close: () => {
      disposeTree(params);
      return Promise.resolve();
    },
  };
}
