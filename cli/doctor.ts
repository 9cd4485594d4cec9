/** `doctor`: what this installation computes with, and how fast. */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { isNative, nativeLoadError, tf } from "../lib/engine/tensorflow";
import { kernelInstructionSet, kernelProblem } from "../lib/engine/kernels";
import { imageAddonProblem } from "../lib/processor/image-addon";
import { root } from "../tools/environment";
import type { DoctorOptions } from "./commands/doctor";
import { print } from "./output";

export interface Diagnosis {
  engine: "tensorflow" | "javascript";
  /** Why the native engine is not used; null where it is. */
  engine_problem: string | null;
  /** Which instruction set the fused kernels use; null where they are not there, and why. */
  kernels: string | null;
  kernels_problem: string | null;
  /** Why images are resized in TypeScript; null where the image addon does it. */
  image_addon_problem: string | null;
  device: "cpu" | "gpu";
  cpu: string;
  threads: number;
  memory_gb: number;
  gflops: number;
  versions: Record<"node" | "tfjs" | "tensorflow" | "tslab" | "python" | "jupyterlab", string | null>;
}

interface NativeBackend {
  isGPUPackage?: boolean;
  isUsingGpuDevice?: boolean;
  binding?: { TF_Version?: string };
}

function packageVersion(name: string): string | null {
  try {
    const text = fs.readFileSync(path.join(root, "node_modules", name, "package.json"), "utf8");
    return (JSON.parse(text) as { version: string }).version;
  } catch {
    return null;
  }
}

/** Version of an installed Python package, from the name of its dist-info folder. */
function pythonPackageVersion(name: string): string | null {
  const lib = path.join(root, ".venv/lib");
  if (!fs.existsSync(lib)) return null;
  for (const python of fs.readdirSync(lib)) {
    const site = path.join(lib, python, "site-packages");
    const found = fs.existsSync(site)
      ? fs.readdirSync(site).find((entry) => entry.startsWith(`${name}-`) && entry.endsWith(".dist-info"))
      : undefined;
    if (found !== undefined) return found.slice(name.length + 1, -".dist-info".length);
  }
  return null;
}

function pythonVersion(): string | null {
  const file = path.join(root, ".venv/pyvenv.cfg");
  return fs.existsSync(file) ? (/^version\s*=\s*(\S+)/m.exec(fs.readFileSync(file, "utf8"))?.[1] ?? null) : null;
}

/** Best of several f32 matrix products of size n³, in 10⁹ floating-point operations a second. */
function measureGflops(n: number, repeats: number): number {
  return tf.tidy(() => {
    const a = tf.randomUniform([n, n], -1, 1, "float32", 1);
    const b = tf.randomUniform([n, n], -1, 1, "float32", 2);
    let best = Infinity;
    for (let i = 0; i <= repeats; i++) {
      const begun = process.hrtime.bigint();
      const product = tf.matMul(a, b);
      product.slice([0, 0], [1, 1]).dataSync(); // waits for the device
      const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
      if (i > 0) best = Math.min(best, seconds); // the first one warms up
      product.dispose();
    }
    return (2 * n ** 3) / best / 1e9;
  });
}

export function diagnose(): Diagnosis {
  const backend = tf.backend() as unknown as NativeBackend;
  const threads = Number(process.env.TF_NUM_INTRAOP_THREADS) || os.availableParallelism();
  return {
    engine: isNative ? "tensorflow" : "javascript",
    engine_problem: nativeLoadError(),
    kernels: kernelInstructionSet(),
    kernels_problem: kernelProblem(),
    image_addon_problem: imageAddonProblem(),
    device: isNative && backend.isUsingGpuDevice ? "gpu" : "cpu",
    cpu: os.cpus()[0]?.model.trim() ?? "unknown",
    threads: isNative ? threads : 1,
    memory_gb: Math.round(os.totalmem() / 2 ** 30),
    gflops: Number(measureGflops(isNative ? 1024 : 256, isNative ? 5 : 1).toPrecision(3)),
    versions: {
      node: process.version.slice(1),
      tfjs: tf.version_core,
      tensorflow:
        (isNative ? backend.binding?.TF_Version : null) ??
        pythonPackageVersion("tensorflow_cpu") ??
        pythonPackageVersion("tensorflow"),
      tslab: packageVersion("tslab"),
      python: pythonVersion(),
      jupyterlab: pythonPackageVersion("jupyterlab"),
    },
  };
}

/** The findings for people: a name and what is to be said of it. */
const linesOf = (found: Diagnosis): [string, string][] => [
  [
    "engine",
    found.engine === "tensorflow"
      ? `TensorFlow ${found.versions.tensorflow ?? "?"} (native)`
      : "tfjs in JavaScript: smoke scale only",
  ],
  ...(found.engine_problem === null ? [] : ([["why", found.engine_problem]] as [string, string][])),
  ["kernels", found.kernels === null ? `TensorFlow's own: ${found.kernels_problem}` : `fused, ${found.kernels}`],
  [
    "images",
    found.image_addon_problem === null ? "image addon (native)" : `in TypeScript, slower: ${found.image_addon_problem}`,
  ],
  ["device", found.device],
  ["processor", `${found.cpu}, ${found.threads} thread${found.threads === 1 ? "" : "s"}, ${found.memory_gb} GB`],
  ["speed", `${found.gflops} GFLOP/s (f32 matrix product)`],
  ...Object.entries(found.versions).map(([name, version]): [string, string] => [name, version ?? "not installed"]),
];

export async function run({ json }: DoctorOptions): Promise<number> {
  await tf.ready();
  const found = diagnose();
  if (json) print(JSON.stringify(found, null, 2));
  else for (const [name, value] of linesOf(found)) print(`${name.padEnd(11)} ${value}`);
  return 0;
}
