/** Triplets of Stage 2: an anchor, a positive of its sub-category, a negative of another one, the most similar. */
import { foldIn, random, type Random } from "../util/random";
import type { BenchmarkImage, Subcategory } from "./types";

/** Three training images. */
export interface Triplet {
  anchor: BenchmarkImage;
  positive: BenchmarkImage;
  negative: BenchmarkImage;
}

/** For a sub-category all others of its domain, most similar first. */
export type Neighbours = (of: Subcategory) => readonly Subcategory[];

/**
 * One triplet for each image as anchor, in order. The positive is another image of the sub-category, by another source
 * where sources are known and there is one; the negative is an image of another sub-category that has images here, of
 * the same domain where there is one. Each anchor draws from its own seed (`image.key`), its positive whatever the
 * negatives are.
 * @param negatives of the most similar other sub-category (default), or of a random one
 * @throws Error where a sub-category has one image alone, or is the only one
 */
export function drawTriplets(
  images: readonly BenchmarkImage[],
  neighbours: Neighbours,
  seed: number,
  negatives: "hardest" | "random" = "hardest",
): Triplet[] {
  const of = new Map<string, BenchmarkImage[]>();
  for (const image of images) of.set(image.subcategory.id, [...(of.get(image.subcategory.id) ?? []), image]);
  /** Images of one other sub-category. */
  const hardest = (anchor: Subcategory): BenchmarkImage[] => {
    const near = neighbours(anchor).find((one) => of.has(one.id));
    if (near) return of.get(near.id)!;
    const elsewhere = images.find((image) => image.subcategory.id !== anchor.id); // its domain has no other one
    return elsewhere ? of.get(elsewhere.subcategory.id)! : [];
  };
  const anyOther = (anchor: Subcategory, stream: Random): BenchmarkImage[] => {
    const all = [...of.values()].filter(([{ subcategory }]) => subcategory.id !== anchor.id);
    const own = all.filter(([{ subcategory }]) => subcategory.domain === anchor.domain);
    return all.length === 0 ? [] : stream.choice(own.length > 0 ? own : all);
  };
  return images.map((anchor) => {
    const { id, name } = anchor.subcategory;
    const stream = random(foldIn(seed, "triplet", ...anchor.key));
    const kin = of.get(id)!.filter((other) => other.id !== anchor.id);
    if (kin.length === 0)
      throw new Error(`triplets: "${name}" has one image alone, so it has no positive; two or more are needed`);
    const byOthers = anchor.source === undefined ? [] : kin.filter((other) => other.source !== anchor.source);
    const positive = stream.choice(byOthers.length > 0 ? byOthers : kin);
    const others = negatives === "random" ? anyOther(anchor.subcategory, stream) : hardest(anchor.subcategory);
    if (others.length === 0)
      throw new Error(`triplets: "${name}" is the only sub-category, so there is no negative; two or more are needed`);
    return { anchor, positive, negative: stream.choice(others) };
  });
}
