/** What turns a traced training step into kernels. */
import { isOnGpu } from "./native";

export const COMPILERS = ["auto", "graph", "xla"] as const;

/**
 * `graph`: TensorFlow's kernels, op by op; `xla`: fused by XLA, seconds to compile for each shape; `auto`: see
 * `useXla`.
 */
export type Compiler = (typeof COMPILERS)[number];

/**
 * Whether a step is compiled by XLA. `auto`: on a GPU, for a step of one shape that computes nothing again - XLA may
 * merge the second computation with the first, and keep what it was meant to save. On an H100 a step of `train-step`
 * takes 3.4 times less so, one of 110 million parameters in bfloat16 3.1 times (docs/log.md); on a CPU the fused
 * kernels are ahead of it.
 * @param oneShape whether all steps have one shape
 * @param recomputes whether layers are computed again in the backward pass (gradient checkpointing)
 */
export function useXla(
  compiler: Compiler,
  { oneShape, recomputes }: { oneShape: boolean; recomputes: boolean },
  onGpu = isOnGpu(),
): boolean {
  return compiler === "auto" ? onGpu && oneShape && !recomputes : compiler === "xla";
}
