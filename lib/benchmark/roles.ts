/** Which images may be trained on: one rule for every benchmark, record file, triplet and stage. */
import { foldIn, random } from "../util/random";
import type { Benchmark, BenchmarkImage, Role, Subcategory } from "./types";

const ROLES: readonly Role[] = ["fewshot", "dev", "test"];

/** Proves that no image has two roles. @throws Error naming the first that has */
export function assertDisjointRoles(benchmark: Benchmark): void {
  const roleOf = new Map<string, Role>();
  for (const role of ROLES) {
    for (const { id } of benchmark.images(role)) {
      const before = roleOf.get(id);
      if (before !== undefined)
        throw new Error(
          `${benchmark.name}: image ${id} is a ${before} image and a ${role} image: one of the lists is wrong`,
        );
      roleOf.set(id, role);
    }
  }
}

/**
 * Training images must be few-shot images of seen sub-categories (or images of pre-training, replayed).
 * @param ids as records and prompts name them
 * @throws Error naming the first image that is something else, and what it is
 */
export function assertTrainable(benchmark: Benchmark, ids: Iterable<string>): void {
  const fewshot = new Map(benchmark.images("fewshot").map((image) => [image.id, image.subcategory]));
  for (const id of ids) {
    const subcategory = fewshot.get(id);
    if (subcategory?.split === "seen" || benchmark.extras?.pretrainingImages.has(id)) continue;
    throw new Error(`${id}: is no training image of ${benchmark.name} (${whatIs(benchmark, id, subcategory)})`);
  }
}

function whatIs(benchmark: Benchmark, id: string, subcategory: Subcategory | undefined): string {
  if (subcategory) return `${JSON.stringify(subcategory.name)} is an unseen sub-category`;
  const role = (["dev", "test"] as const).find((one) => benchmark.images(one).some((image) => image.id === id));
  return role ? `it is a ${role} image` : "it is none of its images";
}

/**
 * Seen sub-categories that a run trains on, in the benchmark's order.
 * @param limit a random sample of so many; 0 for all
 */
export function trainedSubcategories(benchmark: Benchmark, limit: number, seed: number): Subcategory[] {
  const seen = benchmark.subcategories({ split: "seen" });
  if (limit === 0 || limit >= seen.length) return [...seen];
  const chosen = new Set(random(foldIn(seed, "sub-categories")).sample(seen, limit));
  return seen.filter((one) => chosen.has(one));
}

/**
 * Few-shot images of some seen sub-categories, in the benchmark's order.
 * @param shots the first so many of each sub-category
 */
export function fewShotImages(benchmark: Benchmark, of: readonly Subcategory[], shots: number): BenchmarkImage[] {
  return of.flatMap((subcategory) => benchmark.images("fewshot", subcategory).slice(0, shots));
}
