/**
 * Tracing: call a function once with stand-ins for its arguments, record every kernel it asks for, and register the
 * recording as one TensorFlow function. What `tf.function` does in Python, for TypeScript.
 *
 * The recording is of kernels, not of JavaScript: gradients taken inside (`tf.grads`) are recorded like everything
 * else, JavaScript control flow is unrolled, and anything JavaScript computed becomes a constant. What would be frozen
 * by mistake - a tensor's value read on the host, `Math.random` - throws instead, naming the line that did it.
 */
import { fuseSums } from "./fuse";
import type { Inferred } from "./infer";
import { usesKernels } from "./kernels";
import type { Binding, OpAttribute } from "./binding";
import { nativeBackend, tensorOf, typeNumber } from "./native";
import { attrValue, functionDef } from "./proto";
import { callSite, Recorder, TraceError, whileRecording, type RecorderOptions } from "./recorder";
import { tf, type Tensor } from "./tensorflow";

export { TraceError };

/** How a traced function is to run. */
export type TraceOptions = RecorderOptions;

/** A registered TensorFlow function. */
export interface TracedFunction {
  name: string;
  nodeCount: number;
  /** Shape and data type of each output. */
  outputs: readonly Inferred[];
}

let functionCount = 0;

/** tfjs-node's gather reads its indices on the host only to check their bounds: nothing is frozen by that. */
function readIsValidation(): boolean {
  return /kernels[\\/]GatherV2\.js/.test(new Error().stack ?? "");
}

/**
 * Traces `fn` and registers the recording. `fn` runs on stand-ins, tensors with a shape and a type but no values:
 * nothing is computed.
 * @param args tensors the function takes; their shapes and data types are fixed in the result.
 * @param fn takes stand-ins for `args`, returns the outputs; must be pure.
 * @throws TraceError where `fn` reads a tensor's values or draws from `Math.random`, where shapes don't fit, or where
 * one depends on values
 */
export function trace(
  fn: (args: Tensor[]) => Tensor[],
  args: readonly Tensor[],
  options: TraceOptions = {},
): TracedFunction {
  const backend = nativeBackend();
  const real = backend.binding;
  const recorder = new Recorder(real, { ...options, fusedAdds: usesKernels() && options.xla !== true });
  const name = `fine_r1_${functionCount++}`;

  const standIns = args.map((arg, i) => tensorOf(recorder.addArgument(`arg${i}`, arg.shape, typeNumber(arg))));
  const firstInside = tf.tidy(() => tf.scalar(0).id);

  const recording: Binding = Object.create(real, {
    createTensor: {
      value: (shape: number[], dtype: number, values: ArrayLike<number>) => {
        const id = real.createTensor(shape, dtype, values);
        recorder.seeHostConstant(id, shape, dtype, values);
        return id;
      },
    },
    executeOp: {
      value: (op: string, attributes: OpAttribute[], inputIds: number[], outputCount: number) =>
        recorder.record(op, attributes, inputIds, outputCount),
    },
    tensorDataSync: {
      value: (id: number) => {
        if (readIsValidation())
          return id < 0
            ? new Int32Array(recorder.lookUp(id).shape.reduce((a, b) => a * b, 1))
            : real.tensorDataSync(id);
        throw new TraceError(
          `compile: a tensor's values are read inside a compiled function, at ${callSite()}; return the tensor and read it outside, or pass what depends on it as an argument`,
        );
      },
    },
  });
  const getInputTensorIds = backend.getInputTensorIds;
  const drawRandom = Math.random;
  try {
    backend.binding = recording;
    backend.getInputTensorIds = (tensors) => {
      const ids = getInputTensorIds.call(backend, tensors);
      tensors.forEach((tensor, i) => {
        if (ids[i] >= 0) recorder.seeTensor(ids[i], tensor.shape, typeNumber(tensor));
      });
      return ids;
    };
    Math.random = () => {
      throw new TraceError(
        `compile: Math.random inside a compiled function would be drawn once and frozen, at ${callSite()}; pass a seed tensor`,
      );
    };
    const outputs = whileRecording(recorder, () => tf.tidy(() => fn(standIns)));
    const recorded = backend.getInputTensorIds(outputs).map((id) => recorder.lookUp(id));
    const sources = recorded.map(({ source }) => source);
    const { nodes, results } = recorder.options.fusedAdds
      ? fuseSums(recorder.nodes, sources)
      : { nodes: recorder.nodes, results: sources };
    const bytes = functionDef({
      name,
      args: args.map((arg, i) => ({ name: `arg${i}`, dtype: typeNumber(arg) })),
      results: recorded.map(({ dtype }, i) => ({ dtype, source: results[i] })),
      nodes,
      attributes: options.xla ? { _XlaMustCompile: attrValue.bool(true) } : {},
    });
    real.addFunctionDef!(bytes);
    // what was there before the trace (a captured tensor) stays
    outputs.forEach((output) => {
      if (output.id >= firstInside) output.dispose();
    });
    return {
      name,
      nodeCount: nodes.length,
      outputs: recorded.map(({ shape, dtype }) => ({ shape: [...shape], dtype })),
    };
  } finally {
    backend.binding = real;
    backend.getInputTensorIds = getInputTensorIds;
    Math.random = drawRandom;
    standIns.forEach((tensor) => tensor.dispose());
  }
}

/** Runs a traced function. The outputs belong to the caller. */
export function callTraced(traced: TracedFunction, args: readonly Tensor[]): Tensor[] {
  const backend = nativeBackend();
  const first = backend.binding.callFunction!(
    traced.name,
    Int32Array.from(backend.getInputTensorIds(args)),
    traced.outputs.length,
  );
  return traced.outputs.map(({ shape, dtype }, i) => tensorOf({ id: first + i, shape, dtype }));
}

/** Takes a traced function out of TensorFlow; it can't be called again. */
export function removeTraced(traced: TracedFunction): void {
  nativeBackend().binding.removeFunction?.(traced.name);
}
