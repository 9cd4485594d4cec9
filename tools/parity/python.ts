/**
 * Runs the Python scripts of the parity suite, in the benchmark's environment unless `FINE_R1_PARITY_PYTHON` names
 * another.
 */
import { execFileSync } from "node:child_process";
import * as path from "node:path";
import { benchPython, ensurePython } from "../../test/bench/environment";

const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  HF_HUB_OFFLINE: "1",
  TRANSFORMERS_VERBOSITY: "error",
  PYTHONWARNINGS: "ignore",
});

let python: string | null = null;

/** The Python to use; the first call may install the peers. */
function interpreter(): string {
  if (python === null) {
    python = process.env.FINE_R1_PARITY_PYTHON ?? null;
    if (python === null) ensurePython();
    python ??= benchPython;
  }
  return python;
}

type Script = "reference.py" | "training.py" | "lora.py" | "policy.py" | "tokenizer.py";

/** Runs a script; what it prints is shown. @throws Error where it fails */
export function runPython(script: Script, ...args: string[]): void {
  execFileSync(interpreter(), [path.join(__dirname, script), ...args], {
    stdio: ["ignore", "inherit", "inherit"],
    env: environment(),
  });
}

/** Runs a script whose last line is JSON. */
export function askPython<T>(script: Script, ...args: string[]): T {
  const out = execFileSync(interpreter(), [path.join(__dirname, script), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env: environment(),
    encoding: "utf8",
  });
  return JSON.parse(out.trim().split("\n").pop() ?? "") as T;
}

/** Versions of the reference's packages. */
export function pythonVersions(): Record<string, string> {
  const names = ["torch", "torchvision", "transformers", "tokenizers", "trl", "peft", "pillow"];
  const code = `import json, importlib.metadata as m; print(json.dumps({n: m.version(n) for n in ${JSON.stringify(names)}}))`;
  return JSON.parse(execFileSync(interpreter(), ["-c", code], { encoding: "utf8" })) as Record<string, string>;
}
