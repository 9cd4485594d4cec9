/** What this machine has room for: disk and memory. */
import { existsSync, readFileSync, statfsSync } from "node:fs";
import { totalmem } from "node:os";
import * as path from "node:path";

/** Bytes that may still be written below a folder, which need not exist; infinite where the system does not tell. */
export function freeBytes(folder: string): number {
  let there = path.resolve(folder);
  while (!existsSync(there) && path.dirname(there) !== there) there = path.dirname(there);
  try {
    const { bavail, bsize } = statfsSync(there);
    return bavail * bsize;
  } catch {
    return Infinity;
  }
}

/** The number behind a name in a file of `/proc`; null where there is none. */
function numberIn(file: string, name: RegExp): number | null {
  try {
    const found = name.exec(readFileSync(file, "utf8"))?.[1];
    return found === undefined ? null : Number(found);
  } catch {
    return null; // not Linux
  }
}

/** Bytes that this process may still map under a limit on its address space (`ulimit -v`); infinite without one. */
function addressSpaceLeft(): number {
  const limit = numberIn("/proc/self/limits", /^Max address space +(\d+)/m);
  const used = numberIn("/proc/self/status", /^VmSize:\s+(\d+) kB/m);
  return limit === null || used === null ? Infinity : Math.max(0, limit - 1024 * used);
}

/** Bytes of this machine's memory, or of what this process may use of it. */
export function hostMemory(): number {
  const limit = (process as { constrainedMemory?: () => number }).constrainedMemory?.() ?? 0;
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/** Bytes that can be there at most for something new: memory, or what is left of the address space. */
export const roomInMemory = (): number => Math.min(hostMemory(), addressSpaceLeft());

/** Bytes in words. */
export const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
