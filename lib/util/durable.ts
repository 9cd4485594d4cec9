/**
 * Files that survive a power cut, and errors of a full or read-only disk that name the path: a write through a file's
 * number fails without it.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import * as path from "node:path";
import { fileReason } from "./file-errors";

/** What a failed write is thrown as. */
const unwritten = (file: string, error: unknown): Error =>
  new Error(`${file}: cannot be written: ${fileReason(error)}`, { cause: error });

/**
 * Writes all of `data`: a disk that fills up may take a part and say so by a count alone.
 * @throws Error naming the file
 */
export function writeAll(handle: number, data: string | Uint8Array, file: string): void {
  const bytes = typeof data === "string" ? Buffer.from(data) : data;
  try {
    for (let done = 0; done < bytes.length;)
      done += writeSync(handle, bytes, done, Math.min(bytes.length - done, 1 << 30));
  } catch (error) {
    throw unwritten(file, error);
  }
}

/**
 * Opens a file for `write`, which is given its number, then waits until the disk has it.
 * @throws Error naming the file
 */
export function withDurableFile(file: string, flags: "w" | "a", write: (handle: number) => void): void {
  let handle: number;
  try {
    handle = openSync(file, flags);
  } catch (error) {
    throw unwritten(file, error);
  }
  try {
    write(handle);
    fsyncSync(handle);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === undefined ? error : unwritten(file, error);
  } finally {
    closeSync(handle);
  }
}

/** Why a folder could not be made: Node's own error of several at once may say that there is no such folder. */
function whyNotMade(folder: string): unknown {
  const parent = path.dirname(folder);
  const above = existsSync(parent) ? null : whyNotMade(parent);
  if (above !== null) return above;
  try {
    mkdirSync(folder);
    return null;
  } catch (error) {
    return error;
  }
}

/** Makes a folder and those above it. @throws Error naming it, and why it cannot be made */
export function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    const reason = fileReason(whyNotMade(path.resolve(folder)) ?? error);
    throw new Error(`${folder}: cannot be made: ${reason}`, { cause: error });
  }
}

/** Waits until the disk has a folder's names; nothing on file systems that cannot. */
export function syncFolder(folder: string): void {
  try {
    const handle = openSync(folder, "r");
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EINVAL" && code !== "ENOTSUP" && code !== "EPERM" && code !== "EACCES") throw error;
  }
}

/**
 * Fills a file under a temporary name, which then takes the place of the old one; a power cut leaves one or the other.
 * @throws Error naming the file; the old one stays
 */
export function replaceFile(file: string, write: (handle: number) => void): void {
  const temporary = `${file}.tmp`;
  try {
    withDurableFile(temporary, "w", write);
    renameSync(temporary, file);
    syncFolder(path.dirname(file));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw (error as NodeJS.ErrnoException).code === undefined ? error : unwritten(file, error);
  }
}
