/** Set-up step: .venv with JupyterLab, nbclient, plotly, kaleido and TensorFlow, from pinned requirements. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { hash, readJson, readText, run, StepError, writeFile } from "./steps.mjs";
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

/** requirements.txt for a device; without the native engine, TensorFlow is left out. */
export function requirementsFor(text, device, native) {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#"));
  if (!lines.some((line) => line.startsWith("tensorflow-cpu=="))) {
    throw new Error("requirements.txt: no line tensorflow-cpu==VERSION");
  }
  return lines
    .filter((line) => native || !line.startsWith("tensorflow-cpu=="))
    .map((line) => (device === "gpu" ? line.replace("tensorflow-cpu==", "tensorflow[and-cuda]==") : line))
    .join("\n");
}

const inputs = (root) =>
  hash(root, readText(path.join(root, "requirements.txt")) || "", readText(path.join(root, "constraints.txt")) || "");

/** Makes .venv afresh. @param more options of Python's venv module */
async function makeEnvironment({ root, python, log, more = [] }) {
  const venv = path.join(root, ".venv");
  fs.rmSync(venv, { recursive: true, force: true });
  await run(python, ["-m", "venv", ...more, venv], { cwd: root, log });
  fs.writeFileSync(startedFile(root), "");
}

/** Installs by uv. @returns whether that succeeded; the log says why not */
async function installByUv({ root, python, log, files, constraints }) {
  const uv = await obtainUv({ root, python, constraints, log });
  if (uv === null) return false;
  const options = ["--python", venvPython(root), "--only-binary=:all:"];
  try {
    await run(uv.command, ["pip", "install", ...options, ...files, "pip"], { cwd: root, log, env: uv.env });
    return true;
  } catch (error) {
    if (error instanceof StepError) return false;
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
  await run(venvPython(root), ["-m", "pip", "install", ...options, ...files], { cwd: root, log });
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
    writeFile(requirements, `${requirementsFor(readText(path.join(root, "requirements.txt")), device, native)}\n`);
    const constraintsFile = path.join(root, "constraints.txt");
    const files = ["-r", requirements, "-c", constraintsFile];
    const options = { root, python: python.command, log, files, constraints: readText(constraintsFile) };
    if (!(await installByUv(options))) await installByPip(options);
    if (native && !fs.existsSync(path.join(sitePackages(root), "tensorflow/libtensorflow_cc.so.2"))) {
      throw new StepError("the TensorFlow wheel holds no libtensorflow_cc.so.2", log);
    }
    writeFile(stampFile(root), JSON.stringify({ inputs: inputs(root), device, native }));
    fs.rmSync(startedFile(root), { force: true });
  },
};
