/**
 * How alike two sub-categories of a domain are, for hard negatives:
 *
 *     similarity = 0.65 * Jaccard(visual words) + 0.35 * overlap of colours,
 *     overlap    = sum over the thirteen colour words of min(share in a, share in b),
 *
 * where a sub-category's colour shares are the mean over its pre-training and few-shot drawings: dev and test drawings
 * are never measured. Both terms and the sum lie in [0, 1].
 */
import { COLOR_WORDS } from "./measure";

export const VISUAL_WORD_WEIGHT = 0.65;
export const COLOR_WEIGHT = 0.35;

/** Size of the intersection over size of the union; 0 for two empty sets. */
export function jaccard(a: readonly string[], b: readonly string[]): number {
  const [x, y] = [new Set(a), new Set(b)];
  const common = [...x].filter((word) => y.has(word)).length;
  const union = x.size + y.size - common;
  return union === 0 ? 0 : common / union;
}

/** Histogram intersection of two colour-share records, in [0, 1]. */
export function colorOverlap(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): number {
  return COLOR_WORDS.reduce((sum, word) => sum + Math.min(a[word] ?? 0, b[word] ?? 0), 0);
}

/** What the similarity looks at. */
export interface Appearance {
  readonly id: string;
  readonly visualWords: readonly string[];
  readonly shares: Readonly<Record<string, number>>;
}

/** The measure above. */
export function similarity(a: Appearance, b: Appearance): number {
  return VISUAL_WORD_WEIGHT * jaccard(a.visualWords, b.visualWords) + COLOR_WEIGHT * colorOverlap(a.shares, b.shares);
}

/** Ids of the others, most similar first (ties by id). */
export function rankBySimilarity(one: Appearance, others: readonly Appearance[]): string[] {
  return others
    .filter((other) => other.id !== one.id)
    .map((other) => ({ id: other.id, score: similarity(one, other) }))
    .sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1))
    .map((other) => other.id);
}
