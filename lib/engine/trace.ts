/**
 * Tracing: run a function once on the native backend, record every kernel it calls, and register the recording as one
 * TensorFlow function. What `tf.function` does in Python, for TypeScript.
 *
 * The recording is of kernels, not of JavaScript: gradients taken inside (`tf.grads`) are recorded like everything else,
 * JavaScript control flow is unrolled, and anything JavaScript computed becomes a constant. What would be frozen by
 * mistake - a tensor's value read on the host, `Math.random` - throws instead, naming the line that did it.
 */
import { DT, dataTypeNumber, nativeBackend, type Binding, type OpAttribute, type TensorHandle } from "./native";
import { attrValue, functionDef, parseOpList, type AttrValue, type Node, type OpArgument, type OpSignature } from "./proto";
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
  /** Outputs of the tracing run itself, owned by the caller. */
  firstOutputs: Tensor[];
  outputCount: number;
}

let opSignatures: Map<string, OpSignature> | null = null;
let functionCount = 0;

/** TensorFlow's own registration of an op. */
function signatureOf(op: string): OpSignature {
  opSignatures ??= parseOpList(nativeBackend().binding.getOpList!());
  const signature = opSignatures.get(op);
  if (!signature) throw new Error(`trace: TensorFlow has no op named ${op}`);
  return signature;
}

const copiesOf = (arg: OpArgument, attributes: readonly OpAttribute[]): number | undefined =>
  arg.numberAttr === "" ? 1 : (attributes.find((a) => a.name === arg.numberAttr)?.value as number | undefined);

/** Names of the outputs of one node: `node:output_arg:index` (function.proto). */
function outputNames(node: string, op: string, attributes: readonly OpAttribute[], count: number): string[] {
  const names: string[] = [];
  for (const arg of signatureOf(op).outputs) {
    const copies = copiesOf(arg, attributes) ?? count;
    for (let i = 0; i < copies; i++) names.push(`${node}:${arg.name}:${i}`);
  }
  if (names.length !== count) throw new Error(`trace: ${op} was called for ${count} outputs, its registration gives ${names.length}`);
  return names;
}

/** Attributes that eager execution infers from the tensors and a function's node must state: types and list lengths. */
function inferredAttributes(op: string, given: readonly OpAttribute[], inputTypes: readonly number[], outputTypes: readonly number[]): Record<string, AttrValue> {
  const inferred: Record<string, AttrValue> = {};
  const has = (name: string): boolean => given.some((a) => a.name === name && a.value !== null && a.value !== undefined);
  const visit = (args: readonly OpArgument[], types: readonly number[]): void => {
    let next = 0;
    for (const arg of args) {
      const copies = copiesOf(arg, given) ?? types.length - (args.length - 1); // at most one list among the ops tfjs calls
      if (arg.typeAttr !== "" && !has(arg.typeAttr)) inferred[arg.typeAttr] = attrValue.type(types[next]);
      if (arg.numberAttr !== "" && !has(arg.numberAttr)) inferred[arg.numberAttr] = attrValue.int(copies);
      next += copies;
    }
  };
  const { inputs, outputs } = signatureOf(op);
  visit(inputs, inputTypes);
  visit(outputs, outputTypes);
  return inferred;
}

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

/** Error of a traced function that does what a recording can't hold. */
export class TraceError extends Error {
  override name = "TraceError";
}

function convertAttribute(binding: Binding, attribute: OpAttribute): AttrValue | null {
  const { type, value } = attribute;
  if (value === null || value === undefined) return null;
  switch (type) {
    case binding.TF_ATTR_TYPE:
      return attrValue.type(value as number);
    case binding.TF_ATTR_BOOL:
      return attrValue.bool(Boolean(value));
    case binding.TF_ATTR_INT:
      return Array.isArray(value) ? attrValue.ints(value as number[]) : attrValue.int(value as number);
    case binding.TF_ATTR_FLOAT:
      return attrValue.float(value as number);
    case binding.TF_ATTR_STRING:
      return attrValue.string(value as string);
    case binding.TF_ATTR_SHAPE:
      return attrValue.shape(value as number[]);
    default:
      throw new TraceError(`trace: attribute ${attribute.name} has a type (${type}) that tracing does not know`);
  }
}

function constantBytes(dtype: number, values: ArrayLike<number> | string[]): Uint8Array {
  const numbers = values as ArrayLike<number>;
  if (dtype === DT.bool) return Uint8Array.from(numbers);
  if (dtype === DT.int32) return new Uint8Array(Int32Array.from(numbers).buffer);
  if (dtype === DT.float32) return new Uint8Array(Float32Array.from(numbers).buffer);
  throw new TraceError(`trace: a constant of data type number ${dtype} can't be captured`);
}

/** Records kernel calls as the nodes of a function. */
class Recorder {
  readonly nodes: Node[] = [];
  private readonly sourceOf = new Map<number, string>();
  private readonly hostConstants = new Map<number, { shape: number[]; dtype: number; values: ArrayLike<number> }>();
  private readonly types = new Map<number, number>();
  private readonly handles = new Map<number, { shape: number[]; dtype: number }>();

  constructor(
    private readonly binding: Binding,
    private readonly options: TraceOptions,
  ) {}

  addArgument(id: number, name: string, dtype: number): void {
    this.sourceOf.set(id, name);
    this.types.set(id, dtype);
  }

  seeTensor(id: number, shape: number[], dtype: number): void {
    this.handles.set(id, { shape, dtype });
  }

  seeHostConstant(id: number, shape: number[], dtype: number, values: ArrayLike<number>): void {
    this.hostConstants.set(id, { shape, dtype, values });
  }

  /** Where tensor `id` comes from; a tensor made outside the trace becomes a constant. */
  source(id: number): string {
    const known = this.sourceOf.get(id);
    if (known !== undefined) return known;
    const host = this.hostConstants.get(id);
    const meta = host ?? this.handles.get(id);
    if (!meta) throw new TraceError("trace: a kernel used a tensor that the trace has not seen");
    const values = host ? host.values : this.binding.tensorDataSync(id);
    const name = `const_${this.nodes.length}`;
    this.nodes.push({
      name,
      op: "Const",
      inputs: [],
      attributes: { dtype: attrValue.type(meta.dtype), value: attrValue.tensor(meta.dtype, meta.shape, constantBytes(meta.dtype, values)) },
    });
    const source = `${name}:output:0`;
    this.sourceOf.set(id, source);
    this.types.set(id, meta.dtype);
    return source;
  }

  private cast(name: string, source: string, from: number, to: number): string {
    this.nodes.push({ name, op: "Cast", inputs: [source], attributes: { SrcT: attrValue.type(from), DstT: attrValue.type(to) } });
    return `${name}:y:0`;
  }

  record(op: string, attributes: readonly OpAttribute[], inputIds: readonly number[], outputs: readonly TensorHandle[]): void {
    const inputs = inputIds.map((id) => this.source(id));
    const name = `${op}_${this.nodes.length}`;
    const inputTypes = inputIds.map((id) => this.types.get(id)!);
    const converted = inferredAttributes(op, attributes, inputTypes, outputs.map((output) => output.dtype));
    outputs.forEach((output) => this.types.set(output.id, output.dtype));
    for (const attribute of attributes) {
      const value = convertAttribute(this.binding, attribute);
      if (value !== null) converted[attribute.name] = value;
    }
    const inBf16 = this.options.bf16 === true && (op === "MatMul" || op === "BatchMatMulV2" || op === "BatchMatMul") && outputs[0].dtype === DT.float32;
    if (inBf16) {
      const halves = inputs.map((input, i) => this.cast(`${name}_in${i}`, input, DT.float32, DT.bfloat16));
      this.nodes.push({ name, op, inputs: halves, attributes: { ...converted, T: attrValue.type(DT.bfloat16) } });
      this.sourceOf.set(outputs[0].id, this.cast(`${name}_out`, outputNames(name, op, attributes, 1)[0], DT.bfloat16, DT.float32));
      return;
    }
    this.nodes.push({ name, op, inputs, attributes: converted });
    outputNames(name, op, attributes, outputs.length).forEach((source, i) => this.sourceOf.set(outputs[i].id, source));
  }
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
  const typeAttribute = (tensor: Tensor): OpAttribute[] => [{ name: "T", type: real.TF_ATTR_TYPE, value: dataTypeNumber(tensor.dtype) }];
  const own = args.map((arg) => backend.executeSingleOutput("Identity", typeAttribute(arg), [arg]));
  const firstInside = tf.tidy(() => tf.scalar(0).id);
  backend.getInputTensorIds(own).forEach((id, i) => recorder.addArgument(id, `arg${i}`, dataTypeNumber(args[i].dtype)));

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
        const outputs = real.executeOp(op, attributes, inputIds, outputCount);
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
      tensors.forEach((tensor, i) => recorder.seeTensor(ids[i], tensor.shape, dataTypeNumber(tensor.dtype)));
      return ids;
    };
    Math.random = () => {
      throw new TraceError(`compile: Math.random inside a compiled function would be drawn once and frozen, at ${callSite()}; pass a seed tensor`);
    };
    outputs = tf.tidy(() => fn(own));
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
    args: args.map((arg, i) => ({ name: `arg${i}`, dtype: arg.dtype })),
    results: outputs.map((output, i) => ({ dtype: output.dtype, source: recorder.source(outputIds[i]) })),
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
  return handles.map((handle) => backend.createOutputTensor(handle));
}

/** Takes a traced function out of TensorFlow; it can't be called again. */
export function removeTraced(traced: TracedFunction): void {
  nativeBackend().binding.removeFunction?.(traced.name);
}
