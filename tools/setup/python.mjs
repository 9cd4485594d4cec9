/** Set-up step: .venv with JupyterLab, nbclient, plotly, kaleido and TensorFlow, from requirements.lock, by hash. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { hash, readJson, readText, run, StepError, writeFile } from "./steps.mjs";
import { sectionOf } from "./locked.mjs";
import { obtainUv } from "./uv.mjs";

const stampFile = (root) => path.join(root, ".venv/fine-r1.json");
const startedFile = (root) => path.join(root, ".venv/fine-r1.started");
export const venvPython = (root) => path.join(root, ".venv/bin/python");

/** `.venv/lib/python3.x/site-packages`, or null before the environment is made. */
export function sitePackages(root) {
  const lib = path.join(root, ".venv/lib");
  const folder = fs.existsSync(lib) && fs.readdirSync(lib).find((name) => name.startsWith("python3"));
  return folder ? path.join(lib, folder, "site-packages") : null;
}

/** The device of this installation: `FINE_R1_DEVICE`, or what set-up was last told, or `cpu`. */
export function chooseDevice(root, env = process.env) {
  const stamp = readJson(stampFile(root));
  const device = env.FINE_R1_DEVICE || (stamp && stamp.device) || "cpu";
  if (device !== "cpu" && device !== "gpu") throw new Error(`FINE_R1_DEVICE=${device}: expected cpu or gpu`);
  return device;
}

/**
 * The packages of a device, with the hashes of their files; without the native engine, TensorFlow is left out.
 *
 * @param {string} lock text of requirements.lock
 */
export function requirementsFor(lock, device, native) {
  const names = ["always", ...(native ? ["tensorflow", device] : [])];
  return names.map((name) => sectionOf(lock, name)).join("\n");
}

/** Whether an installer has said that a file is not the one that requirements.lock names. */
const saysOtherHash = (text) => /hash mismatch|do not match the hashes/i.test(text);

const lockFile = (root) => path.join(root, "requirements.lock");
const inputs = (root) => hash(root, readText(lockFile(root)) || "");

/** Makes .venv afresh. @param more options of Python's venv module */
async function makeEnvironment({ root, python, log, more = [] }) {
  const venv = path.join(root, ".venv");
  fs.rmSync(venv, { recursive: true, force: true });
  await run(python, ["-m", "venv", ...more, venv], { cwd: root, log });
  fs.writeFileSync(startedFile(root), "");
}

/** An installer refused a file. */
class OtherFile extends StepError {}

/**
 * Runs an installer.
 *
 * @throws {OtherFile} where it failed over a file of another hash, {StepError} where it failed otherwise
 */
async function install(command, args, options) {
  const before = (readText(options.log) || "").length;
  try {
    await run(command, args, options);
  } catch (error) {
    if (!(error instanceof StepError) || !saysOtherHash((readText(options.log) || "").slice(before))) throw error;
    throw new OtherFile(
      "a package's file has another hash than in requirements.lock and was not installed: " +
        "look at the index or mirror that pip is configured for (pip config list)",
      options.log,
    );
  }
}

/** Installs by uv. @returns whether that succeeded; the log says why not */
async function installByUv({ root, python, log, files, lock }) {
  const uv = await obtainUv({ root, python, lock, log });
  if (uv === null) return false;
  const options = ["--python", venvPython(root), "--only-binary=:all:"];
  try {
    await install(uv.command, ["pip", "install", ...options, ...files], { cwd: root, log, env: uv.env });
    return true;
  } catch (error) {
    if (error instanceof StepError && !(error instanceof OtherFile)) return false;
    throw error;
  }
}

/** Installs by pip, into a fresh .venv where this one has none. */
async function installByPip({ root, python, log, files }) {
  const hasPip = spawnSync(venvPython(root), ["-m", "pip", "--version"], { stdio: "ignore" }).status === 0;
  if (!hasPip) await makeEnvironment({ root, python, log });
  const options = [
    "--disable-pip-version-check",
    "--no-input",
    "--only-binary=:all:",
    "--no-compile",
    "--progress-bar=off",
  ];
  await install(venvPython(root), ["-m", "pip", "install", ...options, ...files], { cwd: root, log });
}

export const pythonStep = {
  name: "python",
  title: "Python packages",
  isDone({ root, device, native }) {
    const stamp = readJson(stampFile(root));
    return (
      stamp !== null &&
      stamp.inputs === inputs(root) &&
      (stamp.device === device || !native) &&
      (stamp.native || !native) &&
      fs.existsSync(venvPython(root))
    );
  },
  async run({ root, device, native, python, log: logOf }) {
    const log = logOf("python");
    const stamp = readJson(stampFile(root));
    const wasInterrupted = fs.existsSync(startedFile(root));
    const changesDevice = stamp !== null && stamp.native && stamp.device !== device;
    const works = spawnSync(venvPython(root), ["-c", "import sys"], { stdio: "ignore" }).status === 0;
    if (wasInterrupted || changesDevice || !works) {
      await makeEnvironment({ root, python: python.command, log, more: ["--without-pip"] });
    }
    fs.writeFileSync(startedFile(root), "");
    fs.rmSync(stampFile(root), { force: true });
    const requirements = path.join(root, ".setup/requirements.txt");
    const lock = readText(lockFile(root));
    if (lock === null) throw new Error("no requirements.lock: git checkout requirements.lock");
    writeFile(requirements, `${requirementsFor(lock, device, native)}\n`);
    const options = { root, python: python.command, log, lock, files: ["--require-hashes", "-r", requirements] };
    if (!(await installByUv(options))) await installByPip(options);
    if (native && !fs.existsSync(path.join(sitePackages(root), "tensorflow/libtensorflow_cc.so.2"))) {
      throw new StepError("the TensorFlow wheel holds no libtensorflow_cc.so.2", log);
    }
    writeFile(stampFile(root), JSON.stringify({ inputs: inputs(root), device, native }));
    fs.rmSync(startedFile(root), { force: true });
  },
};
