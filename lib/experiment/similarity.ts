/**
 * Who is nearest to whom (`similarity`): the benchmark's own order, the spelling of names, or embeddings of few-shot
 * images by the base model's vision tower or a CLIP or SigLIP directory. Distractors and negatives follow from it.
 */
import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { cosineLikeness, meanVectors, type Embedder } from "../benchmark/embedding";
import { rankedNeighbours } from "../benchmark/neighbours";
import type { Neighbours } from "../benchmark/triplets";
import type { BenchmarkImage } from "../benchmark/types";
import { openTowers } from "../eval/onnx";
import { createVisionEmbedder } from "../rollout/vision-embedder";
import { writeText } from "../util/files";
import { fingerprint } from "../util/hash";
import { repositoryRoot } from "../util/root";
import { nameSimilarity } from "../util/spelling";
import type { Experiment } from "./types";
import { runStage, type Watch } from "./stage";

/**
 * Few-shot images that are there, of seen and unseen sub-categories.
 * @throws Error under `stop` at one that is missing
 */
function embeddable({ benchmark, settings, say }: Experiment): (BenchmarkImage & { file: string })[] {
  return benchmark.images("fewshot").flatMap((image) => {
    if (image.file !== null) return [{ ...image, file: image.file }];
    const reason = `${image.id}: the image is missing; \`data check\` says what else is`;
    if (settings.onBadRow === "stop") throw new Error(`${reason}, onBadRow=skip leaves it out`);
    say(`${reason}; left out`);
    return [];
  });
}

/** The function from files to vectors that the settings name, and what frees it. */
async function openEmbedder(experiment: Experiment): Promise<{ embed: Embedder; close(): Promise<void> }> {
  const { settings, config, bench } = experiment;
  if (settings.similarity !== "model") {
    const towers = await openTowers(path.resolve(repositoryRoot(), settings.similarity), {});
    return { embed: towers.images, close: () => towers.close() };
  }
  return {
    embed: createVisionEmbedder(experiment.base, config, bench.processor),
    close: () => Promise.resolve(),
  };
}

/** Mean vectors of all sub-categories, from `similarity.json` of the run or embedded now. */
function vectorsOf(experiment: Experiment, { onProgress }: Watch): Promise<Map<string, number[]>> {
  const { settings, folder } = experiment;
  const own = settings.similarity === "model";
  const read = (file: string): Map<string, number[]> =>
    new Map(Object.entries(JSON.parse(readFileSync(file, "utf8")) as Record<string, number[]>));
  return runStage(experiment, {
    name: "similarity",
    target: "similarity.json",
    settings: [],
    inputs: own ? "model" : fingerprint(path.resolve(repositoryRoot(), settings.similarity)),
    load: (from) => read(path.join(from, "similarity.json")),
    make: async (_, beforeSaving) => {
      const images = embeddable(experiment);
      const { embed, close } = await openEmbedder(experiment);
      try {
        const files = images.map(({ file }) => file);
        const vectors = await embed(files, (done, total) => void onProgress?.(done, total, "images embedded"));
        const file = path.join(folder, "similarity.json");
        beforeSaving();
        writeText(file, `${JSON.stringify(Object.fromEntries(meanVectors(images, vectors)))}\n`);
        return read(file);
      } finally {
        await close();
      }
    },
  });
}

/** The neighbours of an experiment's sub-categories. @throws Error where the setting names no directory of towers */
export async function openNeighbours(experiment: Experiment, watch: Watch = {}): Promise<Neighbours> {
  const { benchmark, settings } = experiment;
  const [first] = benchmark.subcategories();
  if (first && benchmark.neighbours(first) !== null) return (of) => benchmark.neighbours(of)!;
  if (settings.similarity === "names") return rankedNeighbours(benchmark, (a, b) => nameSimilarity(a.name, b.name));
  const folder = path.resolve(repositoryRoot(), settings.similarity);
  if (settings.similarity !== "model" && !existsSync(folder))
    throw new Error(`similarity=${settings.similarity}: expected model, names, or a CLIP or SigLIP ONNX directory`);
  return rankedNeighbours(benchmark, cosineLikeness(await vectorsOf(experiment, watch)));
}
