/** Small files: written whole or not at all, and JSON Lines. */
import * as path from "node:path";
import { makeFolder, replaceFile, writeAll } from "./durable";
import { fileReason } from "./file-errors";
import { isLfsPointer, LFS_POINTER } from "./git-lfs";
import { parseJsonText } from "./json-text";
import { readRegular } from "./regular-file";

/**
 * Writes text under a temporary name, then renames; a power cut leaves the old text or the new. Folders are made.
 * @throws Error naming the file, and why it cannot be written; the old text stays
 */
export function writeText(file: string, text: string): void {
  writeBytes(file, text);
}

/** `writeText` for bytes. */
export function writeBytes(file: string, data: string | Uint8Array): void {
  makeFolder(path.dirname(file));
  replaceFile(file, (handle) => writeAll(handle, data, file));
}

/** A file's text. @throws Error naming the file, and why it cannot be read */
export function readTextFile(file: string): string {
  try {
    return readRegular(file).toString("utf8");
  } catch (error) {
    throw new Error(`${file}: cannot be read: ${fileReason(error)}`);
  }
}

/** Reads a file that is one JSON value. @throws Error naming the file, and why it cannot be read */
export function readJson(file: string): unknown {
  const text = readTextFile(file);
  if (isLfsPointer(text)) throw new Error(`${file}: ${LFS_POINTER}`);
  try {
    return parseJsonText(text);
  } catch (error) {
    throw new Error(`${file}: no valid JSON (${(error as Error).message})`);
  }
}

/** Reads a file that is one JSON object. @throws Error naming the file */
export function readJsonObject(file: string): Record<string, unknown> {
  const json = readJson(file);
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new Error(`${file}: expected a JSON object`);
  return json as Record<string, unknown>;
}

/** Writes one JSON value a line. */
export function writeJsonl(file: string, rows: readonly unknown[]): void {
  writeText(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
}

/** Reads one JSON value a line. @throws Error naming the file, and the line that is no JSON */
export function readJsonl<T>(file: string): T[] {
  return readTextFile(file)
    .split("\n")
    .flatMap((line, i) => {
      if (line.trim() === "") return [];
      try {
        return [parseJsonText(line) as T];
      } catch (error) {
        throw new Error(`${file}: line ${i + 1} is not JSON (${(error as Error).message})`);
      }
    });
}
