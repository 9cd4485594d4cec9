import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import * as path from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { acquireLock, lockFile, removeDeadLock } from "../../lib/util/lock";
import { HEARTBEAT_S, SILENCE_S } from "../../lib/util/lock-heartbeat";
import type { LockOwner } from "../../lib/util/lock-owner";
import { temporaryFolder } from "../benchmark/photographs/trees";

const folder = temporaryFolder();
const lockModule = path.resolve(__dirname, "../../lib/util/lock.ts");
const children: ChildProcess[] = [];
afterAll(() => children.forEach((child) => child.kill("SIGKILL")));

/** A process that runs `code`, `acquireLock` and `target` at hand, and its output so far. */
function processWith(target: string, code: string) {
  const child = spawn(
    process.execPath,
    [
      "--import",
      "tsx",
      "-e",
      `const { acquireLock } = require(${JSON.stringify(lockModule)}); const target = ${JSON.stringify(target)}; ${code}`,
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  children.push(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
  const ended = new Promise<number | null>((resolve) => child.on("exit", (code) => resolve(code)));
  return {
    child,
    ended,
    output: () => output,
    says: async (word: string): Promise<void> => {
      for (let i = 0; i < 600 && !output.includes(word); i++) await new Promise((resolve) => setTimeout(resolve, 50));
      if (!output.includes(word)) throw new Error(`never said ${word}: ${output}`);
    },
  };
}
const HOLD = 'acquireLock(target); console.log("held"); setInterval(() => {}, 1000);';

const ownerOf = (target: string): LockOwner => JSON.parse(readFileSync(lockFile(target), "utf8")) as LockOwner;
/** A lock as another owner would have left it. */
function leave(target: string, change: Partial<LockOwner>): void {
  rmSync(lockFile(target), { force: true });
  const lock = acquireLock(target);
  const text = JSON.stringify({ ...ownerOf(target), token: "left", ...change });
  lock.release();
  writeFileSync(lockFile(target), text);
}
const quiet = { onWord: () => undefined };

/** Makes a lock file as old as if it had been written `seconds` ago. */
function age(target: string, seconds: number): void {
  const then = Date.now() / 1000 - seconds;
  utimesSync(lockFile(target), then, then);
}

describe("acquireLock", () => {
  it("says who holds it, refuses a second holder, and leaves nothing when given back", () => {
    const target = path.join(folder, "below/that is/made.jsonl"); // neither file nor folder is there
    const lock = acquireLock(target);
    expect(lock.file).toBe(`${target}.lock`);
    expect(ownerOf(target)).toMatchObject({ pid: process.pid, host: hostname() });
    expect(Math.abs(Date.parse(ownerOf(target).started) - Date.now())).toBeLessThan(60_000);
    expect(() => acquireLock(target)).toThrow(
      new RegExp(`made\\.jsonl is in use by this very process \\(${process.pid}\\), since \\d{4}-\\d\\d-\\d\\dT`),
    );
    lock.release();
    lock.release();
    expect(readdirSync(path.dirname(target))).toEqual([]);
    acquireLock(target).release();
  });

  it("is another process's while it lives, and is taken over with a word after SIGKILL", async () => {
    const target = path.join(folder, "killed");
    const other = processWith(target, HOLD);
    await other.says("held");
    expect(() => acquireLock(target)).toThrow(
      new RegExp(`killed is in use by process ${other.child.pid} on ${hostname()}, since .*; wait for it, stop it`),
    );
    other.child.kill("SIGKILL");
    await other.ended;
    expect(existsSync(lockFile(target))).toBe(true);
    const words: string[] = [];
    const lock = acquireLock(target, { onWord: (message) => words.push(message) });
    expect(words).toEqual([expect.stringMatching(new RegExp(`killed: process ${other.child.pid} on .*, is gone`))]);
    expect(ownerOf(target).pid).toBe(process.pid);
    lock.release();
    expect(existsSync(lockFile(target))).toBe(false);
  });

  it("of many that find a dead one's lock at once, one gets it", async () => {
    const target = path.join(folder, "contested");
    leave(target, { pid: 2 ** 22 - 1, process: null });
    const go = path.join(folder, "go");
    const many = Array.from({ length: 4 }, () =>
      processWith(
        target,
        `const { existsSync } = require("node:fs"); console.log("ready"); while (!existsSync(${JSON.stringify(go)}));
         try { acquireLock(target); console.log("won"); } catch (error) { console.log("lost: " + error.message); } setInterval(() => {}, 1000);`,
      ),
    );
    await Promise.all(many.map((one) => one.says("ready")));
    writeFileSync(go, "");
    await Promise.all(many.map((one) => Promise.race([one.says("won"), one.says("lost")])));
    expect(many.filter((one) => one.output().includes("won"))).toHaveLength(1);
    for (const one of many.filter((each) => !each.output().includes("won")))
      expect(one.output()).toMatch(/lost: .*contested is in use by process \d+ on/);
    expect(readdirSync(folder).filter((name) => name.startsWith("contested"))).toEqual(["contested.lock"]);
  });

  it("tells a process id that was given again from the owner", () => {
    const target = path.join(folder, "reused");
    leave(target, { pid: process.ppid, process: "another boot:1" });
    if (process.platform === "linux") acquireLock(target, quiet).release();
    leave(target, { pid: process.ppid, process: null }); // a system that does not tell: the process is there
    expect(() => acquireLock(target, quiet)).toThrow(/in use by process/);
  });

  it.each<[string, Partial<LockOwner>]>([
    ["another host's", { host: "elsewhere.example" }],
    ["another container's", { namespace: "pid:[1]" }],
  ])("%s lock stays, with a word how to free it", (name, change) => {
    const target = path.join(folder, name.replace(/\W/g, ""));
    leave(target, { pid: 2 ** 22 - 1, ...change });
    expect(() => acquireLock(target, quiet)).toThrow(/if it is no longer running, remove .*\.lock; else wait/);
    expect(ownerOf(target).token).toBe("left");
  });

  it.each(["", "{", "null", '{"pid": "7"}', '{"pid": -1, "host": "h", "started": "s", "token": "t"}'])(
    "a lock file that says %j is nobody's to take",
    (text) => {
      const target = path.join(folder, "unreadable");
      writeFileSync(lockFile(target), text);
      expect(() => acquireLock(target, quiet)).toThrow(/is locked, and .* does not say by whom; .* remove that file/);
      expect(readFileSync(lockFile(target), "utf8")).toBe(text);
    },
  );

  it("gives back only its own lock, and gets past a take-over that was killed", () => {
    const target = path.join(folder, "lost");
    const lock = acquireLock(target);
    writeFileSync(lockFile(target), JSON.stringify({ ...ownerOf(target), token: "another" }));
    lock.release();
    expect(ownerOf(target).token).toBe("another");
    const dead = { ...ownerOf(target), pid: 2 ** 22 - 1, process: null };
    writeFileSync(lockFile(target), JSON.stringify(dead));
    writeFileSync(`${lockFile(target)}.takeover`, JSON.stringify(dead));
    acquireLock(target, quiet).release();
    expect(readdirSync(folder).filter((name) => name.startsWith("lost"))).toEqual([]);
  });
});

describe.each<[string, Partial<LockOwner>]>([
  ["another host", { host: "elsewhere.example" }],
  ["another container", { namespace: "pid:[1]" }],
])("a lock of %s", (name, change) => {
  const target = path.join(folder, `silent ${name}`);
  const elsewhere = { pid: process.pid, ...change };

  it("stays while its owner gives signs of life, and the message says when the last was", () => {
    leave(target, elsewhere);
    age(target, SILENCE_S - 60);
    expect(() => acquireLock(target, quiet)).toThrow(
      /last sign of life 1[67]\d\d s ago, taken over after 30 minutes without one; if it is no longer running, remove/,
    );
    expect(ownerOf(target).token).toBe("left");
    removeDeadLock(target);
    expect(existsSync(lockFile(target))).toBe(true);
  });

  it("is taken over with a word once they have ended", () => {
    leave(target, elsewhere);
    age(target, SILENCE_S + 60);
    const words: string[] = [];
    const lock = acquireLock(target, { onWord: (message) => words.push(message) });
    expect(words).toEqual([
      expect.stringMatching(/: process \d+ on .*, has given no sign of life for 31 minutes; taken over$/),
    ]);
    expect(ownerOf(target)).toMatchObject({ host: hostname(), heartbeat: HEARTBEAT_S });
    lock.release();
    leave(target, elsewhere);
    age(target, SILENCE_S + 60);
    removeDeadLock(target);
    expect(existsSync(lockFile(target))).toBe(false);
  });

  it("stays however old where its code gave no signs of life, or its clock is ahead", () => {
    leave(target, { ...elsewhere, heartbeat: undefined });
    age(target, 100 * SILENCE_S);
    expect(() => acquireLock(target, quiet)).toThrow(/; if it is no longer running, remove .*\.lock; else wait/);
    leave(target, elsewhere);
    age(target, -SILENCE_S - 60);
    expect(() => acquireLock(target, quiet)).toThrow(/last sign of life 0 s ago/);
    rmSync(lockFile(target));
  });
});

describe("a lock of this host", () => {
  it("stays however long its living process says nothing", () => {
    const target = path.join(folder, "busy");
    const lock = acquireLock(target);
    age(target, 100 * SILENCE_S);
    expect(() => acquireLock(target, quiet)).toThrow(/in use by this very process/);
    lock.release();
  });
});

describe("signs of life", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] }));
  afterEach(() => void vi.useRealTimers());
  const oldness = (target: string): number => Date.now() / 1000 - statSync(lockFile(target)).mtimeMs / 1000;

  it("are given by a timer as long as the lock is held, and change nothing but the file's time", () => {
    const target = path.join(folder, "alive");
    const lock = acquireLock(target);
    const text = readFileSync(lock.file, "utf8");
    for (let i = 0; i < 3; i++) {
      age(target, 1000);
      vi.advanceTimersByTime(HEARTBEAT_S * 1000 - 1);
      expect(oldness(target)).toBeGreaterThan(900);
      vi.advanceTimersByTime(1);
      expect(oldness(target)).toBeLessThan(60);
    }
    expect(readFileSync(lock.file, "utf8")).toBe(text);
    lock.check();
    lock.release();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("end with a word where the lock is another's by now, and what it guards is not written", () => {
    const target = path.join(folder, "overtaken");
    const words: string[] = [];
    const lock = acquireLock(target, { onWord: (message) => words.push(message) });
    const other = { ...ownerOf(target), pid: 7, host: "elsewhere.example", token: "another" };
    writeFileSync(lock.file, JSON.stringify(other));
    age(target, 1000);
    vi.advanceTimersByTime(3 * HEARTBEAT_S * 1000);
    expect(words).toEqual([
      expect.stringMatching(/overtaken: process 7 on elsewhere\.example.* has taken its lock over/),
    ]);
    expect(oldness(target)).toBeGreaterThan(900);
    expect(() => lock.check()).toThrow(
      /has taken its lock over while this process .* stop it, or let it write elsewhere/,
    );
    lock.release();
    expect(ownerOf(target).token).toBe("another");
    rmSync(lock.file);
    expect(() => lock.check()).toThrow(/its lock file was removed/);
  });
});

describe("a process that holds a lock", () => {
  it("is not kept alive by it", async () => {
    const target = path.join(folder, "ends");
    const child = processWith(target, 'acquireLock(target); console.log("held");');
    expect(await child.ended).toBe(0);
    acquireLock(target, quiet).release();
  });
});
