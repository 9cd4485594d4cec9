/**
 * Accuracy over several training seeds, with intervals that speak of both: of the seed and of the sub-categories asked
 * for.
 *
 * A two-level bootstrap: each draw takes seeds with replacement and, independently, sub-categories with replacement,
 * and averages over their crossing (Owen 2007, "The pigeonhole bootstrap"). With one seed it is the bootstrap over
 * sub-categories, and says nothing of another seed. The percentile interval of 2000 draws, 95 %. With few seeds that
 * differ much it is too narrow: `crossed.ts` has another.
 */
import { random } from "../util/random";
import { average } from "../util/sums";
import type { Metric } from "./compare";
import { quantile, type Interval } from "./intervals";
import { cellMeans, differenceOf, pairSeeds, talliesBySeed, type PairedSeeds } from "./paired-seeds";
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
   * with one more (Davison and Hinkley 1997, 4.2.3). A draw that is 0 up to rounding (1e-12) counts on both sides.
   */
  p: number;
  /** The 90 % interval: two one-sided tests at 5 %. */
  interval90: Interval;
  seeds: number[];
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

/** @param tail left out on each side; the 95 % interval unless given */
function interval(values: readonly number[], tail = 0.025): Interval {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  return { low: quantile(sorted, tail), high: quantile(sorted, 1 - tail) };
}

/**
 * One method's rows of any number of seeds.
 * @throws Error without rows
 */
export function seedSummary(rows: readonly PredictionRow[], metric: Metric = "substring"): SeedSummary {
  if (rows.length === 0) throw new Error("seedSummary: no rows");
  const perSeed = talliesBySeed(rows, metric);
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

/**
 * The 95 % interval that a - b would have in a study of another size, centred on what was found: seeds and
 * sub-categories of that number are drawn from those at hand. For planning.
 */
export function plannedInterval(paired: PairedSeeds, size: StudySize): Interval {
  return interval(drawnDifferences(paired, size));
}

function drawnDifferences(paired: PairedSeeds, size?: StudySize): number[] {
  return draws(
    paired.seeds.length,
    paired.subcategories.length,
    (seeds, subcategories) => differenceOf(paired, { seeds, subcategories }),
    size,
  );
}

/** Differences that are 0 but for rounding are within this of it. */
export const TIE = 1e-12;

/** a - b over the seeds that both have. Seeds and sub-categories are drawn for both at once. */
export function bootstrapDifference(paired: PairedSeeds): SeedDifference {
  const drawn = drawnDifferences(paired).filter(Number.isFinite);
  const share = (beyond: (d: number) => boolean): number => (drawn.filter(beyond).length + 1) / (drawn.length + 1);
  const smaller = Math.min(
    share((d) => d <= TIE),
    share((d) => d >= -TIE),
  );
  return {
    difference: differenceOf(paired),
    ...interval(drawn),
    interval90: interval(drawn, 0.05),
    p: Math.min(1, 2 * smaller),
    seeds: paired.seeds,
  };
}

/**
 * `bootstrapDifference` of two methods' rows; null where they share no seed.
 * @throws Error where the two were not asked the same questions
 */
export function seedDifference(
  a: readonly PredictionRow[],
  b: readonly PredictionRow[],
  metric: Metric = "substring",
): SeedDifference | null {
  const paired = pairSeeds(a, b, metric);
  return paired && bootstrapDifference(paired);
}
