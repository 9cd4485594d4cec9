/**
 * Image-text pairs for the contrastive baseline: the pre-training pairs of the base, and no others. A drawing that the
 * base sees with its name (`namedDrawings`) comes with the name, every other one with its description only.
 */
import { random, type Random } from "../../util/random";
import { description, namedDrawings } from "../../cot/corpus";
import type { Pair } from "../../train/contrastive";
import type { Knowledge } from "../../benchmark/emoji-fgvr/knowledge";

/** How many pairs there are, and what the base has: equal by construction, printed to be checked. */
export interface PairCounts {
  concepts: number;
  /** (drawing, name) pairs. */
  named: number;
  /** (drawing, description) pairs. */
  described: number;
}

/** Counts the pairs that `drawPairs` draws from. */
export function countPairs(knowledge: readonly Knowledge[]): PairCounts {
  const sum = (of: (k: Knowledge) => number): number => knowledge.reduce((n, k) => n + of(k), 0);
  return {
    concepts: knowledge.length,
    named: sum((k) => namedDrawings(k).length),
    described: sum((k) => k.drawings.length),
  };
}

/** A name as a text; the space in front makes a word the same token as within a sentence. */
export const nameCaption = (name: string): string => ` ${name}`;

/** How a batch is drawn. */
export interface PairBatch {
  /** Pairs; the first `named` of them come with the name. */
  images: number;
  named: number;
  /** Sub-categories of the benchmark are drawn this many times as often as other concepts. */
  evaluatedWeight: number;
}

/**
 * A batch of pairs of distinct concepts (the same concept twice would be a false negative). Half of the named captions
 * are the name alone, as it is asked for later, half name and description, as the base's rationales have both.
 * @throws Error where there are fewer concepts than pairs
 */
export function drawPairs(
  knowledge: readonly Knowledge[],
  { images, named, evaluatedWeight }: PairBatch,
  seed: number,
): Pair[] {
  const drawable = knowledge.filter((k) => k.drawings.length > 0);
  if (drawable.length < images)
    throw new Error(`drawPairs: ${images} pairs of distinct concepts asked of ${drawable.length} concepts`);
  const r = random(seed);
  return sampleByWeight(drawable, images, (k) => (k.evaluated ? evaluatedWeight : 1), r).map((k, i) => {
    const withName = i < named;
    const drawing = r.choice(withName ? namedDrawings(k) : k.drawings);
    const described = description(drawing.colors, r.shuffle(k.words));
    const caption = !withName
      ? described
      : r.uniform() < 0.5
        ? nameCaption(k.name)
        : `${nameCaption(k.name)}:${described}`;
    return { image: drawing.path, conceptId: k.id, caption };
  });
}

/**
 * Distinct elements drawn with probabilities proportional to their weights, in the order drawn (Efraimidis & Spirakis
 * 2006).
 */
export function sampleByWeight<T>(items: readonly T[], count: number, weight: (item: T) => number, r: Random): T[] {
  return items
    .map((item) => ({ item, key: Math.log(1 - r.uniform()) / weight(item) }))
    .sort((a, b) => b.key - a.key)
    .slice(0, count)
    .map(({ item }) => item);
}
