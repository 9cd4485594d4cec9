/** Small files: written whole or not at all, and JSON Lines. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import * as path from "node:path";

/** Writes text under a temporary name, then renames. Folders are made. */
export function writeText(file: string, text: string): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(`${file}.tmp`, text);
  renameSync(`${file}.tmp`, file);
}

/** Writes one JSON value a line. */
export function writeJsonl(file: string, rows: readonly unknown[]): void {
  writeText(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
}

/** Reads one JSON value a line. @throws Error naming file and line */
export function readJsonl<T>(file: string): T[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line, i) => {
      if (line.trim() === "") return [];
      try {
        return [JSON.parse(line) as T];
      } catch (error) {
        throw new Error(`${file}: line ${i + 1} is not JSON (${(error as Error).message})`);
      }
    });
}
