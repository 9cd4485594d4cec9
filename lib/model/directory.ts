/** Directories of several files that appear whole or not at all. */
import * as fs from "node:fs";
import * as path from "node:path";
import { syncFolder } from "../util/durable";
import { fileReason } from "../util/file-errors";

/** Names of what is being written beside `dir`, and of an earlier one while it is replaced; any process's. */
const BESIDE = /^\.\d+\.(tmp|old)$/;
/** A temporary directory that nothing was added to for so long is of a process that was killed. */
const ABANDONED_MS = 3_600_000;

/** Removes what killed processes left half-written beside `dir`: each is as large as the directory itself. */
function removeAbandoned(dir: string): void {
  const parent = path.dirname(dir);
  for (const name of fs.existsSync(parent) ? fs.readdirSync(parent) : []) {
    if (!name.startsWith(path.basename(dir)) || !BESIDE.test(name.slice(path.basename(dir).length))) continue;
    const left = path.join(parent, name);
    if (Date.now() - fs.statSync(left).mtimeMs > ABANDONED_MS) fs.rmSync(left, { recursive: true, force: true });
  }
}

/**
 * Fills a directory under a temporary name, which then takes the place of an earlier one of the same kind once the
 * disk has it. `fill` waits for its own files (`writeText`, `writeSafetensors`).
 * @param marker a file that every directory of this kind has
 * @param kind named in errors
 * @throws Error when `dir` exists with something else in it, or cannot be written, naming it; whatever `fill` throws;
 * what was there before stays
 */
export function replaceDirectory(dir: string, marker: string, kind: string, fill: (temporary: string) => void): void {
  const exists = fs.existsSync(dir);
  if (exists && fs.readdirSync(dir).length > 0 && !fs.existsSync(path.join(dir, marker)))
    throw new Error(`${dir}: exists and is no ${kind} (no ${marker}); nothing was written`);
  const place = path.resolve(dir);
  const temporary = `${place}.${process.pid}.tmp`;
  const old = `${place}.${process.pid}.old`;
  try {
    removeAbandoned(place);
    fs.rmSync(temporary, { recursive: true, force: true });
    fs.mkdirSync(temporary, { recursive: true });
    fill(temporary);
    syncFolder(temporary);
    if (exists) fs.renameSync(place, old);
    fs.renameSync(temporary, place);
    syncFolder(path.dirname(place));
    fs.rmSync(old, { recursive: true, force: true });
  } catch (error) {
    fs.rmSync(temporary, { recursive: true, force: true });
    if (!fs.existsSync(place) && fs.existsSync(old)) fs.renameSync(old, place);
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new Error(`${dir}: cannot be written: ${fileReason(error)}`, { cause: error });
  }
}
