/**
 * Signs of life of who holds a lock: the lock file is written again, so that its time of change says when its owner
 * last lived. Other hosts and containers have nothing else to go by.
 */
import { randomUUID } from "node:crypto";
import { closeSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";

/** Seconds between two signs of life. */
export const HEARTBEAT_S = 30;

/**
 * Seconds without one after which an owner elsewhere counts as dead. A timer gives the signs, and a training step holds
 * the event loop until it ends: all of an RL stage of one step with a 3B model took 144 s on two cores
 * (`docs/rehearsal.json`), larger batches take several times that; a network file system may show a change a minute
 * late. Too long a limit costs a wait, or removing a file by hand; too short a one lets two processes write one file.
 */
export const SILENCE_S = 30 * 60;

/**
 * Seconds since a lock file was last written. Both times come from the file system that holds it, so that the clocks of
 * two hosts need not agree.
 * @returns null where the file is gone
 */
export function silenceOf(file: string): number | null {
  const probe = `${file}.${randomUUID()}.tmp`;
  try {
    writeFileSync(probe, "now", { flag: "wx" });
    const { mtimeMs: now } = statSync(probe);
    const then = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
    return then === undefined ? null : Math.max(0, now - then) / 1000;
  } finally {
    rmSync(probe, { force: true });
  }
}

/**
 * Writes a lock file's own text over it.
 * @returns whether it still says `text`; a file that cannot be reached for now counts as such
 */
function touch(file: string, text: string): boolean {
  let handle: number;
  try {
    handle = openSync(file, "r+");
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ENOENT";
  }
  try {
    // the file is read and written through one handle: what takes its place meanwhile is never written to
    if (readFileSync(handle, "utf8") !== text) return false;
    writeSync(handle, text, 0);
    return true;
  } catch {
    return true; // a network file system that is away: the next sign may reach it
  } finally {
    closeSync(handle);
  }
}

/**
 * Gives signs of life until the returned function is called, or the lock is another's. The timer keeps no process
 * alive.
 * @param file the lock file, which says `text`
 * @param onLost hears, once, that it is gone or another's
 */
export function startHeartbeat(file: string, text: string, onLost: () => void): () => void {
  const timer = setInterval(() => {
    if (touch(file, text)) return;
    clearInterval(timer);
    onLost();
  }, HEARTBEAT_S * 1000);
  timer.unref();
  return () => clearInterval(timer);
}
