/** Small tools of the set-up steps: run a command into a log, write a file by rename, wait for one's turn. */
import { spawn } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";

/** A step that failed; `log` is the file with everything its commands said. */
export class StepError extends Error {
  constructor(message, log) {
    super(message);
    this.log = log;
  }
}

/** SHA-256 of the given strings, each kept apart from the next. */
export function hash(...parts) {
  const sum = crypto.createHash("sha256");
  for (const part of parts) sum.update(`${Buffer.byteLength(part)}:${part}`);
  return sum.digest("hex");
}

/** Text of a file, or null where there is none. */
export function readText(file) {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

/** JSON value of a file, or null where there is none or it is not JSON. */
export function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8"));
  } catch {
    return null;
  }
}

/** Writes to a temporary name beside the file, then renames. */
export function writeFile(file, text) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  fs.writeFileSync(temporary, text);
  fs.renameSync(temporary, file);
}

/** Last lines of a log, without blank ones and without lines that only draw progress. */
export function tail(file, lines = 15) {
  const text = readText(file) || "";
  return text
    .split(/[\r\n]+/)
    .filter((line) => line.trim() !== "")
    .slice(-lines)
    .join("\n");
}

/**
 * When a process began, in ticks since the machine did; null where there is none. Tells a process from a later one of
 * the same number.
 */
function beginOf(pid) {
  const stat = readText(`/proc/${pid}/stat`);
  // the name in parentheses may hold spaces
  return stat === null ? null : stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

/** Ends a process that `run` has started, and all that it has started. At once: npm would undo its work for a while. */
function endGroup(pid) {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // it has ended
  }
}

/**
 * Ends what a set-up that was killed outright has left running: an installer must not go on behind the back of the next
 * one. `folder` is that of the logs.
 */
export async function endLeftOvers(folder) {
  const running = path.join(folder, "running");
  const names = fs.existsSync(running) ? fs.readdirSync(running) : [];
  for (const name of names) {
    const began = readText(path.join(running, name));
    const isThere = () => beginOf(name) === began;
    if (/^\d+$/.test(name) && isThere()) {
      endGroup(Number(name));
      for (let tries = 0; isThere() && tries < 100; tries++) await new Promise((resolve) => setTimeout(resolve, 50));
    }
    fs.rmSync(path.join(running, name), { force: true });
  }
}

/**
 * Runs a command to its end with its output appended to `log`. It is ended when this process exits.
 *
 * @throws {StepError} when it fails
 */
export function run(command, args, { cwd, log, env = process.env }) {
  const running = path.join(path.dirname(log), "running");
  fs.mkdirSync(running, { recursive: true });
  const out = fs.openSync(log, "a");
  fs.writeSync(out, `$ ${[command, ...args].join(" ")}\n`);
  return new Promise((resolve, reject) => {
    // A group of its own, so that all it starts ends with it.
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", out, out], detached: true });
    const note = path.join(running, String(child.pid));
    const kill = () => endGroup(child.pid);
    if (child.pid !== undefined) {
      fs.writeFileSync(note, beginOf(child.pid) ?? "");
      process.on("exit", kill);
    }
    child.on("error", (error) => reject(new StepError(`${command}: ${error.message}`, log)));
    child.on("close", (code, signal) => {
      process.off("exit", kill);
      fs.rmSync(note, { force: true });
      if (code === 0) resolve();
      else reject(new StepError(`${path.basename(command)} ended with ${signal || `exit code ${code}`}`, log));
    });
  }).finally(() => fs.closeSync(out));
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/**
 * Takes the lock file, waiting while another living process holds it; a lock whose process is gone is taken over.
 * It is released when this process exits.
 */
export async function takeLock(file, onWait) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  for (let told = false; ;) {
    // The pid is in the file from the moment it has its name: a link either is made whole or fails.
    const mine = `${file}.${process.pid}`;
    fs.writeFileSync(mine, String(process.pid));
    try {
      fs.linkSync(mine, file);
      process.on("exit", () => {
        if (readText(file) === String(process.pid)) fs.rmSync(file, { force: true });
      });
      return;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    } finally {
      fs.rmSync(mine, { force: true });
    }
    const holder = readText(file);
    if (holder !== null && !isAlive(Number(holder))) {
      // Renaming first lets only one of several waiting processes remove a dead holder's lock.
      const dead = `${file}.dead.${process.pid}`;
      try {
        fs.renameSync(file, dead);
        if (readText(dead) !== holder) fs.linkSync(dead, file);
      } catch {
        // another waiting process was first
      }
      fs.rmSync(dead, { force: true });
      continue;
    }
    if (!told) onWait(holder || "?");
    told = true;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}
