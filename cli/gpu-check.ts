/**
 * `gpu-check`: the engine's tests, the parity fixtures and a few benches on a GPU, and a report (docs/gpu-report.json).
 */
import "./grow-gpu-memory"; // before TensorFlow: this process stays while the tests run in others
import { spawnSync } from "node:child_process";
import { performance } from "node:perf_hooks";
import * as path from "node:path";
import { compile } from "../lib/engine/compile";
import { isOnGpu } from "../lib/engine/native";
import { isNative, nativeLoadError, tf, type Tensor } from "../lib/engine/tensorflow";
import { writeText } from "../lib/util/files";
import { diagnose } from "./doctor";
import { setUp } from "../test/bench/ours/train-step";
import { root } from "../tools/environment";
import { print } from "./output";

/**
 * What is run, in order, with TF32 off and TensorFlow's deterministic kernels, since some say "the same numbers again".
 */
const CHECKS: { name: string; files: string[] }[] = [
  { name: "engine", files: ["test/engine", "test/loss"] },
  { name: "parity", files: ["test/model", "test/processor"] },
  { name: "training and rollouts", files: ["test/train", "test/rollout"] },
];

/** Test files at a time; each process takes the device's memory as it needs it. */
const WORKERS = 4;
/** Lines of a failed check that are printed. */
const SHOWN = 60;

/** TFLOP/s of a compiled n x n product, and how far it is from the float32 one, |d| / |product|. */
function product(n: number, bf16: boolean, exact: Tensor | null): { tflops: number; result: Tensor; error: number } {
  const [a, b] = [1, 2].map((seed) => tf.randomNormal([n, n], 0, 1, "float32", seed));
  const run = compile((x: Tensor, y: Tensor) => tf.matMul(x as tf.Tensor2D, y as tf.Tensor2D), {
    name: `gpu.product.${bf16}`,
    bf16,
  });
  run(a, b).dispose();
  let best = Infinity;
  let result: Tensor = run(a, b);
  for (let i = 0; i < 10; i++) {
    result.dispose();
    const start = performance.now();
    result = run(a, b);
    tf.tidy(() => tf.slice(result, [0, 0], [1, 1]).dataSync()); // waits for the device
    best = Math.min(best, performance.now() - start);
  }
  const error = exact ? tf.tidy(() => tf.div(tf.norm(tf.sub(result, exact)), tf.norm(exact)).dataSync()[0]) : 0;
  tf.dispose([a, b]);
  return { tflops: (2 * n ** 3) / (best * 1e9), result, error };
}

/**
 * Milliseconds of a training step of the benchmark's `train-step`, the least of some runs of ten, by precision and
 * compiler.
 */
export async function stepMilliseconds(
  variants = ["f32", "f32,xla", "bf16", "bf16,xla"],
  runs = 5,
): Promise<Record<string, number>> {
  const least: Record<string, number> = {};
  for (const variant of variants) {
    const { run, work, dispose } = await setUp(variant);
    for (let i = 0; i <= runs; i++) {
      const start = performance.now();
      await run();
      if (i > 0) least[variant] = Math.min(least[variant] ?? Infinity, (performance.now() - start) / work.steps); // the first compiles
    }
    dispose?.();
  }
  return least;
}

const plain = (output: string): string => output.replace(/\u001b\[[0-9;]*m/g, "");

/** The last lines of a run that say what passed. */
const summary = (output: string): string[] =>
  plain(output)
    .split("\n")
    .filter((line) => /^\s*(Tests|Test Files)\s|FAIL/.test(line))
    .map((line) => line.trim());

/** @returns exit code: 0 where all checks passed, or there is no GPU ("skipped"); 1 where one failed */
export async function run(): Promise<number> {
  if (!isOnGpu()) {
    print(
      `gpu-check: skipped, there is no GPU here${isNative ? " (FINE_R1_DEVICE=gpu npm start sets one up)" : `: ${nativeLoadError() ?? "the native engine is not loaded"}`}`,
    );
    return 0;
  }
  const smi = spawnSync("nvidia-smi", ["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"], {
    encoding: "utf8",
  });
  const full = product(4096, false, null);
  const half = product(4096, true, full.result);
  const products = {
    n: 4096,
    float32Tflops: full.tflops,
    bfloat16Tflops: half.tflops,
    bfloat16Error: half.error,
    tf32: process.env.FINE_R1_TF32 === "1",
  };
  tf.dispose([full.result, half.result]);
  const trainStepMilliseconds = await stepMilliseconds();
  const environment = { ...process.env, FINE_R1_TF32: "0" };
  const tested = { ...environment, TF_DETERMINISTIC_OPS: "1" };
  const checks = CHECKS.map(({ name, files }) => {
    const start = performance.now();
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ["node_modules/vitest/vitest.mjs", "run", `--maxWorkers=${WORKERS}`, ...files],
      { cwd: root, env: tested, encoding: "utf8", maxBuffer: 2 ** 28 },
    );
    const check = {
      name,
      passed: status === 0,
      seconds: Math.round((performance.now() - start) / 1000),
      summary: summary(`${stdout}\n${stderr}`),
    };
    if (!check.passed) print(plain(`${stdout}\n${stderr}`).trimEnd().split("\n").slice(-SHOWN).join("\n"));
    print(`${name}: ${check.passed ? "passed" : "FAILED"} (${check.seconds} s) ${check.summary.join("; ")}`);
    return check;
  });
  const profiles = ["sft", "rollout", "tapo"].map((name) => {
    const { status, stdout } = spawnSync(
      process.execPath,
      ["--import", "tsx", "cli/fine-r1.ts", "profile", name, "--json"],
      { cwd: root, env: environment, encoding: "utf8", maxBuffer: 2 ** 28 },
    );
    return { name, passed: status === 0, result: status === 0 ? (JSON.parse(stdout) as unknown) : null };
  });
  const report = {
    date: new Date().toISOString().slice(0, 10),
    gpu: smi.stdout?.trim() ?? "",
    ...diagnose(),
    products,
    trainStepMilliseconds,
    checks,
    profiles,
  };
  writeText(path.join(root, "docs", "gpu-report.json"), `${JSON.stringify(report, null, 2)}\n`);
  return [...checks, ...profiles].every(({ passed }) => passed) ? 0 : 1;
}
