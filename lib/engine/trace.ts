/**
 * Tracing: run a function once on the native backend, record every kernel it calls, and register the recording as one
 * TensorFlow function. What `tf.function` does in Python, for TypeScript.
 *
 * The recording is of kernels, not of JavaScript: gradients taken inside (`tf.grads`) are recorded like everything else,
 * JavaScript control flow is unrolled, and anything JavaScript computed becomes a constant. What would be frozen by
 * mistake - a tensor's value read on the host, `Math.random` - throws instead, naming the line that did it.
 */
import { DT, nativeBackend, tensorOf, typeNumber, type Binding, type OpAttribute } from "./native";
import { attrValue, functionDef } from "./proto";
import { Recorder, TraceError, whileRecording, type RecorderOptions } from "./recorder";
import { tf, type Tensor } from "./tensorflow";

export { TraceError };

/** How a traced function is to run. */
export interface TraceOptions extends RecorderOptions {
  /** Compile with XLA (`_XlaMustCompile`). */
  xla?: boolean;
}

/** A registered TensorFlow function. */
export interface TracedFunction {
  name: string;
  nodeCount: number;
  /** Outputs of the tracing run itself, owned by the caller. */
  firstOutputs: Tensor[];
  outputCount: number;
}

let functionCount = 0;

/** The first line outside the engine and tfjs in the current stack: where the user's code did it. */
function callSite(): string {
  const lines = (new Error().stack ?? "").split("\n").slice(1);
  const own = lines.find((line) => !/lib[\\/]engine[\\/]|node_modules|tfjs-core|node:internal/.test(line));
  return own ? own.trim().replace(/^at /, "") : "an unknown line";
}

/** tfjs-node's gather reads its indices on the host only to check their bounds: nothing is frozen by that. */
function readIsValidation(): boolean {
  return /kernels[\\/]GatherV2\.js/.test(new Error().stack ?? "");
}

/**
 * Traces `fn` on `args` and registers the recording.
 * @param args tensors the function takes; their shapes and data types are fixed in the result.
 * @param fn takes tensors standing for `args`, returns the outputs; must be pure.
 * @throws TraceError where `fn` reads a tensor's values or draws from `Math.random`.
 */
export function trace(fn: (args: Tensor[]) => Tensor[], args: readonly Tensor[], options: TraceOptions = {}): TracedFunction {
  const backend = nativeBackend();
  const real = backend.binding;
  const recorder = new Recorder(real, options);
  const name = `fine_r1_${functionCount++}`;

  // Two arguments may share one TensorFlow handle (tfjs clones do): give each its own, or the recording would merge them.
  const typeAttribute = (tensor: Tensor): OpAttribute[] => [{ name: "T", type: real.TF_ATTR_TYPE, value: typeNumber(tensor) }];
  const own = args.map((arg) => tensorOf(real.executeOp("Identity", typeAttribute(arg), backend.getInputTensorIds([arg]), 1)[0]));
  const firstInside = tf.tidy(() => tf.scalar(0).id);
  backend.getInputTensorIds(own).forEach((id, i) => recorder.addArgument(id, `arg${i}`, typeNumber(args[i])));

  /** Runs a kernel on float32 copies of the weights among its inputs that are held in bfloat16. */
  const onWidened = (op: string, attributes: OpAttribute[], inputIds: number[], outputCount: number): ReturnType<Binding["executeOp"]> => {
    const type = (attribute: string, value: number): OpAttribute => ({ name: attribute, type: real.TF_ATTR_TYPE, value });
    const widen = (id: number): number => real.executeOp("Cast", [type("SrcT", DT.bfloat16), type("DstT", DT.float32)], [id], 1)[0].id;
    if (op === "GatherV2" && recorder.takesBf16(inputIds.slice(0, 1))) {
      const [rows] = real.executeOp(op, attributes.map((a) => (a.name === "Tparams" ? type("Tparams", DT.bfloat16) : a)), inputIds, 1);
      const [out] = real.executeOp("Cast", [type("SrcT", DT.bfloat16), type("DstT", DT.float32)], [rows.id], 1);
      real.deleteTensor(rows.id);
      return [out];
    }
    const copies = new Map(inputIds.filter((id) => recorder.takesBf16([id])).map((id) => [id, widen(id)]));
    const outputs = real.executeOp(op, attributes, inputIds.map((id) => copies.get(id) ?? id), outputCount);
    copies.forEach((id) => real.deleteTensor(id));
    return outputs;
  };
  const recording: Binding = Object.create(real, {
    createTensor: {
      value: (shape: number[], dtype: number, values: ArrayLike<number>) => {
        const id = real.createTensor(shape, dtype, values);
        recorder.seeHostConstant(id, shape, dtype, values);
        return id;
      },
    },
    executeOp: {
      value: (op: string, attributes: OpAttribute[], inputIds: number[], outputCount: number) => {
        const outputs = recorder.takesBf16(inputIds) && op !== "Identity" ? onWidened(op, attributes, inputIds, outputCount) : real.executeOp(op, attributes, inputIds, outputCount);
        recorder.record(op, attributes, inputIds, outputs);
        return outputs;
      },
    },
    tensorDataSync: {
      value: (id: number) => {
        if (readIsValidation()) return real.tensorDataSync(id);
        throw new TraceError(`compile: a tensor's values are read inside a compiled function, at ${callSite()}; return the tensor and read it outside, or pass what depends on it as an argument`);
      },
    },
  });
  const getInputTensorIds = backend.getInputTensorIds;
  const drawRandom = Math.random;
  let outputs: Tensor[];
  let outputIds: number[];
  try {
    backend.binding = recording;
    backend.getInputTensorIds = (tensors) => {
      const ids = getInputTensorIds.call(backend, tensors);
      tensors.forEach((tensor, i) => recorder.seeTensor(ids[i], tensor.shape, typeNumber(tensor)));
      return ids;
    };
    Math.random = () => {
      throw new TraceError(`compile: Math.random inside a compiled function would be drawn once and frozen, at ${callSite()}; pass a seed tensor`);
    };
    outputs = whileRecording(recorder, () => tf.tidy(() => fn(own)));
    outputIds = backend.getInputTensorIds(outputs);
  } catch (error) {
    own.forEach((tensor) => tensor.dispose());
    throw error;
  } finally {
    backend.binding = real;
    backend.getInputTensorIds = getInputTensorIds;
    Math.random = drawRandom;
  }
  const bytes = functionDef({
    name,
    args: args.map((arg, i) => ({ name: `arg${i}`, dtype: typeNumber(arg) })),
    results: outputs.map((output, i) => ({ dtype: typeNumber(output), source: recorder.source(outputIds[i]) })),
    nodes: recorder.nodes,
    attributes: options.xla ? { _XlaMustCompile: attrValue.bool(true) } : {},
  });
  real.addFunctionDef!(bytes);
  // an output that was there before the trace (an argument, a captured tensor) or stands twice gets a handle of its own
  const firstOutputs = outputs.map((output, i) => (output.id < firstInside || outputs.indexOf(output) < i ? output.clone() : output));
  own.forEach((tensor) => tensor.dispose());
  return { name, nodeCount: recorder.nodes.length, firstOutputs, outputCount: outputs.length };
}

/** Runs a traced function. The outputs belong to the caller. */
export function callTraced(traced: TracedFunction, args: readonly Tensor[]): Tensor[] {
  const backend = nativeBackend();
  const handles = backend.binding.executeOp(traced.name, [], backend.getInputTensorIds(args), traced.outputCount);
  return handles.map((handle) => tensorOf(handle));
}

/** Takes a traced function out of TensorFlow; it can't be called again. */
export function removeTraced(traced: TracedFunction): void {
  nativeBackend().binding.removeFunction?.(traced.name);
}
