/** Files of JSON lines that grow while something runs: what a killed process left half-written is dropped. */
import { closeSync, existsSync, ftruncateSync, openSync } from "node:fs";
import * as path from "node:path";
import { makeFolder, withDurableFile, writeAll } from "./durable";
import { readJsonl } from "./files";
import { readBytes } from "./lines";

/** Takes a last line without its newline away. @returns whether there was one */
export function dropHalfLine(file: string): boolean {
  const bytes = readBytes(file);
  const whole = bytes.lastIndexOf(10) + 1; // 0: not one whole line
  if (whole === bytes.length) return false;
  const handle = openSync(file, "r+");
  ftruncateSync(handle, whole);
  closeSync(handle);
  return true;
}

/** Rows of a file that may have been left half-written; none where there is no file. @throws Error as `readJsonl` */
export function readAppended<T>(file: string): T[] {
  if (!existsSync(file)) return [];
  dropHalfLine(file);
  return readJsonl<T>(file);
}

/**
 * Appends rows, one JSON value a line, and waits until the disk has them. The folder is made.
 * @throws Error naming the file, where the disk is full; what was cut off then is dropped by the next reading
 */
export function appendRows(file: string, rows: readonly unknown[]): void {
  makeFolder(path.dirname(file));
  withDurableFile(file, "a", (handle) =>
    writeAll(handle, rows.map((row) => `${JSON.stringify(row)}\n`).join(""), file),
  );
}
