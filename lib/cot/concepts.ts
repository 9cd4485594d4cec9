/**
 * Which visual concepts to keep (paper, section 3.1: information bottleneck): those most informative of the
 * sub-category and least redundant with the ones already kept.
 *
 * Estimators, over the descriptions of one domain's images (a description is a set of words):
 * - information of word w about sub-category c: the contribution of c to I(C; W), the specific information
 *   `p log(p/q) + (1-p) log((1-p)/(1-q))` with p = P(w | c), q = P(w) (DeWeese & Meister 1999), nats;
 * - redundancy of w with a kept word s: I(W; S) of the two presence indicators, nats, plug-in estimate;
 * - both with Laplace smoothing; chosen greedily by `information - weight * mean redundancy` (mRMR: Peng, Long & Ding
 *   2005), the usual tractable form of the bottleneck's trade-off (Tishby, Pereira & Bialek 1999).
 */
import { average, sum } from "../util/sums";

/** One description of one image. */
export interface DescribedImage {
  /** Sub-category id. */
  concept: string;
  words: readonly string[];
}

/** A scored concept. */
export interface ScoredConcept {
  word: string;
  /** nats */
  information: number;
  /** Mean over the concepts kept before it, nats. */
  redundancy: number;
  score: number;
}

/** Statistics of one domain's descriptions. */
export interface ConceptStatistics {
  words: readonly string[];
  /** Specific information of a word about a sub-category, nats; negative where the word speaks against it. */
  information(concept: string, word: string): number;
  redundancy(a: string, b: string): number;
}

const SMOOTHING = 0.5;

/** Counts presence of words, by sub-category and in pairs. */
export function conceptStatistics(descriptions: readonly DescribedImage[]): ConceptStatistics {
  if (descriptions.length === 0) throw new Error("concept selection: there are no descriptions");
  const sets = descriptions.map((d) => new Set(d.words));
  const words = [...new Set(descriptions.flatMap((d) => d.words))].sort();
  const has = new Map(words.map((word) => [word, Uint8Array.from(sets, (set) => (set.has(word) ? 1 : 0))]));
  const members = new Map<string, number[]>();
  descriptions.forEach((d, i) => members.set(d.concept, [...(members.get(d.concept) ?? []), i]));
  const total = descriptions.length;
  const rate = (count: number, n: number): number => (count + SMOOTHING) / (n + 2 * SMOOTHING);
  const information = (concept: string, word: string): number => {
    const rows = members.get(concept);
    const present = has.get(word);
    if (!rows || !present) return 0;
    const p = rate(sum(rows.map((i) => present[i])), rows.length);
    const q = rate(sum([...present]), total);
    const value = p * Math.log(p / q) + (1 - p) * Math.log((1 - p) / (1 - q));
    return p >= q ? value : -value;
  };
  const cache = new Map<string, number>();
  const redundancy = (a: string, b: string): number => {
    const key = a < b ? `${a} ${b}` : `${b} ${a}`;
    const known = cache.get(key);
    if (known !== undefined) return known;
    const [x, y] = [has.get(a), has.get(b)];
    if (!x || !y) return 0;
    const joint = [0, 0, 0, 0];
    for (let i = 0; i < total; i++) joint[2 * x[i] + y[i]]++;
    const p = joint.map((n) => (n + SMOOTHING / 2) / (total + 2 * SMOOTHING));
    const px = [p[0] + p[1], p[2] + p[3]];
    const py = [p[0] + p[2], p[1] + p[3]];
    const value = p.reduce((sum, pij, k) => sum + pij * Math.log(pij / (px[k >> 1] * py[k & 1])), 0);
    cache.set(key, value);
    return value;
  };
  return { words, information, redundancy };
}

/**
 * Keeps at most `limit` of `available` words for an image of `concept`, greedily.
 * @param redundancyWeight the trade-off; 0 keeps the most informative ones whatever they share
 */
export function selectConcepts(
  statistics: ConceptStatistics,
  concept: string,
  available: readonly string[],
  limit: number,
  redundancyWeight: number,
): ScoredConcept[] {
  const kept: ScoredConcept[] = [];
  const left = new Set(available);
  while (kept.length < limit && left.size > 0) {
    let best: ScoredConcept | null = null;
    for (const word of left) {
      const information = statistics.information(concept, word);
      const redundancy = kept.length === 0 ? 0 : average(kept.map((k) => statistics.redundancy(word, k.word)));
      const score = information - redundancyWeight * redundancy;
      if (!best || score > best.score) best = { word, information, redundancy, score };
    }
    kept.push(best!);
    left.delete(best!.word);
  }
  return kept;
}
