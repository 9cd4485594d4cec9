/**
 * Accuracy over several training seeds, with intervals that speak of both: of the seed and of the sub-categories asked
 * for.
 *
 * A two-level bootstrap: each draw takes seeds with replacement and, independently, sub-categories with replacement,
 * and averages over their crossing (Owen 2007, "The pigeonhole bootstrap"; it errs on the wide side). With one seed it
 * is the bootstrap over sub-categories, and says nothing of another seed. The percentile interval of 2000 draws, 95 %.
 */
import { random } from "../util/random";
import type { Metric } from "./compare";
import { quantile, type Interval } from "./intervals";
import { accuracies, CELLS, tallies, type Tally } from "./overview";
import type { PredictionRow } from "./rows";

const DRAWS = 2000;

/** An accuracy, the mean over seeds, and its interval. */
export interface SeedCell extends Interval {
  accuracy: number;
}

/** A method over its seeds. */
export interface SeedSummary {
  seeds: number[];
  /** Questions of one seed, the mean where they differ. */
  n: number;
  /** As `CELLS`; null where there are no rows. */
  cells: (SeedCell | null)[];
  /** The plain mean of the four cells; null unless all are there. */
  mean: SeedCell | null;
}

/** Two methods over the seeds that both have: a - b, in the mean of the cells that have rows. */
export interface SeedDifference extends Interval {
  difference: number;
  /**
   * Two-sided, of the hypothesis that there is no difference: twice the smaller share of draws at or beyond 0, each
   * with one more (Davison and Hinkley 1997, 4.2.3).
   */
  p: number;
  seeds: number[];
}

/** Tallies of each seed, over the same sub-categories in the same order. */
function bySeed(rows: readonly PredictionRow[], metric: Metric): Map<number, Tally[]> {
  const clusters = tallies(rows, metric).map(({ cluster }) => cluster);
  const seeds = [...new Set(rows.map((row) => row.seed))].sort((a, b) => a - b);
  return new Map(
    seeds.map((seed) => {
      const own = new Map(
        tallies(
          rows.filter((row) => row.seed === seed),
          metric,
        ).map((tally) => [tally.cluster, tally]),
      );
      return [seed, clusters.map((cluster) => own.get(cluster) ?? { cluster, correct: [0, 0, 0, 0], n: [0, 0, 0, 0] })];
    }),
  );
}

const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * Accuracy of each cell over some sub-categories (indices, repeats allowed): the mean over some seeds' tallies; NaN
 * where empty.
 */
function cellMeans(seeds: readonly (readonly Tally[])[], chosen: readonly number[]): number[] {
  const each = seeds.map((all) => accuracies(chosen.map((i) => all[i])));
  return CELLS.map((_, cell) => average(each.map((row) => row[cell]).filter(Number.isFinite)));
}

/** How many seeds and sub-categories a draw takes. */
export interface StudySize {
  seeds: number;
  subcategories: number;
}

/**
 * `DRAWS` times: indices of drawn seeds and of drawn sub-categories.
 * @param size of a draw; as many as there are unless given
 */
function draws<T>(
  seeds: number,
  clusters: number,
  statistic: (seeds: number[], clusters: number[]) => T,
  size: StudySize = { seeds, subcategories: clusters },
): T[] {
  const stream = random(0);
  const draw = (count: number, n: number): number[] => Array.from({ length: count }, () => stream.integer(n));
  return Array.from({ length: DRAWS }, () => statistic(draw(size.seeds, seeds), draw(size.subcategories, clusters)));
}

function interval(values: readonly number[]): Interval {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  return { low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) };
}

/**
 * One method's rows of any number of seeds.
 * @throws Error without rows
 */
export function seedSummary(rows: readonly PredictionRow[], metric: Metric = "substring"): SeedSummary {
  if (rows.length === 0) throw new Error("seedSummary: no rows");
  const perSeed = bySeed(rows, metric);
  const all = [...perSeed.values()];
  const identity = all[0].map((_, i) => i);
  const drawn = draws(all.length, identity.length, (seeds, clusters) =>
    cellMeans(
      seeds.map((s) => all[s]),
      clusters,
    ),
  );
  const point = cellMeans(all, identity);
  const cells = point.map((accuracy, i): SeedCell | null =>
    Number.isFinite(accuracy) ? { accuracy, ...interval(drawn.map((row) => row[i])) } : null,
  );
  const mean = cells.includes(null) ? null : { accuracy: average(point), ...interval(drawn.map(average)) };
  return { seeds: [...perSeed.keys()], n: rows.length / perSeed.size, cells, mean };
}

/** Two methods' tallies over the seeds that both have, and the difference of their means. */
interface Paired {
  seeds: number[];
  clusters: number;
  /** a - b over some seeds and sub-categories (indices). */
  statistic: (seeds: readonly number[], clusters: readonly number[]) => number;
}

/** @throws Error where the two were not asked the same questions */
function pairSeeds(a: readonly PredictionRow[], b: readonly PredictionRow[], metric: Metric): Paired | null {
  const seedsOf = (rows: readonly PredictionRow[]): Set<number> => new Set(rows.map((row) => row.seed));
  const theirs = seedsOf(b);
  const seeds = [...seedsOf(a)].filter((seed) => theirs.has(seed)).sort((s, t) => s - t);
  if (seeds.length === 0) return null;
  const [x, y] = [a, b].map((rows) => [
    ...bySeed(
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
      `seedDifference: ${a[0].method} and ${b[0].method} were not asked the same questions; evaluate both on the same rows`,
    );
  const statistic = (chosenSeeds: readonly number[], clusters: readonly number[]): number => {
    const [p, q] = [x, y].map((one) =>
      cellMeans(
        chosenSeeds.map((s) => one[s]),
        clusters,
      ),
    );
    return average(p.map((value, i) => value - q[i]).filter(Number.isFinite));
  };
  return { seeds, clusters: x[0].length, statistic };
}

/**
 * The 95 % interval that a - b would have in a study of another size, centred on what was found: seeds and
 * sub-categories of that number are drawn from those at hand. For planning; null where the two share no seed.
 * @throws Error where the two were not asked the same questions
 */
export function plannedInterval(
  a: readonly PredictionRow[],
  b: readonly PredictionRow[],
  size: StudySize,
  metric: Metric = "substring",
): Interval | null {
  const paired = pairSeeds(a, b, metric);
  return paired && interval(draws(paired.seeds.length, paired.clusters, paired.statistic, size));
}

/**
 * a - b over the seeds that both have; null where they share none. Seeds and sub-categories are drawn for both at once.
 * @throws Error where the two were not asked the same questions
 */
export function seedDifference(
  a: readonly PredictionRow[],
  b: readonly PredictionRow[],
  metric: Metric = "substring",
): SeedDifference | null {
  const paired = pairSeeds(a, b, metric);
  if (!paired) return null;
  const { seeds, clusters, statistic } = paired;
  const drawn = draws(seeds.length, clusters, statistic).filter(Number.isFinite);
  const share = (beyond: (d: number) => boolean): number => (drawn.filter(beyond).length + 1) / (drawn.length + 1);
  const difference = statistic(
    seeds.map((_, i) => i),
    Array.from({ length: clusters }, (_, i) => i),
  );
  return {
    difference,
    ...interval(drawn),
    p: Math.min(
      1,
      2 *
        Math.min(
          share((d) => d <= 0),
          share((d) => d >= 0),
        ),
    ),
    seeds,
  };
}
