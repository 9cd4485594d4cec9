/** Answers of several seeds counted by sub-category, and two methods' side by side. */
import { average } from "../util/sums";
import type { Metric } from "./compare";
import { accuracies, CELLS, tallies, type Tally } from "./overview";
import type { PredictionRow } from "./rows";

/** Tallies of each seed, over the same sub-categories in the same order. */
export function talliesBySeed(rows: readonly PredictionRow[], metric: Metric): Map<number, Tally[]> {
  const all = tallies(rows, metric);
  const seeds = [...new Set(rows.map((row) => row.seed))].sort((a, b) => a - b);
  return new Map(
    seeds.map((seed) => {
      const own = new Map(
        tallies(
          rows.filter((row) => row.seed === seed),
          metric,
        ).map((tally) => [tally.cluster, tally]),
      );
      return [
        seed,
        all.map(
          ({ cluster, domain }) => own.get(cluster) ?? { cluster, domain, correct: [0, 0, 0, 0], n: [0, 0, 0, 0] },
        ),
      ];
    }),
  );
}

/**
 * Accuracy of each cell over some sub-categories (indices, repeats allowed): the mean over some seeds' tallies; NaN
 * where empty.
 */
export function cellMeans(seeds: readonly (readonly Tally[])[], chosen: readonly number[]): number[] {
  const each = seeds.map((all) => accuracies(all, chosen));
  return CELLS.map((_, cell) => average(each.map((row) => row[cell]).filter(Number.isFinite)));
}

/** Two methods' tallies over the seeds that both have, `[seed][sub-category]`; both have the same `n`. */
export interface PairedSeeds {
  seeds: number[];
  /** In the order of the tallies. */
  subcategories: { cluster: string; domain: string }[];
  a: Tally[][];
  b: Tally[][];
}

/**
 * Null where the two share no seed.
 * @throws Error where the two were not asked the same questions
 */
export function pairSeeds(
  a: readonly PredictionRow[],
  b: readonly PredictionRow[],
  metric: Metric = "substring",
): PairedSeeds | null {
  const seedsOf = (rows: readonly PredictionRow[]): Set<number> => new Set(rows.map((row) => row.seed));
  const theirs = seedsOf(b);
  const seeds = [...seedsOf(a)].filter((seed) => theirs.has(seed)).sort((s, t) => s - t);
  if (seeds.length === 0) return null;
  const [x, y] = [a, b].map((rows) => [
    ...talliesBySeed(
      rows.filter((row) => seeds.includes(row.seed)),
      metric,
    ).values(),
  ]);
  const asked = (one: Tally[][]): string =>
    JSON.stringify(
      one.map((all) => all.filter(({ n }) => n.some((count) => count > 0)).map(({ cluster, n }) => [cluster, n])),
    );
  if (asked(x) !== asked(y))
    throw new Error(
      `pairSeeds: ${a[0].method} and ${b[0].method} were not asked the same questions; evaluate both on the same rows`,
    );
  return { seeds, subcategories: x[0].map(({ cluster, domain }) => ({ cluster, domain })), a: x, b: y };
}

/** The indices of all seeds, or of all sub-categories. */
const everyIndex = ({ length }: { length: number }): number[] => Array.from({ length }, (_, i) => i);

/**
 * a - b in the mean of the cells that have rows, over some seeds and sub-categories (indices, repeats allowed; all
 * unless given); NaN where no cell has any.
 */
export function differenceOf(
  { a, b, seeds, subcategories }: PairedSeeds,
  chosen: { seeds?: readonly number[]; subcategories?: readonly number[] } = {},
): number {
  const own = chosen.seeds ?? everyIndex(seeds);
  const among = chosen.subcategories ?? everyIndex(subcategories);
  const [p, q] = [a, b].map((one) =>
    cellMeans(
      own.map((s) => one[s]),
      among,
    ),
  );
  return average(p.map((value, i) => value - q[i]).filter(Number.isFinite));
}
