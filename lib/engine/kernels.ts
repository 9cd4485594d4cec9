/**
 * Fused kernels for the processor (`native/kernels/`): what a model is made of as one op each, where a composition of
 * TensorFlow's ops goes over memory many times. Set-up builds them; without them, on a GPU, and in functions compiled
 * by XLA, the compositions in `ops.ts`, `attention.ts` and their like run, which are also what tests compare the
 * kernels with.
 */
import { existsSync } from "node:fs";
import * as path from "node:path";
import type { OpAttribute } from "./binding";
import { isOnGpu, nativeBackend } from "./native";
import { recordsForXla } from "./recorder";
import { repositoryRoot } from "../util/root";
import { isNative, tf, type Tensor } from "./tensorflow";

/** The addon registers its ops with TensorFlow when it is loaded. */
interface KernelAddon {
  /** `amx`, `avx512`, `avx2` or `generic`. */
  instructionSet: string;
}

/** What `FINE_R1_KERNELS` may say: the best instruction set to use, or 0 for none. */
const CHOICES = ["", "amx", "avx512", "avx2", "generic", "0"];

function load(): { addon: KernelAddon | null; problem: string | null } {
  if (!isNative) return { addon: null, problem: "TensorFlow's addon is not loaded" };
  const chosen = process.env.FINE_R1_KERNELS ?? "";
  if (!CHOICES.includes(chosen)) throw new Error(`FINE_R1_KERNELS=${chosen}: expected ${CHOICES.slice(1).join(", ")}`);
  if (chosen === "0") return { addon: null, problem: "FINE_R1_KERNELS=0 asks for TensorFlow's own" };
  if (isOnGpu()) return { addon: null, problem: "the device is a GPU" };
  const file = path.join(repositoryRoot(), ".setup/kernels/kernels.node");
  if (!existsSync(file)) return { addon: null, problem: "not built: node tools/setup.mjs" };
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- optional: a missing addon must not throw
    return { addon: require(file) as KernelAddon, problem: null };
  } catch (error) {
    return { addon: null, problem: error instanceof Error ? error.message.split("\n")[0] : String(error) };
  }
}

const loaded = load();
let paused = false;

/** Which instruction set the kernels use; null where they are not there. */
export const kernelInstructionSet = (): string | null => loaded.addon?.instructionSet ?? null;

/** Why they are not there; null where they are. */
export const kernelProblem = (): string | null => loaded.problem;

/** Whether what is computed, or recorded, now is to use them. */
export const usesKernels = (): boolean => loaded.addon !== null && !paused && !recordsForXla();

/** The same for a kernel that has no gradient, which a gradient that is being taken would find to be 0. */
export const usesKernelsWithoutGradient = (): boolean => usesKernels() && tf.engine().state.gradientDepth === 0;

/**
 * Whether products of matrices run on a matrix unit: then it takes less time to compute a layer's activations again
 * than to read them.
 */
export const hasMatrixUnit = (): boolean => usesKernels() && kernelInstructionSet() === "amx";

/** Runs `run` with TensorFlow's ops alone: what the kernels are compared with. */
export function withoutKernels<T>(run: () => T): T {
  const before = paused;
  paused = true;
  try {
    return run();
  } finally {
    paused = before;
  }
}

/**
 * One call of the op `FineR1<name>`.
 * @param attributes numbers are floats, booleans are booleans
 * @param counts integers: how many tensors a list of inputs has
 * @throws Error naming the inputs that don't fit
 */
export function callKernel(
  name: string,
  inputs: Tensor[],
  outputs: number,
  attributes: Record<string, number | boolean> = {},
  counts: Record<string, number> = {},
): Tensor[] {
  const backend = nativeBackend();
  const { TF_ATTR_BOOL, TF_ATTR_FLOAT, TF_ATTR_INT } = backend.binding;
  const given = Object.entries(attributes).map(([key, value]): OpAttribute => ({
    name: key,
    type: typeof value === "boolean" ? TF_ATTR_BOOL : TF_ATTR_FLOAT,
    value,
  }));
  const lists = Object.entries(counts).map(([key, value]): OpAttribute => ({ name: key, type: TF_ATTR_INT, value }));
  return backend.executeMultipleOutputs(`FineR1${name}`, [...given, ...lists], inputs, outputs);
}
