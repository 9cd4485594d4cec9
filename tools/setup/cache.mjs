/**
 * Compiled objects of this user, shared by all clones on a machine: `FINE_R1_HOME`, otherwise `fine-r1` in the user's
 * cache folder. Every use of it may fail (no folder, no space, read only, a damaged file): then the compiler runs.
 *
 * A file is the SHA-256 of the object, a line feed, and the object. It is written under a name of its own and renamed,
 * so two set-ups at once are no danger to each other.
 */
import crypto from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

const DIGEST = 64;
/** A file that nobody has used for so long is removed. */
const DAYS = 60;

const sha256 = (bytes) => crypto.createHash("sha256").update(bytes).digest("hex");

/** Folder of the objects. */
export function cacheFolder(env = process.env) {
  const base = path.isAbsolute(env.XDG_CACHE_HOME || "") ? env.XDG_CACHE_HOME : path.join(os.homedir(), ".cache");
  return path.join(env.FINE_R1_HOME ? path.resolve(env.FINE_R1_HOME) : path.join(base, "fine-r1"), "objects");
}

/**
 * The object stored under a key, or null. A file that another user could have written is not taken: its code would run.
 *
 * @param {string} key hexadecimal
 * @returns {Buffer | null}
 */
export function readCached(key, folder = cacheFolder()) {
  const file = path.join(folder, key);
  try {
    const { uid, mode } = fs.statSync(file);
    if ((uid !== process.getuid() && uid !== 0) || (mode & 0o022) !== 0) return null;
    const bytes = fs.readFileSync(file);
    const object = bytes.subarray(DIGEST + 1);
    if (bytes.length <= DIGEST + 1 || bytes.toString("latin1", 0, DIGEST) !== sha256(object)) return null;
    attempt(() => fs.utimesSync(file, new Date(), new Date())); // it was used
    return object;
  } catch {
    return null;
  }
}

/** Does what may fail without harm: a folder that is read only, full, or not there. */
function attempt(work) {
  try {
    work();
  } catch {
    // what is not stored is compiled again
  }
}

/** Stores an object where that is possible, and removes files that were not used for a long time. */
export function writeCached(key, object, folder = cacheFolder()) {
  const file = path.join(folder, key);
  const temporary = `${file}.${process.pid}.tmp`;
  attempt(() => {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    fs.writeFileSync(temporary, Buffer.concat([Buffer.from(`${sha256(object)}\n`), object]), { mode: 0o600 });
    fs.renameSync(temporary, file);
  });
  attempt(() => fs.rmSync(temporary, { force: true }));
  attempt(() => removeOld(folder));
}

function removeOld(folder) {
  for (const name of fs.readdirSync(folder)) {
    const file = path.join(folder, name);
    if (Date.now() - fs.statSync(file).mtimeMs > DAYS * 24 * 3600 * 1000) fs.rmSync(file, { force: true });
  }
}
