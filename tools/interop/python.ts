/**
 * The Python environments of `npm run interop`: TRL's is the benchmark's (`.venv-bench`); LLaMA-Factory's and
 * ms-swift's are of their own in `.interop`, with the older packages that each asks for, and PyTorch from the
 * benchmark's; so is vLLM's, with a PyTorch of its own.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { benchPython, ensurePython } from "../../test/bench/environment";
import { readTextFile, writeText } from "../../lib/util/files";
import { root, venvPython } from "../environment";
import { childEnvironment, installEnvironment } from "./child-environment";

/** Ignored by git: environments, exports, logs. */
export const scratch = path.join(root, ".interop");

const sitePackages = (python: string): string => {
  const lib = path.join(path.dirname(path.dirname(python)), "lib");
  const version = readdirSync(lib).find((name) => name.startsWith("python3."));
  if (version === undefined) throw new Error(`${lib}: no Python there`);
  return path.join(lib, version, "site-packages");
};

// the models are tiny: more threads would wait for one another
const SETTINGS = { HF_HUB_OFFLINE: "1", HF_DATASETS_OFFLINE: "1", OMP_NUM_THREADS: "1", PYTHONWARNINGS: "ignore" };

/** Runs a command, its output in a log. @throws Error naming the log, with its last lines */
function logged(
  name: string,
  command: string,
  args: readonly string[],
  cwd = root,
  env = childEnvironment(SETTINGS),
): void {
  mkdirSync(scratch, { recursive: true });
  const log = path.join(scratch, `${name}.log`);
  const out = openSync(log, "w");
  const { status, error } = spawnSync(command, args, { cwd, stdio: ["ignore", out, out], env });
  closeSync(out);
  if (status === 0) return;
  const last = readFileSync(log, "utf8").trim().split("\n").slice(-5).join("\n");
  throw new Error(`interop: ${name} failed: ${error?.message ?? last}\n(whole output: ${path.relative(root, log)})`);
}

/** TRL, transformers, PEFT. */
export function trlPython(): string {
  ensurePython();
  return benchPython;
}

/** An environment, or why there is none. */
export type Found = { python: string } | { reason: string };

/** An environment of its own in `.interop`, made unless a stamp says that it is there. */
function installed(
  name: string,
  title: string,
  list: string,
  prepare: (python: string) => void,
  module: string,
): Found {
  const home = path.join(scratch, name);
  const python = path.join(home, "bin/python");
  const requirements = path.join(__dirname, list);
  const stamp = path.join(home, "interop.stamp");
  const key = createHash("sha256").update(readFileSync(requirements)).digest("hex");
  if (existsSync(stamp) && readTextFile(stamp) === key) return { python };
  process.stderr.write(`interop: installing ${title} into .interop/${name} …\n`);
  try {
    const log = `install-${name}`;
    logged(log, venvPython, ["-m", "venv", "--clear", home]);
    prepare(python);
    const pip = ["-m", "pip", "install", "--no-deps", "--only-binary=:all:", "--no-input", "--progress-bar=off"];
    logged(log, python, [...pip, "-r", requirements], root, installEnvironment());
    logged(log, python, ["-c", `import ${module}`]);
    writeText(stamp, key);
    return { python };
  } catch (error) {
    return { reason: (error as Error).message.split("\n")[0] };
  }
}

/** An environment's own packages come first, what it lacks (PyTorch above all) from the benchmark's environment. */
const withPeers = (python: string): void =>
  writeText(path.join(sitePackages(python), "peers.pth"), `${sitePackages(benchPython)}\n`);

/** LLaMA-Factory; the reason where it does not install. */
export function factoryOrReason(): Found {
  ensurePython();
  return installed("llamafactory", "LLaMA-Factory", "llamafactory.txt", withPeers, "llamafactory.train.tuner");
}

/** ms-swift; the reason where it does not install. */
export function swiftOrReason(): Found {
  ensurePython();
  return installed("swift", "ms-swift", "swift.txt", withPeers, "swift.pipelines.train.sft");
}

/** vLLM's CPU backend; the reason where it does not install. */
export const vllmOrReason = (): Found =>
  installed("vllm", "vLLM (5 GB on disk)", "vllm.txt", () => undefined, "vllm.entrypoints.openai.api_server");

/** Runs Python in a folder. */
export const runPython = (name: string, python: string, args: readonly string[], cwd: string): void =>
  logged(name, python, args, cwd);

/** Runs a command of this project. */
export const runCommand = (name: string, args: readonly string[]): void =>
  logged(name, process.execPath, ["--import", "tsx", "cli/fine-r1.ts", ...args]);

/** Versions of packages in an environment. */
export function versionsOf(python: string, names: readonly string[]): Record<string, string> {
  const code = `import json, importlib.metadata as m; print(json.dumps({n: m.version(n) for n in ${JSON.stringify(names)}}))`;
  return JSON.parse(execFileSync(python, ["-c", code], { encoding: "utf8", env: childEnvironment() })) as Record<
    string,
    string
  >;
}
