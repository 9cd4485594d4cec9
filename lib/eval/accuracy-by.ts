/** Accuracy by any columns of prediction rows: what a reader's own question is most often about. */
import { compareMethods } from "../train/methods";
import { compareText } from "../util/text";
import type { Metric } from "./compare";
import { wilson } from "./intervals";
import type { PredictionRow } from "./rows";
import { scoreRow } from "./score";

type Value = string | number | boolean;

/** Column heading -> what it holds of a row. */
export type Columns = Readonly<Record<string, (row: PredictionRow) => Value>>;

/** A group of rows with equal columns: their values, and its accuracy in [0, 1] with Wilson's 95 % interval. */
export type AccuracyRow = Record<string, Value> & {
  n: number;
  correct: number;
  accuracy: number;
  low: number;
  high: number;
};

/** Columns by the names of a row's fields. @throws Error naming one that no row has, with those that there are */
function fieldColumns(rows: readonly PredictionRow[], names: readonly string[]): Columns {
  const fields = new Set(rows.flatMap((row) => Object.keys(row)));
  for (const name of names)
    if (rows.length > 0 && !fields.has(name))
      throw new Error(`accuracyBy: the rows have no column "${name}"; they have ${[...fields].sort().join(", ")}`);
  return Object.fromEntries(
    names.map((name) => [
      name,
      (row: PredictionRow): Value => (row as unknown as Record<string, Value | undefined>)[name] ?? "unknown",
    ]),
  );
}

function compareValues(column: string, a: Value, b: Value): number {
  if (column === "method") return compareMethods(String(a), String(b));
  return typeof a === "number" && typeof b === "number" ? a - b : compareText(String(a), String(b));
}

/**
 * Rows in groups of equal columns, in order of the columns. Seeds are pooled unless `seed` is a column.
 * @param columns fields of the rows (`["method", "split"]`), or columns of one's own (`{ length: (row) => … }`)
 * @throws Error for a field that the rows lack
 */
export function accuracyBy(
  rows: readonly PredictionRow[],
  columns: readonly string[] | Columns,
  metric: Metric = "substring",
): AccuracyRow[] {
  const of: Columns = Array.isArray(columns) ? fieldColumns(rows, columns as readonly string[]) : (columns as Columns);
  const names = Object.keys(of);
  const groups = new Map<string, { values: Value[]; n: number; correct: number }>();
  for (const row of rows) {
    const values = names.map((name) => of[name](row));
    const key = JSON.stringify(values);
    const group = groups.get(key) ?? { values, n: 0, correct: 0 };
    group.n++;
    if (scoreRow(row, row.setting)[metric]) group.correct++;
    groups.set(key, group);
  }
  return [...groups.values()]
    .sort((a, b) => names.reduce((order, name, i) => order || compareValues(name, a.values[i], b.values[i]), 0))
    .map(({ values, n, correct }) => ({
      ...Object.fromEntries(names.map((name, i) => [name, values[i]])),
      n,
      correct,
      accuracy: correct / n,
      ...wilson(correct, n),
    }));
}
