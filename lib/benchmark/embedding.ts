/** Similarity of sub-categories by embeddings of their images. */
import type { Likeness } from "./neighbours";
import type { BenchmarkImage } from "./types";

/** Images to vectors of one length, in order; files are absolute paths. CLIP, SigLIP, or a model's own vision tower. */
export type Embedder = (
  files: readonly string[],
  onProgress?: (done: number, total: number) => void,
) => Promise<readonly ArrayLike<number>[]>;

/** A vector scaled to length 1. @throws Error where it has none */
function unit(vector: ArrayLike<number>, of: string): number[] {
  const values = Array.from(vector);
  const length = Math.hypot(...values);
  if (!(length > 0 && Number.isFinite(length))) throw new Error(`${of}: its embedding has length ${length}`);
  return values.map((x) => x / length);
}

/**
 * For each sub-category (by id) the mean of its images' unit vectors, scaled to length 1.
 * @param vectors one for each image, in order
 * @throws Error where vectors and images don't match
 */
export function meanVectors(
  images: readonly BenchmarkImage[],
  vectors: readonly ArrayLike<number>[],
): Map<string, number[]> {
  if (vectors.length !== images.length)
    throw new Error(`embeddings: ${vectors.length} vectors for ${images.length} images`);
  const sums = new Map<string, number[]>();
  images.forEach(({ id, subcategory }, i) => {
    const vector = unit(vectors[i], id);
    const sum = sums.get(subcategory.id) ?? vector.map(() => 0);
    if (sum.length !== vector.length)
      throw new Error(`embeddings: ${id} has ${vector.length} values, others ${sum.length}`);
    sums.set(
      subcategory.id,
      sum.map((x, d) => x + vector[d]),
    );
  });
  return new Map([...sums].map(([id, sum]) => [id, unit(sum, id)]));
}

/** Cosine of the mean vectors, in [-1, 1]; @throws Error where a sub-category has none */
export function cosineLikeness(means: ReadonlyMap<string, readonly number[]>): Likeness {
  const mean = (id: string): readonly number[] => {
    const found = means.get(id);
    if (!found) throw new Error(`embeddings: no image of ${id}`);
    return found;
  };
  return (a, b) => {
    const [x, y] = [mean(a.id), mean(b.id)];
    return x.reduce((total, value, d) => total + value * y[d], 0);
  };
}
