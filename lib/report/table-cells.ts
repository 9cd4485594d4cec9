/** Rows as the cells of a table: which columns there are, and how their values are written. */

/** What an Arquero table has that is needed here; a list of rows does as well. */
export interface TableLike {
  columnNames(): string[];
  objects(options?: { limit?: number }): object[];
}

export interface TableOptions {
  /** Rows shown, 50 unless given; the number of the others is said. */
  limit?: number;
  /** Decimals of numbers that are not whole, 3 unless given. A small number has as many as it needs. */
  decimals?: number;
}

/** Digits that a number keeps which the decimals of its column would show as 0. */
const SMALL_DIGITS = 3;

/** Decimals that tell a number from its neighbours, `most` at most. */
function decimalsOf(value: number, most: number): number {
  for (let decimals = 0; decimals < most; decimals++) if (Number(value.toFixed(decimals)) === value) return decimals;
  return most;
}

/** Below this, decimals round a number to one digit or none. */
const smallBelow = (decimals: number): number => Math.max(0.5 * 10 ** -decimals, Math.min(0.01, 10 ** (1 - decimals)));

/** A number with the decimals of its column; a small one keeps three digits: 0.00015. */
function numberText(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return String(value);
  const isRounded = value !== 0 && Number(value.toFixed(decimals)) !== value;
  if (isRounded && Math.abs(value) < smallBelow(decimals)) return String(Number(value.toPrecision(SMALL_DIGITS)));
  return value.toFixed(decimals);
}

/**
 * How a column's numbers are written: whole ones as they are where all are whole, otherwise all with one number of
 * decimals. Without small numbers, 58 beside 79.11 is 58.00.
 */
function columnFormat(values: readonly unknown[], most: number): (value: unknown) => string {
  const numbers = values.filter((value): value is number => typeof value === "number" && Number.isFinite(value));
  const decimals = Math.max(0, ...numbers.map((value) => decimalsOf(value, most)));
  return (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return numberText(value, decimals);
    return typeof value === "object" ? JSON.stringify(value) : String(value as string | boolean | bigint);
  };
}

/**
 * Numbers, and what is written as one: `58 %`, `-0.3`, `1,204`, `62.5 ±1.2 [58.1, 66.7]`, `<0.001`; a dash for none.
 */
const NUMERIC =
  /^(?:[-–]|[<>≤≥~≈]?\s*[-+−±]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?\s*%?(?:\s*±\s*\d[\d.]*\s*%?)?(?:\s*\[[-+−\d.,\s%]*\])?)$/i;

/** Whether a column is set to the right: numbers or text that is one, and gaps. */
function isNumericColumn(texts: readonly string[]): boolean {
  const written = texts.filter((text) => text !== "");
  return written.some((text) => /\d/.test(text)) && written.every((text) => NUMERIC.test(text));
}

export type TableRow = Record<string, unknown>;

/** The rows of a table, or of a list. */
export function tableRows(table: TableLike | readonly object[]): TableRow[] {
  return (Array.isArray(table) ? table : (table as TableLike).objects()) as TableRow[];
}

export interface TableCells {
  /** Of the columns: an Arquero table's, or those of a list's first row. */
  names: string[];
  /** The rows that are shown. */
  rows: TableRow[];
  /** Their values as written, row by row. */
  cells: string[][];
  /** By column: whether it is set to the right. */
  isNumeric: boolean[];
  /** Rows that are not shown. */
  left: number;
}

/** Cells of the first `limit` rows. */
export function tableCells(
  table: TableLike | readonly object[],
  { limit = 50, decimals = 3 }: TableOptions = {},
): TableCells {
  const all = tableRows(table);
  const names = Array.isArray(table) ? Object.keys(all[0] ?? {}) : (table as TableLike).columnNames();
  const rows = all.slice(0, limit);
  const columns = names.map((name) => {
    const values = rows.map((row) => row[name]);
    return values.map(columnFormat(values, decimals));
  });
  return {
    names,
    rows,
    cells: rows.map((_, i) => columns.map((column) => column[i])),
    isNumeric: columns.map(isNumericColumn),
    left: all.length - rows.length,
  };
}
