/** Directories of several files that appear whole or not at all. */
import * as fs from "node:fs";
import * as path from "node:path";

/**
 * Fills a directory under a temporary name, which then takes the place of an earlier one of the same kind.
 * @param marker a file that every directory of this kind has
 * @param kind named in errors
 * @throws Error when `dir` exists with something else in it; whatever `fill` throws, and nothing was written then
 */
export function replaceDirectory(dir: string, marker: string, kind: string, fill: (temporary: string) => void): void {
  const exists = fs.existsSync(dir);
  if (exists && fs.readdirSync(dir).length > 0 && !fs.existsSync(path.join(dir, marker)))
    throw new Error(`${dir}: exists and is no ${kind} (no ${marker}); nothing was written`);
  const temporary = `${path.resolve(dir)}.${process.pid}.tmp`;
  const old = `${path.resolve(dir)}.${process.pid}.old`;
  fs.rmSync(temporary, { recursive: true, force: true });
  fs.mkdirSync(temporary, { recursive: true });
  try {
    fill(temporary);
    if (exists) fs.renameSync(dir, old);
    fs.renameSync(temporary, dir);
    fs.rmSync(old, { recursive: true, force: true });
  } catch (error) {
    fs.rmSync(temporary, { recursive: true, force: true });
    if (!fs.existsSync(dir) && fs.existsSync(old)) fs.renameSync(old, dir);
    throw error;
  }
}
