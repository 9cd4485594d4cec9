/** Builders for the protocol buffers of a TensorFlow function (function.proto, node_def.proto, attr_value.proto). */
/* eslint-disable @typescript-eslint/no-require-imports -- generated CommonJS without types */
/* eslint-disable @typescript-eslint/no-explicit-any -- generated messages */
let cached: any = null;
/** tfjs-node's generated messages; loaded on first use, since they need the native package. */
export function messages(): any {
  cached ??= require("@tensorflow/tfjs-node-gpu/dist/proto/api_pb.js");
  return cached;
}

export type AttrValue = any;

function shapeMessage(shape: readonly number[]): any {
  const pb = messages();
  const message = new pb.TensorShape();
  message.setDimList(
    shape.map((size) => {
      const dim = new pb.TensorShape.Dim();
      dim.setSize(size);
      return dim;
    }),
  );
  return message;
}

const attr = (fill: (value: any) => void): AttrValue => {
  const value = new (messages().AttrValue)();
  fill(value);
  return value;
};

/** Attribute values by kind. */
export const attrValue = {
  type: (dtype: number) => attr((a) => a.setType(dtype)),
  bool: (value: boolean) => attr((a) => a.setB(value)),
  int: (value: number) => attr((a) => a.setI(value)),
  float: (value: number) => attr((a) => a.setF(value)),
  string: (value: string) => attr((a) => a.setS(Buffer.from(value))),
  shape: (value: readonly number[]) => attr((a) => a.setShape(shapeMessage(value))),
  ints: (values: readonly number[]) => attr((a) => a.setList(listOf((list) => list.setIList(values)))),
  types: (values: readonly number[]) => attr((a) => a.setList(listOf((list) => list.setTypeList(values)))),
  func: (name: string) =>
    attr((a) => {
      const func = new (messages().NameAttrList)();
      func.setName(name);
      a.setFunc(func);
    }),
  tensor: (dtype: number, shape: readonly number[], bytes: Uint8Array) =>
    attr((a) => {
      const tensor = new (messages().Tensor)();
      tensor.setDtype(dtype);
      tensor.setTensorShape(shapeMessage(shape));
      tensor.setTensorContent(bytes);
      a.setTensor(tensor);
    }),
};

function listOf(fill: (list: any) => void): any {
  const list = new (messages().AttrValue.ListValue)();
  fill(list);
  return list;
}

/**
 * One node of a function body: inputs are `argument`, or `node:output_arg:index`, and last `^node` for what must have
 * run before.
 */
export interface Node {
  name: string;
  op: string;
  inputs: string[];
  attributes: Record<string, AttrValue>;
}

/**
 * A function: `args` and `results` hold TensorFlow's data types by position; `returns[i]` names where result `i` comes
 * from.
 */
export interface FunctionSpec {
  name: string;
  args: { name: string; dtype: number }[];
  results: { dtype: number; source: string }[];
  nodes: Node[];
  attributes?: Record<string, AttrValue>;
}

function nodeDef({ name, op, inputs, attributes }: Node): any {
  const message = new (messages().NodeDef)();
  message.setName(name);
  message.setOp(op);
  message.setInputList(inputs);
  const map = message.getAttrMap();
  for (const [key, value] of Object.entries(attributes)) map.set(key, value);
  return message;
}

/** A version of graphs that all of today's ops know; below it some would follow rules of their first years. */
const PRODUCER = 1395;

/** Serializes a GraphDef; its nodes' inputs are names of nodes. */
export function graphDef(nodes: readonly Node[]): Uint8Array {
  const pb = messages();
  const def = new pb.GraphDef();
  def.setNodeList(nodes.map(nodeDef));
  const versions = new pb.VersionDef();
  versions.setProducer(PRODUCER);
  def.setVersions(versions);
  return def.serializeBinary() as Uint8Array;
}

/** Serializes a FunctionDef. */
export function functionDef(spec: FunctionSpec): Uint8Array {
  const pb = messages();
  const def = new pb.FunctionDef();
  const signature = new pb.OpDef();
  signature.setName(spec.name);
  const argument = (name: string, dtype: number): any => {
    const arg = new pb.OpDef.ArgDef();
    arg.setName(name);
    arg.setType(dtype);
    return arg;
  };
  signature.setInputArgList(spec.args.map((a) => argument(a.name, a.dtype)));
  signature.setOutputArgList(spec.results.map((r, i) => argument(`result${i}`, r.dtype)));
  def.setSignature(signature);
  def.setNodeDefList(spec.nodes.map(nodeDef));
  spec.results.forEach((r, i) => def.getRetMap().set(`result${i}`, r.source));
  for (const [key, value] of Object.entries(spec.attributes ?? {})) def.getAttrMap().set(key, value);
  return def.serializeBinary() as Uint8Array;
}

/** One input or output argument of an op. */
export interface OpArgument {
  name: string;
  /** Attribute that holds its type, or "" for a fixed type. */
  typeAttr: string;
  /** Attribute that holds how many tensors it stands for, or "" for one. */
  numberAttr: string;
}

/** What TensorFlow's registry says of an op. */
export interface OpSignature {
  inputs: OpArgument[];
  outputs: OpArgument[];
}

/** Parses a serialized OpList (`TF_GetAllOpList`). */
export function parseOpList(bytes: Uint8Array): Map<string, OpSignature> {
  const list = messages().OpList.deserializeBinary(bytes);
  const argument = (arg: any): OpArgument => ({
    name: arg.getName(),
    typeAttr: arg.getTypeAttr(),
    numberAttr: arg.getNumberAttr(),
  });
  return new Map(
    list
      .getOpList()
      .map((op: any) => [
        op.getName(),
        { inputs: op.getInputArgList().map(argument), outputs: op.getOutputArgList().map(argument) },
      ]),
  );
}
