/** What a trace writes down: kernel calls as the nodes of a TensorFlow function. */
import { DT, nativeBackend, tensorOf, typeNumber, type Binding, type OpAttribute, type TensorHandle } from "./native";
import { tf, type Tensor } from "./tensorflow";
import { attrValue, parseOpList, type AttrValue, type Node, type OpArgument, type OpSignature } from "./proto";

/** What the recorder is told. */
export interface RecorderOptions {
  /** Matrix products in bfloat16, everything else in float32. */
  bf16?: boolean;
}

let opSignatures: Map<string, OpSignature> | null = null;

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
export class Recorder {
  readonly nodes: Node[] = [];
  private readonly sourceOf = new Map<number, string>();
  private readonly hostConstants = new Map<number, { shape: number[]; dtype: number; values: ArrayLike<number> }>();
  private readonly types = new Map<number, number>();
  private readonly handles = new Map<number, { shape: number[]; dtype: number }>();
  private waitsFor: readonly string[] = [];

  constructor(
    private readonly binding: Binding,
    private readonly options: RecorderOptions,
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

  private cast(name: string, source: string, from: number, to: number, after: readonly string[] = []): string {
    this.nodes.push({ name, op: "Cast", inputs: [source, ...after], attributes: { SrcT: attrValue.type(from), DstT: attrValue.type(to) } });
    return `${name}:y:0`;
  }

  /** Whether a kernel that was called for float32 is given a weight that is held in bfloat16. */
  takesBf16(inputIds: readonly number[]): boolean {
    return inputIds.some((id) => this.types.get(id) === DT.bfloat16);
  }

  /** Control inputs on what the sources come from: a node with them waits until those have run. */
  private following(sources: readonly string[]): string[] {
    return [...new Set(sources.filter((source) => source.includes(":") && !source.startsWith("const_")).map((source) => `^${source.split(":")[0]}`))];
  }

  /** Kernels that `run` calls wait for what tensor `id` comes from. */
  after<T>(id: number, run: () => T): T {
    this.waitsFor = this.following([this.source(id)]);
    try {
      return run();
    } finally {
      this.waitsFor = [];
    }
  }

  /** Writes down one kernel call. Its inputs, and all it says of types, are float32 where a weight is held in bfloat16. */
  record(op: string, attributes: readonly OpAttribute[], inputIds: readonly number[], outputs: readonly TensorHandle[]): void {
    let inputs = inputIds.map((id) => this.source(id));
    const name = `${op}_${this.nodes.length}`;
    const held = inputIds.map((id) => this.types.get(id)!);
    const inputTypes = held.map((type) => (type === DT.bfloat16 ? DT.float32 : type));
    const converted = inferredAttributes(op, attributes, inputTypes, outputs.map((output) => output.dtype));
    outputs.forEach((output) => this.types.set(output.id, output.dtype));
    for (const attribute of attributes) {
      const value = convertAttribute(this.binding, attribute);
      if (value !== null) converted[attribute.name] = value;
    }
    const inBf16 = this.options.bf16 === true && (op === "MatMul" || op === "BatchMatMulV2" || op === "BatchMatMul") && outputs[0].dtype === DT.float32;
    if (op === "Identity" && held[0] === DT.bfloat16) {
      this.nodes.push({ name, op, inputs: [...inputs, ...this.waitsFor], attributes: { T: attrValue.type(DT.bfloat16) } });
      this.sourceOf.set(outputs[0].id, `${name}:output:0`);
      return;
    }
    if (op === "GatherV2" && held[0] === DT.bfloat16) {
      // the rows that are looked up, not the whole table, are widened
      this.nodes.push({ name, op, inputs, attributes: { ...converted, Tparams: attrValue.type(DT.bfloat16) } });
      this.sourceOf.set(outputs[0].id, this.cast(`${name}_out`, outputNames(name, op, attributes, 1)[0], DT.bfloat16, DT.float32));
      return;
    }
    if (inBf16) {
      const halves = inputs.map((input, i) => (held[i] === DT.bfloat16 ? input : this.cast(`${name}_in${i}`, input, DT.float32, DT.bfloat16)));
      this.nodes.push({ name, op, inputs: halves, attributes: { ...converted, T: attrValue.type(DT.bfloat16) } });
      this.sourceOf.set(outputs[0].id, this.cast(`${name}_out`, outputNames(name, op, attributes, 1)[0], DT.bfloat16, DT.float32));
      return;
    }
    // A weight is widened when the kernel's other inputs are there: arguments are there from the start, and all at once would be the whole model.
    const others = this.following(inputs.filter((_, i) => held[i] !== DT.bfloat16));
    inputs = inputs.map((input, i) => (held[i] === DT.bfloat16 ? this.cast(`${name}_in${i}`, input, DT.bfloat16, DT.float32, others) : input));
    this.nodes.push({ name, op, inputs: [...inputs, ...this.waitsFor], attributes: converted });
    outputNames(name, op, attributes, outputs.length).forEach((source, i) => this.sourceOf.set(outputs[i].id, source));
  }
}

let active: Recorder | null = null;

/** Makes `recorder` the one that `runAfter` writes to while `run` runs. */
export function whileRecording<T>(recorder: Recorder, run: () => T): T {
  const before = active;
  active = recorder;
  try {
    return run();
  } finally {
    active = before;
  }
}

/** The same values; in a compiled function they are there only after `dependency` has been computed. */
export function runAfter(x: Tensor, dependency: Tensor): Tensor {
  if (!active) return tf.clone(x);
  const backend = nativeBackend();
  const [id] = backend.getInputTensorIds([dependency]);
  const type = { name: "T", type: backend.binding.TF_ATTR_TYPE, value: typeNumber(x) };
  return active.after(id, () => tensorOf(backend.binding.executeOp("Identity", [type], backend.getInputTensorIds([x]), 1)[0]));
}
