/** Differences between two methods of the study: over seeds, seed by seed and domain by domain. */
import { crossedInterval, type CrossedDifference } from "../../eval/crossed";
import { differenceOf, pairSeeds, type PairedSeeds } from "../../eval/paired-seeds";
import type { PredictionRow, Setting, Split } from "../../eval/rows";
import { bootstrapDifference, type SeedDifference } from "../../eval/seeds";

/** Variant or baseline -> its rows of all seeds. */
export type RowsByMethod = ReadonlyMap<string, readonly PredictionRow[]>;

/** One difference a - b, in the mean of the cells of the splits: closed and open of each unless one is named. */
export interface Contrast {
  a: string;
  b: string;
  splits: readonly Split[];
  setting?: Setting;
}

/** Differences in [-1, 1]. */
export interface Compared extends SeedDifference, Contrast {
  paired: PairedSeeds;
  /** Null with one seed. */
  crossed: CrossedDifference | null;
  /** In the order of `seeds`. */
  bySeed: number[];
  /** In order of their names; `without`: the difference when this domain is left out, NaN where there is no other. */
  byDomain: { domain: string; subcategories: number; difference: number; without: number }[];
}

function byDomain(paired: PairedSeeds): Compared["byDomain"] {
  const domains = [...new Set(paired.subcategories.map(({ domain }) => domain))].sort();
  return domains.map((name) => {
    const where = (isChosen: (domain: string) => boolean): number[] =>
      paired.subcategories.flatMap(({ domain }, i) => (isChosen(domain) ? [i] : []));
    const [own, others] = [where((domain) => domain === name), where((domain) => domain !== name)];
    return {
      domain: name,
      subcategories: own.length,
      difference: differenceOf(paired, { subcategories: own }),
      without: differenceOf(paired, { subcategories: others }),
    };
  });
}

/**
 * Null where a method has no rows, or the two share no seed.
 * @throws Error where the two were not asked the same questions
 */
export function compareContrast(rows: RowsByMethod, contrast: Contrast): Compared | null {
  const of = (method: string): PredictionRow[] =>
    (rows.get(method) ?? []).filter(
      ({ split, setting }) =>
        contrast.splits.includes(split) && (contrast.setting === undefined || contrast.setting === setting),
    );
  const paired = pairSeeds(of(contrast.a), of(contrast.b));
  if (!paired) return null;
  return {
    ...contrast,
    ...bootstrapDifference(paired),
    paired,
    crossed: crossedInterval(paired),
    bySeed: paired.seeds.map((_, s) => differenceOf(paired, { seeds: [s] })),
    byDomain: byDomain(paired),
  };
}
