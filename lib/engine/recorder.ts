/** What a trace writes down: kernel calls as the nodes of a TensorFlow function. */
import { createInference, type Inferred, type Known } from "./infer";
import type { Binding, OpAttribute, TensorHandle } from "./binding";
import { DT, nativeBackend, tensorOf, typeNumber } from "./native";
import { convertAttribute, inferredAttributes, outputNames, takesAnyType } from "./op-registry";
import { attrValue, type AttrValue, type Node } from "./proto";
import { tf, type Tensor } from "./tensorflow";

/** What the recorder is told. */
export interface RecorderOptions {
  /** Matrix products in bfloat16, everything else in float32. */
  bf16?: boolean;
  /** Compile with XLA (`_XlaMustCompile`). */
  xla?: boolean;
  /**
   * Large sums of two tensors of one shape, residuals and gradients, by the fused kernel, which shares its threads with
   * the others.
   */
  fusedAdds?: boolean;
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

/** The first line outside the engine and tfjs in the current stack: where the user's code did it. */
export function callSite(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 100; // tfjs's own frames come first
  const lines = (new Error().stack ?? "").split("\n").slice(1);
  Error.stackTraceLimit = limit;
  const own = lines.find((line) => !/lib[\\/]engine[\\/]|node_modules|tfjs-core|node:internal/.test(line));
  return own ? own.trim().replace(/^at /, "") : "an unknown line";
}

/** What the recorder knows of a tensor, and where in the function it comes from. */
interface Recorded extends Known {
  source: string;
  /** Where the same numbers come from in another shape. */
  unshaped?: string;
}

const MATRIX_PRODUCTS = new Set(["MatMul", "BatchMatMulV2", "BatchMatMul"]);
/** Bytes of constants that are the same node where they are equal: shapes, axes, empty tensors. */
const SMALL_CONSTANT = 64;
/** Numbers from which a sum is worth sharing among threads. */
const LARGE_SUM = 2 ** 14;
/** Kernels that multiply matrices of either type, and round float32 ones themselves where they are to. */
const PRODUCT_KERNELS = new Set(["FineR1MatMul", "FineR1SwiGluMlp", "FineR1SwiGluMlpGrad"]);

const isLargeSum = ([a, b]: readonly Known[]): boolean =>
  a.dtype === DT.float32 && a.shape.join() === b.shape.join() && a.shape.reduce((n, size) => n * size, 1) >= LARGE_SUM;

/**
 * Records kernel calls as the nodes of a function. Tensors made in it are stand-ins: a negative id, a shape and a type.
 */
export class Recorder {
  readonly nodes: Node[] = [];
  private readonly recorded = new Map<number, Recorded>();
  private readonly handles = new Map<number, { shape: number[]; dtype: number }>();
  private readonly hostValues = new Map<number, ArrayLike<number>>();
  private readonly infer: ReturnType<typeof createInference>;
  private readonly constants = new Map<string, string>();
  private waitsFor: string[] = [];

  constructor(
    private readonly binding: Binding,
    readonly options: RecorderOptions,
  ) {
    this.infer = createInference(binding);
  }

  /** A new stand-in. */
  private standIn(source: string, { shape, dtype }: Known | Inferred, unshaped?: string): TensorHandle {
    const id = -1 - this.recorded.size; // tfjs-node deletes no tensor of a negative id
    this.recorded.set(id, { source, shape, dtype, bytes: null, unshaped });
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
    const key = bytes.length <= SMALL_CONSTANT ? `${meta.dtype} ${meta.shape.join()} ${bytes.join()}` : null;
    const same = key === null ? undefined : this.constants.get(key);
    const name = `const_${this.nodes.length}`;
    if (!same)
      this.nodes.push({
        name,
        op: "Const",
        inputs: [],
        attributes: { dtype: attrValue.type(meta.dtype), value: attrValue.tensor(meta.dtype, meta.shape, bytes) },
      });
    const recorded = { source: same ?? `${name}:output:0`, ...meta, bytes };
    if (key !== null) this.constants.set(key, recorded.source);
    this.recorded.set(id, recorded);
    return recorded;
  }

  /** A tensor that is to have the shape that it has. */
  private asItIs(id: number, shapeId: number): TensorHandle[] | null {
    const [known, shape] = [this.lookUp(id), this.hostValues.get(shapeId) as ArrayLike<number> | undefined];
    if (
      known.dtype === DT.bfloat16 ||
      shape?.length !== known.shape.length ||
      known.shape.some((size, axis) => size !== shape[axis])
    )
      return null;
    return [this.standIn(known.source, known, known.unshaped)];
  }

  private cast(name: string, source: string, from: number, to: number, after: readonly string[] = []): string {
    this.nodes.push({
      name,
      op: "Cast",
      inputs: [source, ...after],
      attributes: { SrcT: attrValue.type(from), DstT: attrValue.type(to) },
    });
    return `${name}:y:0`;
  }

  /** Control inputs on what the sources come from: a node with them waits until those have run. */
  private following(sources: readonly string[]): string[] {
    return [
      ...new Set(
        sources
          .filter((source) => source.includes(":") && !source.startsWith("const_"))
          .map((source) => `^${source.split(":")[0]}`),
      ),
    ];
  }

  /** Kernels that `run` calls wait for what tensor `id` comes from. */
  after<T>(id: number, run: () => T): T {
    this.waitsFor = this.following([this.lookUp(id).source]);
    try {
      return run();
    } finally {
      this.waitsFor = [];
    }
  }

  private inferred(op: string, attributes: Record<string, AttrValue>, inputs: readonly Known[]): readonly Inferred[] {
    try {
      return this.infer(op, attributes, inputs);
    } catch (error) {
      const reason = (error as Error).message
        .replace(/^Invalid TF_Status: \d+\s*Message: /, "")
        .replace(/ for '{{node node}} = .*' with input shapes/, "; input shapes");
      throw new TraceError(`compile: ${op}: ${reason} (at ${callSite()})`);
    }
  }

  /**
   * Records a call; returns stand-ins for its outputs. Its inputs, and all it says of types, are float32 where a weight
   * is held in bfloat16.
   */
  record(op: string, given: readonly OpAttribute[], inputIds: readonly number[], outputCount: number): TensorHandle[] {
    const asItIs = op === "Reshape" && this.waitsFor.length === 0 ? this.asItIs(inputIds[0], inputIds[1]) : null;
    if (asItIs) return asItIs;
    const held = inputIds.map((id) => this.lookUp(id));
    const inputs = held.map((known) => (known.dtype === DT.bfloat16 ? { ...known, dtype: DT.float32 } : known));
    const sources = held.map(({ source }) => source);
    const isHalf = (i: number): boolean => held[i].dtype === DT.bfloat16;
    const name = `${op}_${this.nodes.length}`;
    const attributes = inferredAttributes(
      op,
      given,
      inputs.map(({ dtype }) => dtype),
    );
    for (const attribute of given) {
      const value = convertAttribute(this.binding, attribute);
      if (value !== null) attributes[attribute.name] = value;
    }
    if (op === "Identity" && isHalf(0)) {
      this.nodes.push({
        name,
        op,
        inputs: [...sources, ...this.waitsFor],
        attributes: { T: attrValue.type(DT.bfloat16) },
      });
      return [this.standIn(`${name}:output:0`, { shape: [...held[0].shape], dtype: DT.bfloat16 })];
    }
    const outputs = this.inferred(op, attributes, inputs);
    if (outputs.length !== outputCount)
      throw new TraceError(`trace: ${op} was called for ${outputCount} outputs, TensorFlow tells of ${outputs.length}`);
    const names = outputNames(name, op, given, outputCount);
    if (
      this.options.fusedAdds === true &&
      (op === "Add" || op === "AddV2") &&
      isLargeSum(inputs) &&
      !held.some((_, i) => isHalf(i))
    )
      return this.record("FineR1Add", [], inputIds, 1);
    if (PRODUCT_KERNELS.has(op)) {
      const types = inferredAttributes(
        op,
        given,
        held.map(({ dtype }) => dtype),
      );
      const free = takesAnyType(op);
      const taken = sources.map((source, i) =>
        isHalf(i) && !free[i] ? this.cast(`${name}_in${i}`, source, DT.bfloat16, DT.float32) : source,
      );
      this.nodes.push({
        name,
        op,
        inputs: [...taken, ...this.waitsFor],
        attributes: { ...attributes, ...types, rounds: attrValue.bool(this.options.bf16 === true) },
      });
      return outputs.map((output, i) => this.standIn(names[i], output));
    }
    const inBf16 = (node: Node): TensorHandle[] => {
      this.nodes.push(node);
      return [this.standIn(this.cast(`${name}_out`, names[0], DT.bfloat16, DT.float32), outputs[0])];
    };
    // the rows that are looked up, not the whole table, are widened
    if (op === "GatherV2" && isHalf(0))
      return inBf16({ name, op, inputs: sources, attributes: { ...attributes, Tparams: attrValue.type(DT.bfloat16) } });
    if (this.options.bf16 === true && MATRIX_PRODUCTS.has(op) && outputs[0].dtype === DT.float32) {
      const halves = sources.map((source, i) =>
        isHalf(i) ? source : this.cast(`${name}_in${i}`, source, DT.float32, DT.bfloat16),
      );
      return inBf16({ name, op, inputs: halves, attributes: { ...attributes, T: attrValue.type(DT.bfloat16) } });
    }
    // A weight is widened when the kernel's other inputs are there: arguments are there from the start, and all at once
    // would be the whole model.
    const others = this.following(sources.filter((_, i) => !isHalf(i)));
    const widened = sources.map((source, i) =>
      isHalf(i) ? this.cast(`${name}_in${i}`, source, DT.bfloat16, DT.float32, others) : source,
    );
    // of shapes one after the other the last one counts
    const unshaped =
      op === "Reshape" && this.waitsFor.length === 0 && !isHalf(0) ? (held[0].unshaped ?? sources[0]) : undefined;
    this.nodes.push({
      name,
      op,
      inputs: [...(unshaped === undefined ? widened : [unshaped, ...widened.slice(1)]), ...this.waitsFor],
      attributes,
    });
    return outputs.map((output, i) => this.standIn(names[i], output, unshaped));
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

/** Whether a function is being recorded. */
export const isRecording = (): boolean => active !== null;

/** Whether a function is being recorded that XLA is to compile: it knows TensorFlow's own ops only. */
export const recordsForXla = (): boolean => active?.options.xla === true;

/** The same values; in a compiled function they are there only after `dependency` has been computed. */
export function runAfter(x: Tensor, dependency: Tensor): Tensor {
  if (!active) return tf.clone(x);
  const backend = nativeBackend();
  const [id] = backend.getInputTensorIds([dependency]);
  const type = { name: "T", type: backend.binding.TF_ATTR_TYPE, value: typeNumber(x) };
  return active.after(id, () =>
    tensorOf(backend.binding.executeOp("Identity", [type], backend.getInputTensorIds([x]), 1)[0]),
  );
}
