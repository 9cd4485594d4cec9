/** The table people read: methods x (closed seen, closed unseen, open seen, open unseen, mean), with intervals. */
import { random } from "../util/random";
import { average } from "../util/sums";
import type { Metric } from "./compare";
import { meanAndDeviation, quantile, wilson, type Interval } from "./intervals";
import { compareText } from "../util/text";
import { compareMethods } from "../train/methods";
import type { PredictionRow, Setting, Split } from "./rows";
import { scoreRow } from "./score";

/** The four cells, in the order of the columns. */
export const CELLS: readonly { setting: Setting; split: Split }[] = [
  { setting: "closed", split: "seen" },
  { setting: "closed", split: "unseen" },
  { setting: "open", split: "seen" },
  { setting: "open", split: "unseen" },
];

/** An accuracy: the mean over seeds, its 95 % interval (over test images) and its deviation over seeds. */
export interface Cell extends Interval {
  accuracy: number;
  /** Questions of one seed. */
  n: number;
  deviation: number;
}

export interface OverviewRow {
  method: string;
  seeds: number;
  /** As `CELLS`; null where the method has no rows there. */
  cells: (Cell | null)[];
  /** The plain mean of the four cells; null unless all four are there. Interval: bootstrap over sub-categories. */
  mean: Cell | null;
}

/** A sub-category's answers in one method's rows. */
export interface Tally {
  /** `domain/name` */
  cluster: string;
  domain: string;
  /** Right answers and questions, per cell. */
  correct: number[];
  n: number[];
}

/** Rows counted by sub-category, in order of their names. */
export function tallies(rows: readonly PredictionRow[], metric: Metric): Tally[] {
  const byCluster = new Map<string, Tally>();
  for (const row of rows) {
    const cell = CELLS.findIndex(({ setting, split }) => setting === row.setting && split === row.split);
    const cluster = `${row.domain}/${row.ground_truth}`;
    const tally = byCluster.get(cluster) ?? { cluster, domain: row.domain, correct: [0, 0, 0, 0], n: [0, 0, 0, 0] };
    tally.n[cell]++;
    if (scoreRow(row, row.setting)[metric]) tally.correct[cell]++;
    byCluster.set(cluster, tally);
  }
  return [...byCluster.values()].sort((a, b) => compareText(a.cluster, b.cluster));
}

/**
 * Accuracy per cell of some tallies (indices, repeats allowed; all unless given); NaN where a cell is empty. The inner
 * loop of every bootstrap.
 */
export function accuracies(all: readonly Tally[], chosen?: readonly number[]): number[] {
  const correct = CELLS.map(() => 0);
  const asked = CELLS.map(() => 0);
  const count = chosen?.length ?? all.length;
  for (let k = 0; k < count; k++) {
    const tally = all[chosen ? chosen[k] : k];
    for (let cell = 0; cell < correct.length; cell++) {
      correct[cell] += tally.correct[cell];
      asked[cell] += tally.n[cell];
    }
  }
  return correct.map((right, cell) => right / asked[cell]);
}

/** Interval of the mean of the four cells: whole sub-categories drawn with replacement, 1000 times. */
function bootstrapMean(all: readonly Tally[]): Interval {
  const stream = random(0);
  const draws = Array.from({ length: 1000 }, () =>
    average(
      accuracies(
        all,
        all.map(() => stream.integer(all.length)),
      ),
    ),
  );
  const sorted = draws.filter(Number.isFinite).sort((a, b) => a - b);
  return { low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) };
}

function overviewRow(method: string, rows: readonly PredictionRow[], metric: Metric): OverviewRow {
  const seeds = [...new Set(rows.map((row) => row.seed))].sort((a, b) => a - b);
  const perSeed = seeds.map((seed) =>
    tallies(
      rows.filter((row) => row.seed === seed),
      metric,
    ),
  );
  const bySeed = perSeed.map((tally) => accuracies(tally));
  const cells = CELLS.map((_, i): Cell | null => {
    const values = bySeed.map((row) => row[i]).filter(Number.isFinite);
    if (values.length === 0) return null;
    const n = Math.round(
      average(perSeed.map((tally) => tally.reduce((sum, { n: counts }) => sum + counts[i], 0)).filter((x) => x > 0)),
    );
    const { mean, deviation } = meanAndDeviation(values);
    return { accuracy: mean, deviation, n, ...wilson(Math.round(mean * n), n) };
  });
  if (cells.some((cell) => cell === null)) return { method, seeds: seeds.length, cells, mean: null };
  const { mean, deviation } = meanAndDeviation(bySeed.map(average).filter(Number.isFinite));
  const n = cells.reduce((sum, cell) => sum + cell!.n, 0);
  return {
    method,
    seeds: seeds.length,
    cells,
    mean: { accuracy: mean, deviation, n, ...bootstrapMean(tallies(rows, metric)) },
  };
}

/**
 * The overview, a line per method in the tables' order, every domain pooled. With several seeds each cell is their
 * mean; intervals speak of the test images (one seed's number of them), `deviation` of the seeds.
 */
export function overview(rows: readonly PredictionRow[], metric: Metric = "substring"): OverviewRow[] {
  const methods = [...new Set(rows.map((row) => row.method))].sort(compareMethods);
  return methods.map((method) =>
    overviewRow(
      method,
      rows.filter((row) => row.method === method),
      metric,
    ),
  );
}
