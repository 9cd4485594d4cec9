/** Few-shot training images and the triplets made of them. */
import { foldIn, random } from "../../util/random";
import type { EmojiFgvr } from "./benchmark";
import type { EmojiTriplet, FewShotExample } from "./types";

/** The four few-shot images of every seen sub-category, in the order of the concepts. */
export function fewShotExamples(data: EmojiFgvr): FewShotExample[] {
  return data
    .subcategories({ split: "seen" })
    .flatMap((c) => data.drawings(c, "fewshot").map((d) => ({ ...d, conceptId: c.id, domain: c.domain })));
}

/**
 * One triplet for every few-shot image as anchor (Fine-R1's intra- and inter-class pairs): the positive is a drawing of
 * the same sub-category by another designer, the negative a drawing of the most similar other seen sub-category. Each
 * anchor draws from its own seed, so that the same seed gives the same triplets in whatever order they are used.
 */
export function triplets(data: EmojiFgvr, seed: number): EmojiTriplet[] {
  const examples = fewShotExamples(data);
  const of = new Map<string, FewShotExample[]>();
  for (const example of examples) of.set(example.conceptId, [...(of.get(example.conceptId) ?? []), example]);
  return examples.map((anchor) => {
    const stream = random(foldIn(seed, "triplet", anchor.conceptId, anchor.style));
    const positives = (of.get(anchor.conceptId) ?? []).filter((other) => other.designer !== anchor.designer);
    const [nearest] = data.nearestNegatives(anchor.conceptId, { split: "seen", limit: 1 });
    return { anchor, positive: stream.choice(positives), negative: stream.choice(of.get(nearest.id) ?? []) };
  });
}
