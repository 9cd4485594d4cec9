/**
 * `compile(fn)`: the same function, as one call into TensorFlow.
 *
 *     const step = compile((params: Params, batch: Batch) => ({ loss: ..., params: ... }));
 *     const { loss, params } = step(params0, batch);   // first call with these shapes traces; later ones replay
 *
 * `fn` must be pure: tensors (in nested records and arrays) in, tensors out; numbers, strings and booleans among the
 * arguments are part of what is compiled, so a changed number is a new trace. The arguments stay the caller's, the
 * results become the caller's. Called while another function is traced, it becomes a part of that one, with its
 * options. Without the native addon, `compile` returns `fn` wrapped in `tf.tidy`, and everything still works.
 */
import { performance } from "node:perf_hooks";
import { canCompile, DT, isBf16, nativeBackend } from "./native";
import { isRecording } from "./recorder";
import { tf, type Tensor } from "./tensorflow";
import { callTraced, removeTraced, trace, type TracedFunction, type TraceOptions } from "./trace";
import { disposeTree, flatten, type FlatTree } from "./tree";

/** Options of `compile`. */
export interface CompileOptions extends TraceOptions {
  /** Name in `engineStats()`; the function's own name by default. */
  name?: string;
  /**
   * Positions of arguments that the call uses up: their tensors are disposed as soon as the results exist (JAX's
   * `donate_argnums`). TensorFlow holds a call's inputs until it returns, so this shortens their life, not the call's
   * own peak.
   */
  donate?: readonly number[];
  /** Run `fn` as it is, untraced: for debugging, and for tests of what tracing must not change. */
  eager?: boolean;
}

/** One traced variant of a compiled function. */
export interface TraceStats {
  name: string;
  shapes: string;
  nodes: number;
  /**
   * Seconds of the first call: tracing, which calls the function once with stand-ins and computes nothing, and the
   * first replay.
   */
  traceSeconds: number;
  calls: number;
  /** Seconds spent in later calls, as seen by the caller: kernels may run on behind an asynchronous device. */
  callSeconds: number;
}

const registry: TraceStats[] = [];
const forget = new Map<TraceStats, () => void>();

/** Every trace made so far, in order. */
export function engineStats(): readonly TraceStats[] {
  return registry;
}

/**
 * Forgets the traces that `chosen` picks: TensorFlow drops their functions, and a later call with their shapes traces
 * anew. For a process that goes through many settings, each of which compiles its own steps.
 * @returns how many were forgotten
 */
export function releaseTraces(chosen: (stats: TraceStats) => boolean): number {
  const released = registry.filter(chosen);
  for (const stats of released) {
    forget.get(stats)?.();
    forget.delete(stats);
    registry.splice(registry.indexOf(stats), 1);
  }
  return released.length;
}

interface Variant {
  traced: TracedFunction;
  leavesOf: FlatTree["leavesOf"];
  kinds: Kind[];
  rebuild: FlatTree["rebuild"];
  stats: TraceStats;
}

/** What a trace depends on of a tensor. */
interface Kind {
  shape: number[];
  dtype: string;
  bf16: boolean;
}

const kindOf = (tensor: Tensor): Kind => ({ shape: tensor.shape, dtype: tensor.dtype, bf16: isBf16(tensor) });

/** Whether each tensor is of its kind. */
function haveKinds(tensors: readonly Tensor[], kinds: readonly Kind[]): boolean {
  const { tensorMap } = nativeBackend();
  return kinds.every(({ shape, dtype, bf16 }, i) => {
    const tensor = tensors[i];
    return (
      tensor.dtype === dtype &&
      tensor.shape.length === shape.length &&
      shape.every((size, axis) => size === tensor.shape[axis]) &&
      (tensorMap.get(tensor.dataId).dtype === DT.bfloat16) === bf16
    );
  });
}

/**
 * Compiles `fn`.
 * @throws TraceError (at the first call) where `fn` reads values or draws random numbers while being traced.
 */
export function compile<A extends unknown[], R>(
  fn: (...args: A) => R,
  options: CompileOptions = {},
): (...args: A) => R {
  const name = options.name ?? (fn.name || "anonymous");
  const variants = new Map<string, Variant>();
  let last: Variant | null = null;
  const eager = (...args: A): R => {
    let result: R;
    const flat = flatten(
      tf.tidy(() => {
        result = fn(...args);
        return flatten(result).leaves;
      }),
    );
    const given = new Set(flatten(args).leaves);
    return flatten(result!).rebuild(flat.leaves.map((leaf) => (given.has(leaf) ? leaf.clone() : leaf))) as R;
  };
  const donating =
    (call: (...args: A) => R): ((...args: A) => R) =>
    (...args) => {
      const result = call(...args);
      options.donate?.forEach((i) => disposeTree(args[i]));
      return result;
    };
  if (!canCompile() || options.eager) return donating(eager);

  const replay = (variant: Variant, leaves: readonly Tensor[]): R => {
    const start = performance.now();
    const outputs = callTraced(variant.traced, leaves);
    variant.stats.calls++;
    variant.stats.callSeconds += (performance.now() - start) / 1000;
    last = variant;
    return variant.rebuild(outputs) as R;
  };

  const compiled = donating((...args: A): R => {
    // a step after the other has the same arguments: a look at each is less than a key of all
    const same = last?.leavesOf(args);
    if (last && same && haveKinds(same, last.kinds)) return replay(last, same);
    const input = flatten(args);
    const key = `${input.key}|${input.leaves.map(signature).join(";")}`;
    const known = variants.get(key);
    if (known) return replay(known, input.leaves);
    const start = performance.now();
    let output: FlatTree | null = null;
    const traced = trace(
      (leaves) => {
        output = flatten(fn(...(input.rebuild(leaves) as A)));
        return output.leaves;
      },
      input.leaves,
      options,
    );
    const { rebuild } = output as unknown as FlatTree;
    const outputs = callTraced(traced, input.leaves);
    const stats: TraceStats = {
      name,
      shapes: summary(input.leaves),
      nodes: traced.nodeCount,
      traceSeconds: (performance.now() - start) / 1000,
      calls: 0,
      callSeconds: 0,
    };
    registry.push(stats);
    forget.set(stats, () => {
      variants.delete(key);
      if (last?.traced === traced) last = null;
      removeTraced(traced);
    });
    variants.set(key, { traced, leavesOf: input.leavesOf, kinds: input.leaves.map(kindOf), rebuild, stats });
    return rebuild(outputs) as R;
  });
  // of a function that is being traced it becomes a part
  return (...args) => (isRecording() ? fn(...args) : compiled(...args));
}

const signature = (tensor: Tensor): string =>
  `${isBf16(tensor) ? "bfloat16" : tensor.dtype}[${tensor.shape.join(",")}]`;

/** The shapes that tell variants apart, without the parameters' long list. */
function summary(leaves: readonly Tensor[]): string {
  const shapes = leaves.map(signature);
  return shapes.length <= 8 ? shapes.join(" ") : `${shapes.slice(-8).join(" ")} (+${shapes.length - 8})`;
}
