/** Comparing two methods on the same images: McNemar's test and a paired bootstrap over sub-categories. */
import { random } from "../util/random";
import { quantile, type Interval } from "./intervals";
import type { PredictionRow } from "./rows";
import { scoreRow } from "./score";

export type Metric = "substring" | "exact";

/** One question answered by both methods. */
export interface Pair {
  /** The sub-category, with its domain: what the bootstrap draws. */
  cluster: string;
  /** Share of a's seeds that were right, in [0, 1]; with one seed 0 or 1. */
  a: number;
  b: number;
}

export interface McNemar {
  n: number;
  /** Questions only a, and only b, answered right. */
  onlyA: number;
  onlyB: number;
  /** Two-sided, of the exact conditional test, and its mid-p version (less conservative). */
  exact: number;
  midP: number;
}

/** A difference of accuracies, a - b, and its 95 % interval. */
export interface Difference extends Interval {
  n: number;
  difference: number;
}

/**
 * What makes two rows the same question: the image and the setting. Methods may word their prompts differently, so the
 * words of the question count only where an image has several.
 */
const imageKey = (row: PredictionRow): string =>
  JSON.stringify([row.domain, row.split, row.setting, row.image_path, row.ground_truth]);

/** Whether some image has several questions in one method's rows. */
function asksSeveral(rows: readonly PredictionRow[]): boolean {
  const asked = new Map<string, string>();
  return rows.some((row) => {
    const key = imageKey(row);
    const before = asked.get(key);
    asked.set(key, row.question);
    return before !== undefined && before !== row.question;
  });
}

function meanCorrect(
  rows: readonly PredictionRow[],
  metric: Metric,
  questionKey: (row: PredictionRow) => string,
): Map<string, { cluster: string; sum: number; n: number }> {
  const cells = new Map<string, { cluster: string; sum: number; n: number }>();
  for (const row of rows) {
    const key = questionKey(row);
    const cell = cells.get(key) ?? { cluster: `${row.domain}/${row.ground_truth}`, sum: 0, n: 0 };
    cell.sum += scoreRow(row, row.setting)[metric] ? 1 : 0;
    cell.n++;
    cells.set(key, cell);
  }
  return cells;
}

/** Pairs the rows of two methods by question; what only one of them answered is left out and counted. */
export function pairRows(
  a: readonly PredictionRow[],
  b: readonly PredictionRow[],
  metric: Metric = "substring",
): { pairs: Pair[]; unpaired: number } {
  const several = asksSeveral(a) || asksSeveral(b);
  const key = (row: PredictionRow): string => (several ? JSON.stringify([imageKey(row), row.question]) : imageKey(row));
  const [left, right] = [meanCorrect(a, metric, key), meanCorrect(b, metric, key)];
  const pairs: Pair[] = [];
  for (const key of [...left.keys()].sort()) {
    const [x, y] = [left.get(key)!, right.get(key)];
    if (y) pairs.push({ cluster: x.cluster, a: x.sum / x.n, b: y.sum / y.n });
  }
  return { pairs, unpaired: left.size + right.size - 2 * pairs.length };
}

/** P(X = k) for X ~ Binomial(n, 1/2), k = 0..limit, in logarithms so that large n do not underflow early. */
function halfBinomial(n: number, limit: number): number[] {
  const out: number[] = [];
  let logP = -n * Math.LN2;
  for (let k = 0; k <= limit; k++) {
    out.push(Math.exp(logP));
    logP += Math.log(n - k) - Math.log(k + 1);
  }
  return out;
}

/**
 * McNemar's exact conditional test on the discordant pairs, and its mid-p version (Fagerland, Lydersen and Laake 2013).
 * @throws {Error} when a pair is an average over seeds: compare seed by seed
 */
export function mcnemar(pairs: readonly Pair[]): McNemar {
  if (pairs.some(({ a, b }) => (a !== 0 && a !== 1) || (b !== 0 && b !== 1))) {
    throw new Error(
      "mcnemar: pairs of single outcomes (0 or 1) expected, these average several seeds; give one seed's rows",
    );
  }
  const onlyA = pairs.filter(({ a, b }) => a > b).length;
  const onlyB = pairs.filter(({ a, b }) => a < b).length;
  const n = onlyA + onlyB;
  const m = Math.min(onlyA, onlyB);
  const p = halfBinomial(n, m);
  const exact = Math.min(1, 2 * p.reduce((sum, x) => sum + x, 0));
  const midP = onlyA === onlyB ? 1 - p[m] / 2 : exact - p[m];
  return { n: pairs.length, onlyA, onlyB, exact, midP: n === 0 ? 1 : midP };
}

/**
 * The accuracy difference a - b over the pairs and its percentile interval (95 %), drawing whole sub-categories with
 * replacement: images of one sub-category are not independent. The same seed gives the same interval.
 * @throws {Error} without pairs
 */
export function pairedBootstrap(pairs: readonly Pair[], options: { seed?: number; draws?: number } = {}): Difference {
  if (pairs.length === 0) throw new Error("pairedBootstrap: no pairs; do both methods have rows on the same images?");
  const { seed = 0, draws = 2000 } = options;
  const clusters = new Map<string, { sum: number; n: number }>();
  for (const { cluster, a, b } of pairs) {
    const cell = clusters.get(cluster) ?? { sum: 0, n: 0 };
    cell.sum += a - b;
    cell.n++;
    clusters.set(cluster, cell);
  }
  const cells = [...clusters].sort(([x], [y]) => (x < y ? -1 : 1)).map(([, cell]) => cell);
  const stream = random(seed);
  const sample = Float64Array.from({ length: draws }, () => {
    let sum = 0;
    let n = 0;
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[stream.integer(cells.length)];
      sum += cell.sum;
      n += cell.n;
    }
    return sum / n;
  }).sort();
  const total = cells.reduce((sum, cell) => sum + cell.sum, 0);
  return {
    n: pairs.length,
    difference: total / pairs.length,
    low: quantile(sample, 0.025),
    high: quantile(sample, 0.975),
  };
}
