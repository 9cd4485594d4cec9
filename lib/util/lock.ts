/**
 * Exclusive use of a file or folder: a lock file beside it says who holds it. What a dead process left is taken over,
 * as far as that can be told from here: the same host, and no process of that id and start any more.
 */
import { randomUUID } from "node:crypto";
import { linkSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import * as path from "node:path";
import { makeFolder } from "./durable";
import { warn } from "./say";

/** Who holds a lock, as it stands in the lock file. */
export interface LockOwner {
  pid: number;
  host: string;
  /** When the lock was taken, ISO 8601. */
  started: string;
  /** When the process began, in the kernel's own words, where the system tells: a process id may be given again. */
  process: string | null;
  /** The numbering that `pid` belongs to (a container has its own), where the system tells. */
  namespace: string | null;
  /** Tells this lock from every other. */
  token: string;
}

/** A lock that is held. */
export interface Lock {
  /** The lock file. */
  readonly file: string;
  /** Gives the lock back; a second call does nothing. A lock file that is another's by now stays. */
  release(): void;
}

/** What is told, and to whom. */
export interface LockOptions {
  /** Hears that a dead process's lock was taken over; default: a line on stderr. */
  onTakeOver?: (message: string) => void;
}

/** The file beside `target` that says who holds it. */
export const lockFile = (target: string): string => `${path.resolve(target)}.lock`;

function textOr(read: () => string): string | null {
  try {
    return read();
  } catch {
    return null; // not Linux, or the process is gone
  }
}

/** The fields of `/proc/<pid>/stat` from the third on; null where there is none. The second may hold anything. */
function statOf(pid: number): string[] | null {
  const stat = textOr(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  return stat === null ? null : stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** When a process began: boot, and clock ticks after it (the 22nd field); null where the system does not tell. */
function beginning(pid: number): string | null {
  const boot = textOr(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim());
  const ticks = statOf(pid)?.at(19);
  return boot === null || !ticks ? null : `${boot}:${ticks}`;
}

const ownNamespace = (): string | null => textOr(() => readlinkSync("/proc/self/ns/pid"));

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH"; // EPERM: another user's, but there
  }
}

/** The owner in a lock file; null where there is no file, `unreadable` where it says nothing sensible. */
function readOwner(file: string): LockOwner | null | "unreadable" {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  try {
    const owner = JSON.parse(text) as Partial<LockOwner> | null;
    const isOwner =
      Number.isSafeInteger(owner?.pid) &&
      owner!.pid! > 0 &&
      [owner!.host, owner!.started, owner!.token].every((field) => typeof field === "string");
    return isOwner ? (owner as LockOwner) : "unreadable";
  } catch {
    return "unreadable";
  }
}

/** Whether the owner is certainly dead; a process of another host or container can't be seen from here. */
function isDead(owner: LockOwner): boolean {
  if (owner.host !== hostname() || (owner.namespace ?? null) !== ownNamespace()) return false;
  if (!isRunning(owner.pid)) return true;
  if (["Z", "X"].includes(statOf(owner.pid)?.[0] ?? "")) return true; // dead, its parent has not looked yet
  const now = beginning(owner.pid);
  return typeof owner.process === "string" && now !== null && now !== owner.process;
}

/** Puts a file there whole, or finds one there already. @returns false where one is there */
function createWhole(file: string, text: string): boolean {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    writeFileSync(temporary, text, { flag: "wx" });
    try {
      linkSync(temporary, file);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EEXIST") return false;
      if (code === undefined || !["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(code)) throw error;
      writeFileSync(file, text, { flag: "wx" }); // a file system without links
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

const inWords = ({ pid, host, started }: LockOwner): string =>
  pid === process.pid && host === hostname()
    ? `this very process (${pid}), since ${started}`
    : `process ${pid} on ${host}, since ${started}`;

function refusal(target: string, file: string, owner: LockOwner | "unreadable"): Error {
  if (owner === "unreadable")
    return new Error(
      `${target} is locked, and ${file} does not say by whom; if nothing is writing ${target}, remove that file`,
    );
  const advice =
    owner.host === hostname() && (owner.namespace ?? null) === ownNamespace()
      ? "wait for it, stop it, or write elsewhere"
      : `if it is no longer running, remove ${file}; else wait for it, or write elsewhere`;
  return new Error(`${target} is in use by ${inWords(owner)}; ${advice}`);
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
    if (other !== null && other !== "unreadable" && isDead(other)) rmSync(turn, { force: true });
    return false;
  }
  try {
    const owner = readOwner(file);
    if (owner === "unreadable" || (owner !== null && owner.token !== dead.token)) return false;
    rmSync(file, { force: true });
    return createWhole(file, text);
  } finally {
    rmSync(turn, { force: true });
  }
}

const ATTEMPTS = 50;
const WAIT_MS = 10;

const pause = (): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS);

/**
 * Locks a file or folder, which need not exist, until `release`; the lock file `<target>.lock` stands beside it, its
 * folder is made. A lock whose process is dead (SIGKILL, a crash, a power cut) is taken over with a word.
 * @throws Error where another holds it, or this process already: by process, host and start, with what to do
 */
export function acquireLock(target: string, options: LockOptions = {}): Lock {
  const { onTakeOver = warn } = options;
  const file = lockFile(target);
  const own: LockOwner = {
    pid: process.pid,
    host: hostname(),
    started: new Date().toISOString(),
    process: beginning(process.pid),
    namespace: ownNamespace(),
    token: randomUUID(),
  };
  const text = `${JSON.stringify(own)}\n`;
  const release = (): void => {
    const owner = readOwner(file);
    if (owner !== null && owner !== "unreadable" && owner.token === own.token) rmSync(file, { force: true });
  };
  makeFolder(path.dirname(file));
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (createWhole(file, text)) return { file, release };
    const owner = readOwner(file);
    if (owner === null) continue; // given back just now
    if (owner === "unreadable" || !isDead(owner)) throw refusal(target, file, owner);
    if (!takeOver(file, text, owner)) {
      pause(); // another is at it
      continue;
    }
    onTakeOver(`${target}: ${inWords(owner)} is gone without giving its lock back; taken over`);
    return { file, release };
  }
  throw new Error(`${target}: ${file} changes hands all the time; try again, or write elsewhere`);
}

/** Removes the lock that a dead process left at a target that needs no work any more; a living one's stays. */
export function removeDeadLock(target: string): void {
  const owner = readOwner(lockFile(target));
  if (owner === null || owner === "unreadable" || !isDead(owner)) return;
  try {
    acquireLock(target, { onTakeOver: () => undefined }).release();
  } catch {
    return; // another was faster
  }
}
