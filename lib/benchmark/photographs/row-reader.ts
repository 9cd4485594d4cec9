/**
 * Reading annotation files row by row: a bad row ends the reading with an error that names it, or is left out and
 * reported.
 */
import type { BadRow, OnBadRow } from "../../util/lines";

/** Where a row is: file and line, or file, variable and element. */
export interface Place {
  file: string;
  /** From 1; of a MAT-file the element. */
  line: number;
  /** Both in words, as errors begin: `list.txt, line 3`. */
  where: string;
}

/** Applies a reader to rows. */
export interface RowReader {
  readonly skipped: BadRow[];
  /** The results of rows that can be read. @throws what `read` throws, under `stop` */
  map<T extends Place, R>(rows: Iterable<T>, read: (row: T) => R): R[];
}

/** A reader for one set. */
export function rowReader(onBadRow: OnBadRow): RowReader {
  const skipped: BadRow[] = [];
  return {
    skipped,
    map: (rows, read) => {
      const results: ReturnType<typeof read>[] = [];
      for (const row of rows) {
        try {
          results.push(read(row));
        } catch (error) {
          if (onBadRow === "stop") throw error;
          const { message } = error as Error;
          skipped.push({
            file: row.file,
            line: row.line,
            reason: message.startsWith(`${row.where}: `) ? message.slice(row.where.length + 2) : message,
          });
        }
      }
      return results;
    },
  };
}

/** The elements of a MAT-file's variable as places. */
export function elements<T>(
  values: readonly T[],
  file: string,
  variable: string,
): (Place & { value: T; index: number })[] {
  return values.map((value, index) => ({
    value,
    index,
    file,
    line: index + 1,
    where: `${file}, ${variable}, element ${index + 1}`,
  }));
}
