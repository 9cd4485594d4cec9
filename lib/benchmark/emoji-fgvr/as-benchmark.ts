/** Emoji-FGVR as a benchmark: designers in roles, what its concepts look like, equal squares. */
import * as path from "node:path";
import { hashTree } from "../../util/hash";
import { repositoryRoot } from "../../util/root";
import type { Benchmark, BenchmarkImage, Role, Subcategory } from "../types";
import type { EmojiFgvr } from "./benchmark";
import { domainQuestion } from "./domain-question";
import { loadImage } from "./image";
import type { Knowledge } from "./knowledge";
import { measure } from "./measure";
import { IMAGE_SIZE } from "./render";
import type { Drawing } from "./types";

/** A drawing as an image of the benchmark. */
function imageOf(subcategory: Subcategory, drawing: Drawing): BenchmarkImage {
  return {
    id: drawing.path,
    file: path.join(repositoryRoot(), drawing.path),
    subcategory,
    source: drawing.designer,
    key: [subcategory.id, drawing.style],
  };
}

/**
 * The benchmark of committed concepts and their rasterised drawings (`ensureDrawings` makes the files).
 * @param knowledge of all concepts (`emojiKnowledge`)
 */
export function emojiBenchmark(data: EmojiFgvr, knowledge: readonly Knowledge[]): Benchmark {
  const cached = new Map<string, readonly BenchmarkImage[]>();
  const images = (role: Role, of?: Subcategory): readonly BenchmarkImage[] => {
    const key = `${role} ${of?.id ?? ""}`;
    if (!cached.has(key)) {
      const found = of
        ? data.drawings(data.concept(of.id), role).map((drawing) => imageOf(of, drawing))
        : data.subcategories().flatMap((subcategory) => images(role, subcategory));
      cached.set(key, found);
    }
    return cached.get(key)!;
  };
  return {
    name: data.name,
    title: data.edition === "emoji-fgvr" ? "Emoji-FGVR" : "Emoji study",
    domains: data.domains,
    fingerprint: hashTree([`data/${data.edition}`]),
    splitSource: `data/${data.edition}/splits.json`,
    subcategories: (only = {}) => data.subcategories(only),
    images,
    question: domainQuestion,
    kind: (domain) => domain,
    neighbours: ({ id }) => data.nearestNegatives(id),
    squares: { size: IMAGE_SIZE, load: loadImage },
    extras: {
      knowledge,
      appearance: async ({ id, subcategory }) =>
        measure(await loadImage(id), subcategory.domain === "flag" ? "flag" : "object"),
      pretrainingImages: new Set(knowledge.flatMap(({ drawings }) => drawings.map((drawing) => drawing.path))),
    },
  };
}
