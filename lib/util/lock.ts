/**
 * Exclusive use of a file or folder: a lock file beside it says who holds it. What a dead process left is taken over:
 * at once where the process can be seen to be gone, after a long silence where it ran on another host or in another
 * container.
 */
import { randomUUID } from "node:crypto";
import { linkSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { makeFolder } from "./durable";
import { HEARTBEAT_S, SILENCE_S, silenceOf, startHeartbeat } from "./lock-heartbeat";
import { isGone, isNear, newOwner, ownerInWords, readOwner, type LockOwner } from "./lock-owner";
import { warn } from "./say";

/** A lock that is held. */
export interface Lock {
  /** The lock file. */
  readonly file: string;
  /** @throws Error where another has taken the lock over, or it was removed: what it guards must not be written */
  check(): void;
  /** Gives the lock back; a second call does nothing. A lock file that is another's by now stays. */
  release(): void;
}

/** What is told, and to whom. */
export interface LockOptions {
  /** Hears that a dead process's lock was taken over, or that this one is lost; default: a line on stderr. */
  onWord?: (message: string) => void;
}

/** The file beside `target` that says who holds it. */
export const lockFile = (target: string): string => `${path.resolve(target)}.lock`;

/** Why an owner counts as dead; null where it may live. @param file its lock file */
function whyDead(owner: LockOwner, file: string): string | null {
  if (isNear(owner)) return isGone(owner) ? "is gone without giving its lock back" : null;
  if (typeof owner.heartbeat !== "number") return null; // of earlier code, which gave no signs of life
  const silence = silenceOf(file);
  return silence !== null && silence > SILENCE_S
    ? `has given no sign of life for ${Math.round(silence / 60)} minutes`
    : null;
}

/** Puts a file there whole, or finds one there already. @returns false where one is there */
function createWhole(file: string, text: string): boolean {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    writeFileSync(temporary, text, { flag: "wx", flush: true });
    try {
      linkSync(temporary, file);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EEXIST") return false;
      if (code === undefined || !["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(code)) throw error;
      writeFileSync(file, text, { flag: "wx", flush: true }); // a file system without links
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

function adviceFor(owner: LockOwner, file: string): string {
  if (isNear(owner)) return "wait for it, stop it, or write elsewhere";
  const removal = `if it is no longer running, remove ${file}; else wait for it, or write elsewhere`;
  if (typeof owner.heartbeat !== "number") return removal;
  const silence = Math.round(silenceOf(file) ?? 0);
  return `last sign of life ${silence} s ago, taken over after ${SILENCE_S / 60} minutes without one; ${removal}`;
}

function refusal(target: string, file: string, owner: LockOwner | "unreadable"): Error {
  if (owner === "unreadable")
    return new Error(
      `${target} is locked, and ${file} does not say by whom; if nothing is writing ${target}, remove that file`,
    );
  return new Error(`${target} is in use by ${ownerInWords(owner)}; ${adviceFor(owner, file)}`);
}

/**
 * Takes a dead owner's lock over. Of several that try, one at a time looks (`<lock>.takeover` is theirs to hold), so
 * that none removes the lock of one that was faster.
 * @returns whether the lock is ours now
 */
function takeOver(file: string, text: string, dead: LockOwner): boolean {
  const turn = `${file}.takeover`;
  if (!createWhole(turn, text)) {
    const other = readOwner(turn);
    if (other !== null && other !== "unreadable" && whyDead(other, turn) !== null) rmSync(turn, { force: true });
    return false;
  }
  try {
    const owner = readOwner(file);
    if (owner === "unreadable" || (owner !== null && owner.token !== dead.token)) return false;
    if (owner !== null && whyDead(owner, file) === null) return false; // it has given a sign of life just now
    rmSync(file, { force: true });
    return createWhole(file, text);
  } finally {
    rmSync(turn, { force: true });
  }
}

const ATTEMPTS = 50;
const WAIT_MS = 10;

const pause = (): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS);

/** The lock that a lock file of ours stands for. @param text the file's content */
function held(target: string, file: string, text: string, own: LockOwner, onWord: (message: string) => void): Lock {
  /** Who has it where it is ours no more; null where it is ours. */
  const lostTo = (): string | null => {
    const owner = readOwner(file);
    if (owner === null) return "its lock file was removed";
    if (owner === "unreadable") return "its lock file was written over";
    return owner.token === own.token ? null : `${ownerInWords(owner)}, has taken its lock over`;
  };
  const loss = (reason: string): string =>
    `${target}: ${reason} while this process (${own.pid}) held it; what it makes there is not kept: stop it, or let it write elsewhere`;
  const stop = startHeartbeat(file, text, () => onWord(loss(lostTo() ?? "its lock file was changed")));
  return {
    file,
    check: () => {
      const reason = lostTo();
      if (reason !== null) throw new Error(loss(reason));
    },
    release: () => {
      stop();
      if (lostTo() === null) rmSync(file, { force: true });
    },
  };
}

/**
 * Locks a file or folder, which need not exist, until `release`; the lock file `<target>.lock` stands beside it, its
 * folder is made. A lock whose process is dead (SIGKILL, a crash, a power cut) is taken over with a word.
 * @throws Error where another holds it, or this process already: by process, host and start, with what to do
 */
export function acquireLock(target: string, options: LockOptions = {}): Lock {
  const { onWord = warn } = options;
  const file = lockFile(target);
  const own = newOwner(HEARTBEAT_S);
  const text = `${JSON.stringify(own)}\n`;
  makeFolder(path.dirname(file));
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (createWhole(file, text)) return held(target, file, text, own, onWord);
    const owner = readOwner(file);
    if (owner === null) continue; // given back just now
    const reason = owner === "unreadable" ? null : whyDead(owner, file);
    if (owner === "unreadable" || reason === null) throw refusal(target, file, owner);
    if (!takeOver(file, text, owner)) {
      pause(); // another is at it
      continue;
    }
    onWord(`${target}: ${ownerInWords(owner)}, ${reason}; taken over`);
    return held(target, file, text, own, onWord);
  }
  throw new Error(`${target}: ${file} changes hands all the time; try again, or write elsewhere`);
}

/** Removes the lock that a dead process left at a target that needs no work any more; a living one's stays. */
export function removeDeadLock(target: string): void {
  const file = lockFile(target);
  const owner = readOwner(file);
  if (owner === null || owner === "unreadable" || whyDead(owner, file) === null) return;
  try {
    acquireLock(target, { onWord: () => undefined }).release();
  } catch {
    return; // another was faster
  }
}
