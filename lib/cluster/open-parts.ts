/** Which parts of an evaluation are still to be asked: a predictions file may have most of its rows. */
import { existsSync, readFileSync } from "node:fs";
import type { Slice } from "./part";

/**
 * Rows of a predictions file; a last line that was cut off is none, and stays: whoever opens the file drops it.
 * @throws Error naming the line that is no row
 */
export function finishedRows(file: string): Set<number> {
  if (!existsSync(file)) return new Set();
  const whole = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return new Set(
    whole.map((line, i) => {
      try {
        return (JSON.parse(line) as { row: number }).row;
      } catch (error) {
        throw new Error(
          `${file}, line ${i + 1}: ${(error as Error).message}; mend the line, or start again (--restart)`,
          {
            cause: error,
          },
        );
      }
    }),
  );
}

/** Parts with a row that is not finished. Parts are of whole batches, so they have all rows of such a row's batch. */
export const openParts = <T extends Slice>(parts: readonly T[], finished: ReadonlySet<number>): T[] =>
  parts.filter(({ from, to }) =>
    Array.from({ length: to - from }, (_, i) => from + i).some((row) => !finished.has(row)),
  );
