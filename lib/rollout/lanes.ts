/**
 * A decoding batch in parts that are computed side by side. TensorFlow gives a product of few rows to one thread; parts that don't
 * depend on one another run on several. Each holds whole entries of the prompt cache, with all of their rows.
 */
import { availableParallelism } from "node:os";
import { usesKernels } from "../engine/kernels";
import { tf, type Tensor } from "../engine/tensorflow";
import { disposeTree, flatten } from "../engine/tree";
import type { TextConfig } from "../model/config";

/** Rows that are worth a lane of their own. */
const ROWS = 16;
/** Products with operands of more bytes than this are shared among threads by TensorFlow itself. */
const MOST_BYTES = 2 ** 21;

/**
 * How many entries each lane holds, as even as they come.
 * @param perEntry rows of each
 * @param threads that run ops side by side
 */
export function laneSizes(entries: number, perEntry: number, { hiddenSize, intermediateSize }: Pick<TextConfig, "hiddenSize" | "intermediateSize">, threads = Number(process.env.TF_NUM_INTEROP_THREADS) || availableParallelism()): number[] {
  const rows = entries * perEntry;
  const largest = 4 * (rows * (hiddenSize + intermediateSize) + hiddenSize * intermediateSize);
  const count = usesKernels() && largest < MOST_BYTES ? Math.max(1, Math.min(threads, entries, Math.floor(rows / ROWS))) : 1;
  return Array.from({ length: count }, (_, lane) => Math.floor((entries * (lane + 1)) / count) - Math.floor((entries * lane) / count));
}

/** Splits every tensor of a tree along its first axis: one tree for each size. */
export function intoLanes<T>(whole: T, sizes: readonly number[]): T[] {
  const { leaves, rebuild } = flatten(whole);
  if (sizes.length === 1) return [rebuild(leaves.map((leaf) => leaf.clone())) as T];
  const parts = leaves.map((leaf) => tf.split(leaf, [...sizes], 0));
  return sizes.map((_, lane) => rebuild(parts.map((of) => of[lane])) as T);
}

/** The lanes' trees with first axes joined, then the lines `from` of that, in lanes of the given sizes. Uses `lanes` up. */
export function regroup<T>(lanes: readonly T[], from: readonly number[], sizes: readonly number[]): T[] {
  const flat = lanes.map((lane) => flatten(lane));
  const leaves = tf.tidy(() => flat[0].leaves.map((_, i): Tensor => tf.gather(tf.concat(flat.map((lane) => lane.leaves[i]), 0), tf.tensor1d([...from], "int32"))));
  const taken = flat[0].rebuild(leaves) as T;
  const out = intoLanes(taken, sizes);
  disposeTree(taken, lanes);
  return out;
}
