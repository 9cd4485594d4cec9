/**
 * Compiles units (one object file each) and links them into an addon. A finished object is kept in the clone and in the
 * user's cache under a hash of all that it was made from, so an interrupted set-up, an edit of another file and a
 * second clone compile only what is new. All paths are relative to the clone: the same inputs give the same object
 * anywhere.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { readCached, writeCached } from "./cache.mjs";
import { places } from "./schedule.mjs";
import { hash, readText, run, writeFile } from "./steps.mjs";

/** As many compilers at a time as there are processors, whichever step they belong to. */
const processor = places(os.availableParallelism());

let described = null;

/** What the compiler and the system's headers are, as far as objects depend on it. */
function describeCompiler() {
  if (described === null) {
    const { stdout } = spawnSync("g++", ["--version"], { encoding: "utf8" });
    described = `${stdout}${process.report.getReport().header.glibcVersionRuntime}`;
  }
  return described;
}

/**
 * @typedef {object} Unit
 * @property {string} name of the object
 * @property {string[]} sources files that are compiled as one, in this order, relative to the clone
 * @property {string[]} headers files that they may include, relative to the clone
 * @property {string[]} flags of the compiler
 * @property {string[]} depends what else the object depends on, such as versions of libraries
 * @property {number} cost seconds it takes, roughly
 */

/** Arguments of the call that compiles `source` to `output`. */
export const compilerArguments = ({ flags }, source, output) => [...flags, "-c", source, "-o", output];

function keyOf(root, unit) {
  const texts = [...unit.sources, ...unit.headers].flatMap((file) => [file, readText(path.join(root, file)) ?? ""]);
  return hash(describeCompiler(), JSON.stringify(unit.flags), JSON.stringify(unit.depends), ...texts);
}

const objectFile = (root, folder, unit) => path.join(root, folder, `${unit.name}.${keyOf(root, unit).slice(0, 16)}.o`);

/** Whether a unit's object is in `folder` (relative to the clone). */
export const isCompiled = (root, folder, unit) => fs.existsSync(objectFile(root, folder, unit));

/** Several files as one: what they include is read once, which for TensorFlow's headers takes 15 seconds. */
function writeUnity(root, unit, file) {
  const from = path.join(root, path.dirname(file));
  const line = (source) => `#include "${path.relative(from, path.join(root, source))}"\n`;
  writeFile(path.join(root, file), unit.sources.map(line).join(""));
}

/**
 * Makes a unit's object, of which there may be one in the clone or in the cache.
 *
 * @returns {Promise<string>} its path
 * @throws {StepError} where the compiler fails
 */
export async function compile({ root, folder, unit, log }) {
  const object = objectFile(root, folder, unit);
  if (fs.existsSync(object)) return object;
  const key = keyOf(root, unit);
  const temporary = `${object}.${process.pid}.tmp`;
  const unity = path.join(folder, `${unit.name}.${process.pid}.tmp.cc`);
  fs.mkdirSync(path.dirname(object), { recursive: true });
  try {
    const cached = readCached(key);
    if (cached !== null) {
      fs.writeFileSync(temporary, cached);
    } else {
      const isOne = unit.sources.length === 1;
      if (!isOne) writeUnity(root, unit, unity);
      const source = isOne ? unit.sources[0] : unity;
      const args = compilerArguments(unit, source, path.relative(root, temporary));
      await processor(unit.cost, () => run("g++", args, { cwd: root, log }));
      writeCached(key, fs.readFileSync(temporary));
    }
    fs.renameSync(temporary, object);
  } finally {
    fs.rmSync(temporary, { force: true });
    fs.rmSync(path.join(root, unity), { force: true });
  }
  return object;
}

/**
 * Compiles all units; when all have ended, throws what the first of them to fail threw.
 *
 * @returns {Promise<string[]>} the objects, in order
 */
export async function compileAll({ root, folder, units, log }) {
  const results = await Promise.allSettled(units.map((unit) => compile({ root, folder, unit, log })));
  const failure = results.find((result) => result.status === "rejected");
  if (failure !== undefined) throw failure.reason;
  return results.map((result) => result.value);
}

/**
 * Arguments that name shared libraries which the addon needs when it is loaded, without reading them: an empty library
 * of each one's name stands in. The linker takes 14 seconds for TensorFlow's 800 MB, and has nothing to do there: what
 * a shared object lacks is looked up when it is loaded.
 */
async function needed({ root, folder, names, log }) {
  const files = names.map((name) => path.join(folder, name));
  for (const [i, file] of files.entries()) {
    const args = ["-shared", "-nostdlib", "-x", "c++", "/dev/null", `-Wl,-soname,${names[i]}`, "-o", file];
    await run("g++", args, { cwd: root, log });
  }
  return files.length > 0 ? ["-Wl,--no-as-needed", ...files] : [];
}

/**
 * Compiles units and links them into `output` (absolute), which is replaced when all is done. Objects that are of no
 * use any more are removed, and what a killed set-up left.
 *
 * @param {{root: string, folder: string, units: Unit[], needs?: string[], links?: string[], output: string,
 *   log: string}} options `needs`: names of libraries that it is loaded with; `links`: more arguments of the linker
 */
export async function buildAddon({ root, folder, units, needs = [], links = [], output, log }) {
  const objects = await compileAll({ root, folder, units, log });
  const temporary = `${output}.${process.pid}.tmp`;
  fs.mkdirSync(path.dirname(output), { recursive: true });
  try {
    await processor(Number.MAX_VALUE, async () => {
      const libraries = await needed({ root, folder, names: needs, log });
      await run("g++", ["-shared", ...objects, "-o", temporary, ...libraries, ...links], { cwd: root, log });
    });
    fs.renameSync(temporary, output);
  } finally {
    fs.rmSync(temporary, { force: true });
  }
  const isLeftOver = (file) => file.startsWith(`${output}.`) && file.endsWith(".tmp");
  removeFrom(path.dirname(output), isLeftOver);
  removeFrom(path.join(root, folder), (file) => !objects.includes(file));
}

/** Removes the files of a folder that `isUseless`: of earlier inputs, or of a set-up that was killed. */
function removeFrom(folder, isUseless) {
  for (const name of fs.readdirSync(folder)) {
    const file = path.join(folder, name);
    if (isUseless(file)) fs.rmSync(file, { force: true });
  }
}
