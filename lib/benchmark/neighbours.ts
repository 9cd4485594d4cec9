/** From a similarity of sub-categories to who is nearest to whom. */
import { compareText } from "../util/text";
import type { Neighbours } from "./triplets";
import type { Benchmark, Subcategory } from "./types";

/** How alike two sub-categories are; larger is more alike. */
export type Likeness = (a: Subcategory, b: Subcategory) => number;

/**
 * For every sub-category the others of its domain: those of its finer class first, then by likeness, ties by name. One
 * that is alone on its side of the split there has those of its side in other domains behind them: a small group of an
 * own set still has options and negatives.
 */
export function rankedNeighbours(benchmark: Benchmark, likeness: Likeness): Neighbours {
  const known = new Map<string, readonly Subcategory[]>();
  return (of) => {
    const found = known.get(of.id);
    if (found) return found;
    const kin = benchmark.kin?.(of);
    const ordered = (others: readonly Subcategory[]): Subcategory[] =>
      others
        .map((other) => ({
          other,
          near: kin !== undefined && benchmark.kin?.(other) === kin ? 1 : 0,
          score: likeness(of, other),
        }))
        .sort((a, b) => b.near - a.near || b.score - a.score || compareText(a.other.name, b.other.name))
        .map(({ other }) => other);
    const own = benchmark.subcategories({ domain: of.domain }).filter((other) => other.id !== of.id);
    const isAlone = !own.some((other) => other.split === of.split);
    const further = isAlone
      ? benchmark.subcategories({ split: of.split }).filter((other) => other.domain !== of.domain)
      : [];
    const ranked = [...ordered(own), ...ordered(further)];
    known.set(of.id, ranked);
    return ranked;
  };
}
