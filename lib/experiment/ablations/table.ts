/** The table of the ablation study: one line per variant, from saved predictions alone. */
import { mcnemar, pairRows, type Metric } from "../../eval/compare";
import { CELLS } from "../../eval/overview";
import type { PredictionRow } from "../../eval/rows";
import { seedDifference, seedSummary, type SeedCell } from "../../eval/seeds";
import { summariseMethods } from "../../eval/summary";
import type { VariantResult } from "./run";
import { REFERENCES } from "./variants";

/**
 * A line: `variant`, `method`, `settings`, `seeds`, `n` (questions of a seed); for each cell (`closed_seen` …) and
 * their plain mean the accuracy over seeds with its two-level bootstrap interval, by text inclusion and, with `exact_`
 * before it, exact match; the difference of the means to each reference over the seeds both have, with interval and
 * bootstrap p, and McNemar's exact p over all questions where that is one seed; shares of outputs that list names, that
 * are in format, and their mean length in tokens; seconds of Stage 2 a seed. Accuracies and shares in [0, 1], rounded
 * to six decimals; null where there is nothing to say.
 */
export type AblationRow = Record<string, string | number | null>;

const round = (x: number): number => Number(x.toFixed(6));
const CELL_NAMES = [...CELLS.map(({ setting, split }) => `${setting}_${split}`), "mean"];

function accuracyColumns(rows: readonly PredictionRow[], metric: Metric): AblationRow {
  const { cells, mean } = seedSummary(rows, metric);
  const prefix = metric === "exact" ? "exact_" : "";
  const columns = (name: string, cell: SeedCell | null): [string, number | null][] => [
    [`${prefix}${name}`, cell && round(cell.accuracy)],
    [`${prefix}${name}_low`, cell && round(cell.low)],
    [`${prefix}${name}_high`, cell && round(cell.high)],
  ];
  return Object.fromEntries([...cells, mean].flatMap((cell, i) => columns(CELL_NAMES[i], cell)));
}

function differenceColumns(
  rows: readonly PredictionRow[],
  reference: readonly PredictionRow[],
  name: string,
): AblationRow {
  const found = reference.length === 0 || rows[0].method === name ? null : seedDifference(rows, reference);
  const oneSeed = found?.seeds.length === 1;
  const ofSeed = (all: readonly PredictionRow[]): PredictionRow[] => all.filter((row) => row.seed === found!.seeds[0]);
  return {
    [`minus_${name}`]: found && round(found.difference),
    [`minus_${name}_low`]: found && round(found.low),
    [`minus_${name}_high`]: found && round(found.high),
    [`p_${name}`]: found && round(found.p),
    [`mcnemar_${name}`]: oneSeed ? round(mcnemar(pairRows(ofSeed(rows), ofSeed(reference)).pairs).exact) : null,
  };
}

function rateColumns(rows: readonly PredictionRow[]): AblationRow {
  const lines = summariseMethods(rows);
  const over = (value: (line: (typeof lines)[number]) => number): number =>
    round(lines.reduce((sum, line) => sum + value(line) * line.n, 0) / rows.length);
  return {
    listing: over((line) => line.listing),
    format: over((line) => line.format),
    length: over((line) => line.length),
  };
}

/** Lines in the order in which the variants come. Rows of variants must name them as their method. */
export function ablationTable(results: readonly VariantResult[]): AblationRow[] {
  const rowsOf = (name: string): PredictionRow[] =>
    results.filter(({ variant }) => variant.name === name).flatMap(({ rows }) => rows);
  return [...new Set(results.map(({ variant }) => variant))].map((variant) => {
    const own = results.filter((result) => result.variant === variant);
    const rows = rowsOf(variant.name);
    const seconds = own.map((result) => result.seconds).filter((s): s is number => s !== null);
    return {
      variant: variant.name,
      method: variant.method,
      settings: variant.set.join(" ") || null,
      seeds: own.map(({ seed }) => seed).join(" "),
      n: Math.round(rows.length / own.length),
      ...accuracyColumns(rows, "substring"),
      ...accuracyColumns(rows, "exact"),
      ...(Object.assign({}, ...REFERENCES.map((name) => differenceColumns(rows, rowsOf(name), name))) as AblationRow),
      ...rateColumns(rows),
      seconds: seconds.length === 0 ? null : Number((seconds.reduce((a, b) => a + b, 0) / seconds.length).toFixed(1)),
    };
  });
}

const percent = (value: string | number | null): string => (value === null ? "-" : (100 * Number(value)).toFixed(1));
const p = (value: string | number | null): string =>
  value === null ? "-" : Number(value) < 0.001 ? "<0.001" : Number(value).toFixed(3);

/** The table for people: accuracies in % with intervals, the references' differences in points. */
export function printedAblations(table: readonly AblationRow[]): AblationRow[] {
  return table.map((row) => {
    const cell = (name: string): string =>
      row[name] === null
        ? "-"
        : `${percent(row[name])} [${percent(row[`${name}_low`])}, ${percent(row[`${name}_high`])}]`;
    return {
      variant: row.variant,
      seeds: row.seeds,
      ...Object.fromEntries(CELL_NAMES.map((name) => [name.replace("_", " "), cell(name)])),
      "exact mean": percent(row.exact_mean),
      ...Object.fromEntries(
        REFERENCES.flatMap((name) => [
          [`minus ${name}`, cell(`minus_${name}`)],
          [`p ${name}`, p(row[`p_${name}`])],
        ]),
      ),
      "format %": percent(row.format),
      "listing %": percent(row.listing),
      length: Number(row.length).toFixed(1),
      seconds: row.seconds === null ? "-" : Number(row.seconds).toFixed(0),
    };
  });
}
