/**
 * TensorFlow, loaded once. Everything in `lib/` takes `tf` from here and from nowhere else.
 *
 * With the native addon (`@tensorflow/tfjs-node-gpu`, built at set-up against TensorFlow's own libraries) the
 * backend is `tensorflow`; without it the pure JavaScript `cpu` backend of tfjs serves the `smoke` scale.
 */
process.env.TF_CPP_MIN_LOG_LEVEL ??= "3"; // must be set before TensorFlow loads
// oneDNN's kernels, which TensorFlow leaves off on x86 processors without AVX-512: a training step takes 10 to 28 %
// less time with them
process.env.TF_ENABLE_ONEDNN_OPTS ??= "1";

import { readFileSync } from "node:fs";
import * as path from "node:path";
import util from "node:util"; // the module object itself: a namespace import would be a copy
import * as tf from "@tensorflow/tfjs";
import type { Binding } from "./binding";
import { repositoryRoot } from "../util/root";

/**
 * Whether this installation is for a GPU: what `FINE_R1_DEVICE` says, or what set-up was last told
 * (`tools/setup/python.mjs`).
 */
export function isForGpu(): boolean {
  if (process.env.FINE_R1_DEVICE) return process.env.FINE_R1_DEVICE === "gpu";
  try {
    return (
      (JSON.parse(readFileSync(path.join(repositoryRoot(), ".venv/fine-r1.json"), "utf8")) as { device?: string })
        .device === "gpu"
    );
  } catch {
    return false;
  }
}

// The fused kernels (`kernels.ts`) share each op among all threads, which wait awake for the next one: ops side by side
// would take their cores. On a GPU and without the kernels, TensorFlow runs ops side by side as it sees fit.
if (process.env.FINE_R1_KERNELS !== "0" && !isForGpu()) process.env.TF_NUM_INTEROP_THREADS ??= "1";

export { tf };
export type Tensor = tf.Tensor;
export type DataType = tf.DataType;

/** A flat record of named tensors; for a model the names are Hugging Face's (`model.layers.0.…`). */
export type Params = Record<string, tf.Tensor>;

let loadError: string | null = null;

/** tfjs-node 4.22 calls two functions that Node 23 removed from `util` (fixed upstream, not released). */
function restoreRemovedUtilities(): void {
  const legacy = util as unknown as Record<string, unknown>;
  legacy.isNullOrUndefined = (x: unknown) => x === null || x === undefined;
  legacy.isArray = Array.isArray;
}

function loadNativeBackend(): boolean {
  if (process.env.FINE_R1_ENGINE === "js") {
    loadError = "FINE_R1_ENGINE=js asks for the JavaScript backend";
    return false;
  }
  const warn = console.warn;
  try {
    restoreRemovedUtilities();
    console.warn = () => undefined; // tfjs-node warns that each core kernel is registered a second time
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- optional: a missing addon must not throw
    require("@tensorflow/tfjs-node-gpu");
    if (tf.getBackend() !== "tensorflow") return false;
    // GPUs multiply float32 in TF32 (10 bits of mantissa) unless told not to: faster, and by choice only
    (tf.backend() as unknown as { binding: Binding }).binding.setTensorFloat32?.(process.env.FINE_R1_TF32 === "1");
    return true;
  } catch (error) {
    loadError = error instanceof Error ? error.message.split("\n")[0] : String(error);
    return false;
  } finally {
    console.warn = warn;
  }
}

/** True where TensorFlow's C library does the work. */
export const isNative: boolean = loadNativeBackend();

/** Why the native engine is not there; null where it is. */
export function nativeLoadError(): string | null {
  return loadError;
}
