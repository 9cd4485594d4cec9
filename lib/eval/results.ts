/** The results table: from prediction rows to `figures/results.csv`, the same bytes whatever the order of the rows. */
import * as aq from "arquero";
import type { Metric } from "./compare";
import { meanAndDeviation, wilson } from "./intervals";
import { compareText } from "../util/text";
import { compareMethods } from "../train/methods";
import type { PredictionRow, Setting, Split } from "./rows";
import { scoreRow } from "./score";

/** Columns of the CSV, in order. */
export const RESULT_COLUMNS = [
  "method",
  "domain",
  "split",
  "setting",
  "metric",
  "n",
  "correct",
  "accuracy",
  "ci_low",
  "ci_high",
  "seed",
] as const;

/**
 * One line of the table. `domain` is a domain, `all` (every row of the split and setting POOLED, so that a domain
 * counts by its number of images) or `all-but-flags` (the same without the flags, which look alike in every design;
 * only where there are flags). `accuracy` = correct / n with Wilson's 95 % interval, rounded to six decimals.
 */
export interface ResultRow {
  method: string;
  domain: string;
  split: Split;
  setting: Setting;
  metric: Metric;
  n: number;
  correct: number;
  accuracy: number;
  ci_low: number;
  ci_high: number;
  seed: number;
}

/** The pooled domains, after the others in every table. */
export const POOLED = ["all-but-flags", "all"] as const;

const SPLITS: readonly Split[] = ["seen", "unseen"];
const SETTINGS: readonly Setting[] = ["closed", "open"];
const METRICS: readonly Metric[] = ["substring", "exact"];

/** True for the domain of flags, under either of its names. */
export function isFlags(domain: string): boolean {
  return domain === "flag" || domain === "flags";
}

const round = (x: number): number => Number(x.toFixed(6));

function compareDomains(a: string, b: string): number {
  const pooled = POOLED as readonly string[];
  return pooled.indexOf(a) - pooled.indexOf(b) || compareText(a, b);
}

/** The order of the lines: method, seed, setting, split, metric, domain. */
function compareResults(a: ResultRow, b: ResultRow): number {
  return (
    compareMethods(a.method, b.method) ||
    a.seed - b.seed ||
    SETTINGS.indexOf(a.setting) - SETTINGS.indexOf(b.setting) ||
    SPLITS.indexOf(a.split) - SPLITS.indexOf(b.split) ||
    METRICS.indexOf(a.metric) - METRICS.indexOf(b.metric) ||
    compareDomains(a.domain, b.domain)
  );
}

/** Scores prediction rows into the table, one line for each method, seed, domain, split, setting and metric. */
export function resultsTable(rows: readonly PredictionRow[]): ResultRow[] {
  const cells = new Map<string, ResultRow>();
  const hasFlags = rows.some((row) => isFlags(row.domain));
  for (const row of rows) {
    const score = scoreRow(row, row.setting);
    const domains = [row.domain, "all", ...(hasFlags && !isFlags(row.domain) ? ["all-but-flags"] : [])];
    for (const domain of domains) {
      for (const metric of METRICS) {
        const { method, split, setting, seed } = row;
        const key = JSON.stringify([method, domain, split, setting, metric, seed]);
        const cell = cells.get(key) ?? {
          method,
          domain,
          split,
          setting,
          metric,
          n: 0,
          correct: 0,
          accuracy: 0,
          ci_low: 0,
          ci_high: 1,
          seed,
        };
        cell.n++;
        if (score[metric]) cell.correct++;
        cells.set(key, cell);
      }
    }
  }
  const table = [...cells.values()].sort(compareResults);
  for (const cell of table) {
    const { low, high } = wilson(cell.correct, cell.n);
    Object.assign(cell, { accuracy: round(cell.correct / cell.n), ci_low: round(low), ci_high: round(high) });
  }
  return table;
}

/** The table by designer: for each, the pooled lines alone, so that an easy designer does not hide a hard one. */
export function resultsByDesigner(rows: readonly PredictionRow[]): (ResultRow & { designer: string })[] {
  const designers = [...new Set(rows.map((row) => row.designer ?? "unknown"))].sort();
  return designers.flatMap((designer) =>
    resultsTable(rows.filter((row) => (row.designer ?? "unknown") === designer))
      .filter((row) => row.domain === "all")
      .map((row) => ({ designer, ...row })),
  );
}

/** The table as CSV text, with a newline at its end. */
export function resultsToCsv(table: readonly ResultRow[]): string {
  if (table.length === 0) return `${RESULT_COLUMNS.join(",")}\n`;
  return aq.from([...table]).toCSV({ columns: [...RESULT_COLUMNS] });
}

/**
 * Reads the CSV back; `resultsToCsv(resultsFromCsv(text))` is `text`.
 * @throws {Error} when a column is missing or a number is not one; names file and line
 */
export function resultsFromCsv(text: string, file = "results.csv"): ResultRow[] {
  const table = aq.fromCSV(text, { autoType: false });
  const names = table.columnNames();
  const missing = RESULT_COLUMNS.filter((column) => !names.includes(column));
  if (missing.length > 0) throw new Error(`${file}: no column "${missing[0]}"; expected ${RESULT_COLUMNS.join(",")}`);
  return (table.objects() as Record<string, string>[]).map((record, i) => {
    const number = (column: string): number => {
      const value = Number(record[column]);
      if (record[column].trim() === "" || !Number.isFinite(value)) {
        throw new Error(
          `${file}, line ${i + 2}: "${column}" is ${JSON.stringify(record[column])}; a number is expected`,
        );
      }
      return value;
    };
    const { method, domain, split, setting, metric } = record as unknown as ResultRow;
    return {
      method,
      domain,
      split,
      setting,
      metric,
      n: number("n"),
      correct: number("correct"),
      accuracy: number("accuracy"),
      ci_low: number("ci_low"),
      ci_high: number("ci_high"),
      seed: number("seed"),
    };
  });
}

/** Several seeds of one method in one line. */
export interface AggregateRow extends Omit<ResultRow, "seed"> {
  seeds: number;
  /** Unbiased standard deviation of the accuracy over seeds; 0 for one seed. */
  deviation: number;
}

/**
 * Averages over seeds. `accuracy` is the mean over seeds; the interval is Wilson's for the MEAN counts of one seed: it
 * speaks of the test images drawn (the same for every seed), `deviation` of the training seed. n is one seed's.
 */
export function aggregateSeeds(table: readonly ResultRow[]): AggregateRow[] {
  const groups = new Map<string, ResultRow[]>();
  for (const row of table) {
    const key = JSON.stringify([row.method, row.domain, row.split, row.setting, row.metric]);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].map((group) => {
    const { mean: accuracy, deviation } = meanAndDeviation(group.map((row) => row.correct / row.n));
    const n = Math.round(meanAndDeviation(group.map((row) => row.n)).mean);
    const correct = Math.round(accuracy * n);
    const { low, high } = wilson(correct, n);
    const { method, domain, split, setting, metric } = group[0];
    return {
      method,
      domain,
      split,
      setting,
      metric,
      n,
      correct,
      accuracy,
      ci_low: low,
      ci_high: high,
      seeds: group.length,
      deviation,
    };
  });
}
