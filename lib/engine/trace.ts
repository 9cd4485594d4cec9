/**
 * Tracing: call a function once with stand-ins for its arguments, record every kernel it asks for, and register the recording
 * as one TensorFlow function. What `tf.function` does in Python, for TypeScript.
 *
 * The recording is of kernels, not of JavaScript: gradients taken inside (`tf.grads`) are recorded like everything else,
 * JavaScript control flow is unrolled, and anything JavaScript computed becomes a constant. What would be frozen by
 * mistake - a tensor's value read on the host, `Math.random` - throws instead, naming the line that did it.
 */
import { createInference, type Inferred, type Known } from "./infer";
import { DT, dataTypeNumber, nativeBackend, type Binding, type OpAttribute, type TensorHandle } from "./native";
import { convertAttribute, inferredAttributes, outputNames } from "./op-registry";
import { attrValue, functionDef, type AttrValue, type Node } from "./proto";
import { tf, type Tensor } from "./tensorflow";

/** How a traced function is to run. */
export interface TraceOptions {
  /** Compile with XLA (`_XlaMustCompile`). */
  xla?: boolean;
  /** Matrix products in bfloat16, everything else in float32. */
  bf16?: boolean;
}

/** A registered TensorFlow function. */
export interface TracedFunction {
  name: string;
  nodeCount: number;
  outputCount: number;
}

let functionCount = 0;

/** The first line outside the engine and tfjs in the current stack: where the user's code did it. */
function callSite(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 100; // tfjs's own frames come first
  const lines = (new Error().stack ?? "").split("\n").slice(1);
  Error.stackTraceLimit = limit;
  const own = lines.find((line) => !/lib[\\/]engine[\\/]|node_modules|tfjs-core|node:internal/.test(line));
  return own ? own.trim().replace(/^at /, "") : "an unknown line";
}

/** tfjs-node's gather reads its indices on the host only to check their bounds: nothing is frozen by that. */
function readIsValidation(): boolean {
  return /kernels[\\/]GatherV2\.js/.test(new Error().stack ?? "");
}

/** Error of a traced function that does what a recording can't hold. */
export class TraceError extends Error {
  override name = "TraceError";
}

function constantBytes(dtype: number, values: ArrayLike<number> | string[]): Uint8Array {
  const numbers = values as ArrayLike<number>;
  if (dtype === DT.bool) return Uint8Array.from(numbers);
  if (dtype === DT.int32) return new Uint8Array(Int32Array.from(numbers).buffer);
  if (dtype === DT.float32) return new Uint8Array(Float32Array.from(numbers).buffer);
  throw new TraceError(`trace: a constant of data type number ${dtype} can't be captured`);
}

/** What the recorder knows of a tensor, and where in the function it comes from. */
interface Recorded extends Known {
  source: string;
}

/** Records kernel calls as the nodes of a function. Tensors made in it are stand-ins: a negative id, a shape and a type. */
class Recorder {
  readonly nodes: Node[] = [];
  private readonly recorded = new Map<number, Recorded>();
  private readonly handles = new Map<number, { shape: number[]; dtype: number }>();
  private readonly hostValues = new Map<number, ArrayLike<number>>();
  private readonly infer: ReturnType<typeof createInference>;

  constructor(
    private readonly binding: Binding,
    private readonly options: TraceOptions,
  ) {
    this.infer = createInference(binding);
  }

  /** A new stand-in. */
  private standIn(source: string, { shape, dtype }: Inferred): TensorHandle {
    const id = -1 - this.recorded.size; // tfjs-node deletes no tensor of a negative id
    this.recorded.set(id, { source, shape, dtype, bytes: null });
    return { id, shape: [...shape], dtype };
  }

  addArgument(name: string, shape: number[], dtype: number): TensorHandle {
    return this.standIn(name, { shape, dtype });
  }

  seeTensor(id: number, shape: number[], dtype: number): void {
    this.handles.set(id, { shape, dtype });
  }

  seeHostConstant(id: number, shape: number[], dtype: number, values: ArrayLike<number>): void {
    this.handles.set(id, { shape, dtype });
    this.hostValues.set(id, values);
  }

  /** What is known of tensor `id`; one made outside the trace becomes a constant. */
  lookUp(id: number): Recorded {
    const known = this.recorded.get(id);
    if (known !== undefined) return known;
    const meta = this.handles.get(id);
    if (!meta) throw new TraceError("trace: a kernel used a tensor that the trace has not seen");
    const bytes = constantBytes(meta.dtype, this.hostValues.get(id) ?? this.binding.tensorDataSync(id));
    const name = `const_${this.nodes.length}`;
    this.nodes.push({ name, op: "Const", inputs: [], attributes: { dtype: attrValue.type(meta.dtype), value: attrValue.tensor(meta.dtype, meta.shape, bytes) } });
    const recorded = { source: `${name}:output:0`, ...meta, bytes };
    this.recorded.set(id, recorded);
    return recorded;
  }

  private cast(name: string, source: string, from: number, to: number): string {
    this.nodes.push({ name, op: "Cast", inputs: [source], attributes: { SrcT: attrValue.type(from), DstT: attrValue.type(to) } });
    return `${name}:y:0`;
  }

  private inferred(op: string, attributes: Record<string, AttrValue>, inputs: readonly Known[]): readonly Inferred[] {
    try {
      return this.infer(op, attributes, inputs);
    } catch (error) {
      const reason = (error as Error).message.replace(/^Invalid TF_Status: \d+\s*Message: /, "").replace(/ for '{{node node}} = .*' with input shapes/, "; input shapes");
      throw new TraceError(`compile: ${op}: ${reason} (at ${callSite()})`);
    }
  }

  /** Records a call; returns stand-ins for its outputs. */
  record(op: string, given: readonly OpAttribute[], inputIds: readonly number[], outputCount: number): TensorHandle[] {
    const inputs = inputIds.map((id) => this.lookUp(id));
    const sources = inputs.map(({ source }) => source);
    const name = `${op}_${this.nodes.length}`;
    const attributes = inferredAttributes(op, given, inputs.map(({ dtype }) => dtype));
    for (const attribute of given) {
      const value = convertAttribute(this.binding, attribute);
      if (value !== null) attributes[attribute.name] = value;
    }
    const outputs = this.inferred(op, attributes, inputs);
    const names = outputNames(name, op, given, outputCount);
    if (outputs.length !== outputCount) throw new TraceError(`trace: ${op} was called for ${outputCount} outputs, TensorFlow tells of ${outputs.length}`);
    if (this.options.bf16 === true && (op === "MatMul" || op === "BatchMatMulV2" || op === "BatchMatMul") && outputs[0].dtype === DT.float32) {
      const halves = sources.map((source, i) => this.cast(`${name}_in${i}`, source, DT.float32, DT.bfloat16));
      this.nodes.push({ name, op, inputs: halves, attributes: { ...attributes, T: attrValue.type(DT.bfloat16) } });
      return [this.standIn(this.cast(`${name}_out`, names[0], DT.bfloat16, DT.float32), outputs[0])];
    }
    this.nodes.push({ name, op, inputs: sources, attributes });
    return outputs.map((output, i) => this.standIn(names[i], output));
  }
}

/**
 * Traces `fn` and registers the recording. `fn` runs on stand-ins, tensors with a shape and a type but no values: nothing is computed.
 * @param args tensors the function takes; their shapes and data types are fixed in the result.
 * @param fn takes stand-ins for `args`, returns the outputs; must be pure.
 * @throws TraceError where `fn` reads a tensor's values or draws from `Math.random`, where shapes don't fit, or where one depends on values
 */
export function trace(fn: (args: Tensor[]) => Tensor[], args: readonly Tensor[], options: TraceOptions = {}): TracedFunction {
  const backend = nativeBackend();
  const real = backend.binding;
  const recorder = new Recorder(real, options);
  const name = `fine_r1_${functionCount++}`;

  const standIns = args.map((arg, i) => backend.createOutputTensor(recorder.addArgument(`arg${i}`, arg.shape, dataTypeNumber(arg.dtype))));
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
      value: (op: string, attributes: OpAttribute[], inputIds: number[], outputCount: number) => recorder.record(op, attributes, inputIds, outputCount),
    },
    tensorDataSync: {
      value: (id: number) => {
        if (readIsValidation()) return id < 0 ? new Int32Array(recorder.lookUp(id).shape.reduce((a, b) => a * b, 1)) : real.tensorDataSync(id);
        throw new TraceError(`compile: a tensor's values are read inside a compiled function, at ${callSite()}; return the tensor and read it outside, or pass what depends on it as an argument`);
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
        if (ids[i] >= 0) recorder.seeTensor(ids[i], tensor.shape, dataTypeNumber(tensor.dtype));
      });
      return ids;
    };
    Math.random = () => {
      throw new TraceError(`compile: Math.random inside a compiled function would be drawn once and frozen, at ${callSite()}; pass a seed tensor`);
    };
    const outputs = tf.tidy(() => fn(standIns));
    const sources = backend.getInputTensorIds(outputs).map((id) => recorder.lookUp(id).source);
    const bytes = functionDef({
      name,
      args: args.map((arg, i) => ({ name: `arg${i}`, dtype: arg.dtype })),
      results: outputs.map((output, i) => ({ dtype: output.dtype, source: sources[i] })),
      nodes: recorder.nodes,
      attributes: options.xla ? { _XlaMustCompile: attrValue.bool(true) } : {},
    });
    real.addFunctionDef!(bytes);
    // what was there before the trace (a captured tensor) stays
    outputs.forEach((output) => {
      if (output.id >= firstInside) output.dispose();
    });
    return { name, nodeCount: recorder.nodes.length, outputCount: outputs.length };
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
  const handles = backend.binding.executeOp(traced.name, [], backend.getInputTensorIds(args), traced.outputCount);
  return handles.map((handle) => backend.createOutputTensor(handle));
}

/** Takes a traced function out of TensorFlow; it can't be called again. */
export function removeTraced(traced: TracedFunction): void {
  nativeBackend().binding.removeFunction?.(traced.name);
}
