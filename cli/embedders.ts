/** What "similar" means to a command: `--similarity names|model|DIR` with `--model DIR`. */
import { existsSync } from "node:fs";
import * as path from "node:path";
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
import { UsageError } from "./values";

/** How alike sub-categories are, from images of them; `close` frees the model. */
export interface SimilaritySource {
  /** A word for file names. */
  label: string;
  /** Whether it looks at images. */
  embeds: boolean;
  of(images: readonly (SetImage & { file: string })[]): Promise<Similarity>;
  close(): Promise<void>;
}

/** What the command line says of it. */
export interface SimilarityOptions {
  similarity: string;
  model?: string;
}

/** An embedder's similarity, with its progress. */
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

const byNames: SimilaritySource = {
  label: "names",
  embeds: false,
  of: () => Promise.resolve(nameSimilarity),
  close: () => Promise.resolve(),
};

function byVisionTower(model: string): SimilaritySource {
  const processor = loadProcessor(model);
  const { config, params } = loadModel(model);
  return {
    label: "model",
    embeds: true,
    of: by(createVisionEmbedder(params, config, processor)),
    close: () => {
      disposeTree(params);
      return Promise.resolve();
    },
  };
}

/** By the spelling of names, a checkpoint's own vision tower, or a CLIP or SigLIP directory. @throws Error naming the option or file that is wrong */
export async function openSimilarity({ similarity, model }: SimilarityOptions): Promise<SimilaritySource> {
  if ((similarity === "model") !== (model !== undefined))
    throw new UsageError("--model belongs to --similarity model, and is needed there");
  if (similarity === "names") return byNames;
  if (model !== undefined) return byVisionTower(model);
  if (!existsSync(similarity))
    throw new UsageError(
      `--similarity is ${JSON.stringify(similarity)}; expected names, model or the directory of a CLIP or SigLIP model in ONNX`,
    );
  const towers = await openTowers(similarity, {});
  return {
    label: path.basename(path.resolve(similarity)),
    embeds: true,
    of: by(towers.images),
    close: () => towers.close(),
  };
}
