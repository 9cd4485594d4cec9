/**
 * The interval of a paired difference over seeds x sub-categories, from a crossed random-effects model. Beside the
 * percentile bootstrap of `seeds.ts`, which is too narrow for few seeds that differ much.
 *
 * The difference is a mean over a table of seeds x sub-categories (each of them drawn at random, the two crossed), so
 * its variance has a part of the seeds, one of the sub-categories and one of their residual, estimated from the mean
 * squares of a two-way analysis of variance. Degrees of freedom: Satterthwaite (1946), "An approximate distribution of
 * estimates of variance components". Owen (2007), "The pigeonhole bootstrap", has the variance of a mean over two
 * crossed factors. The variance is never below that of the seeds alone or of the sub-categories alone.
 */
import { average, sum } from "../util/sums";
import type { Metric } from "./compare";
import type { Interval } from "./intervals";
import { pairSeeds, type PairedSeeds } from "./paired-seeds";
import type { PredictionRow } from "./rows";
import { tQuantile } from "./student-t";

/** A difference a - b, in [-1, 1], with what the model says of it. */
export interface CrossedDifference {
  difference: number;
  /** Of the difference. */
  standardError: number;
  /** Satterthwaite's degrees of freedom: the number of seeds less one, or more. */
  df: number;
  interval95: Interval;
  /** Two one-sided tests at 5 %. */
  interval90: Interval;
  /** The standard deviation between seeds, the noise of the questions taken off; 0 where that explains all. */
  seedDeviation: number;
}

/** Each cell of one seed that has questions: their number, and a's right answers less b's, `[sub-category]`. */
function cellsOf({ a, b }: PairedSeeds, seed: number): { cell: number; n: number[]; gain: number[] }[] {
  return a[seed][0].n.flatMap((_, cell) => {
    const n = a[seed].map((tally) => tally.n[cell]);
    const gain = a[seed].map((tally, c) => tally.correct[cell] - b[seed][c].correct[cell]);
    return sum(n) > 0 ? [{ cell, n, gain }] : [];
  });
}

/**
 * The table `[seed][sub-category]` whose mean over sub-categories is the seed's difference: with d_j = sum_c x_cj /
 * sum_c n_cj of cell j and C sub-categories, d + C mean_j[(x_cj - d_j n_cj) / sum_c n_cj].
 * @throws Error where a cell has questions with one seed and none with another
 */
function influences(paired: PairedSeeds): number[][] {
  const perSeed = paired.seeds.map((_, s) => cellsOf(paired, s));
  const cells = perSeed.map((own) => own.map(({ cell }) => cell).join());
  const other = cells.findIndex((own) => own !== cells[0]);
  if (other !== -1)
    throw new Error(
      `crossedDifference: seeds ${paired.seeds[0]} and ${paired.seeds[other]} have questions in different cells (closed or open, seen or unseen); evaluate all seeds on the same questions`,
    );
  return perSeed.map((own) => {
    const each = own.map(({ n, gain }) => {
      const size = sum(n);
      const d = sum(gain) / size;
      return { d, parts: gain.map((x, c) => (x - d * n[c]) / size) };
    });
    const difference = average(each.map(({ d }) => d));
    const count = paired.subcategories.length;
    return paired.subcategories.map((_, c) => difference + count * average(each.map(({ parts }) => parts[c])));
  });
}

/** Mean squares of a table `[row][column]`, two or more of each: of rows, of columns, of the residual. */
function meanSquares(table: readonly (readonly number[])[]): { rows: number; columns: number; residual: number } {
  const [height, width] = [table.length, table[0].length];
  const rowMeans = table.map(average);
  const columnMeans = table[0].map((_, c) => average(table.map((row) => row[c])));
  const mean = average(rowMeans);
  const squares = (values: readonly number[]): number => sum(values.map((value) => value * value));
  const residuals = table.flatMap((row, r) => row.map((value, c) => value - rowMeans[r] - columnMeans[c] + mean));
  return {
    rows: (width * squares(rowMeans.map((value) => value - mean))) / (height - 1),
    columns: (height * squares(columnMeans.map((value) => value - mean))) / (width - 1),
    residual: squares(residuals) / ((height - 1) * (width - 1)),
  };
}

/**
 * a - b as `differenceOf` has it, with its interval; null with one seed or one sub-category, where it is not defined.
 * @throws Error where a cell has questions with one seed and none with another
 */
export function crossedInterval(paired: PairedSeeds): CrossedDifference | null {
  const [seeds, clusters] = [paired.seeds.length, paired.subcategories.length];
  if (seeds < 2 || clusters < 2) return null;
  const table = influences(paired);
  const difference = average(table.map(average));
  const { rows, columns, residual } = meanSquares(table);
  const scaled = Math.max(rows + columns - residual, rows, columns);
  const spread =
    rows ** 2 / (seeds - 1) + columns ** 2 / (clusters - 1) + residual ** 2 / ((seeds - 1) * (clusters - 1));
  const df = scaled > 0 ? Math.max(seeds - 1, scaled ** 2 / spread) : seeds - 1;
  const standardError = Math.sqrt(scaled / (seeds * clusters));
  const within = (p: number): Interval => {
    const half = tQuantile(p, df) * standardError;
    return { low: difference - half, high: difference + half };
  };
  return {
    difference,
    standardError,
    df,
    interval95: within(0.975),
    interval90: within(0.95),
    seedDeviation: Math.sqrt(Math.max(0, (rows - residual) / clusters)),
  };
}

/**
 * `crossedInterval` of two methods' rows; null where they share fewer than two seeds.
 * @throws Error where the two, or two seeds, were not asked the same questions
 */
export function crossedDifference(
  a: readonly PredictionRow[],
  b: readonly PredictionRow[],
  metric: Metric = "substring",
): CrossedDifference | null {
  const paired = pairSeeds(a, b, metric);
  return paired && crossedInterval(paired);
}
