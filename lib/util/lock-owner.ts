/** Who holds a lock, as it stands in the lock file, and whether that process can be seen to be gone. */
import { randomUUID } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** The content of a lock file. */
export interface LockOwner {
  pid: number;
  host: string;
  /** When the lock was taken, ISO 8601. */
  started: string;
  /** When the process began, in the kernel's own words, where the system tells: a process id may be given again. */
  process: string | null;
  /** The numbering that `pid` belongs to (a container has its own), where the system tells. */
  namespace: string | null;
  /** Seconds between signs of life (`lock-heartbeat.ts`); a lock of earlier code has none. */
  heartbeat?: number;
  /** Tells this lock from every other. */
  token: string;
}

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

/** This process as the owner of a new lock. @param heartbeat seconds between its signs of life */
export const newOwner = (heartbeat: number): LockOwner => ({
  pid: process.pid,
  host: hostname(),
  started: new Date().toISOString(),
  process: beginning(process.pid),
  namespace: ownNamespace(),
  heartbeat,
  token: randomUUID(),
});

/** The owner in a lock file; null where there is no file, `unreadable` where it says nothing sensible. */
export function readOwner(file: string): LockOwner | null | "unreadable" {
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

/** Whether the owner's process can be seen from here: on this host, and not in another container. */
export const isNear = (owner: LockOwner): boolean =>
  owner.host === hostname() && (owner.namespace ?? null) === ownNamespace();

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH"; // EPERM: another user's, but there
  }
}

/** Whether the process of an owner that is near is gone, or its id another's by now. */
export function isGone(owner: LockOwner): boolean {
  if (!isRunning(owner.pid)) return true;
  if (["Z", "X"].includes(statOf(owner.pid)?.[0] ?? "")) return true; // dead, its parent has not looked yet
  const now = beginning(owner.pid);
  return typeof owner.process === "string" && now !== null && now !== owner.process;
}

/** The owner for a message. */
export const ownerInWords = (owner: LockOwner): string =>
  owner.pid === process.pid && isNear(owner)
    ? `this very process (${owner.pid}), since ${owner.started}`
    : `process ${owner.pid} on ${owner.host}, since ${owner.started}`;
