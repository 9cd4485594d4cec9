/** TensorFlow's registry of ops: what a node of a function or graph must state beyond what an eager call says. */
import type { Binding, OpAttribute } from "./binding";
import { nativeBackend } from "./native";
import { attrValue, parseOpList, type AttrValue, type OpArgument, type OpSignature } from "./proto";

let signatures: Map<string, OpSignature> | null = null;

/** TensorFlow's own registration of an op. */
function signatureOf(op: string): OpSignature {
  signatures ??= parseOpList(nativeBackend().binding.getOpList!());
  const signature = signatures.get(op);
  if (!signature) throw new Error(`trace: TensorFlow has no op named ${op}`);
  return signature;
}

const copiesOf = (arg: OpArgument, attributes: readonly OpAttribute[]): number | undefined =>
  arg.numberAttr === "" ? 1 : (attributes.find((a) => a.name === arg.numberAttr)?.value as number | undefined);

/** Names of the outputs of one node: `node:output_arg:index` (function.proto). */
export function outputNames(node: string, op: string, attributes: readonly OpAttribute[], count: number): string[] {
  const names: string[] = [];
  for (const arg of signatureOf(op).outputs) {
    const copies = copiesOf(arg, attributes) ?? count;
    for (let i = 0; i < copies; i++) names.push(`${node}:${arg.name}:${i}`);
  }
  if (names.length !== count)
    throw new Error(`trace: ${op} was called for ${count} outputs, its registration gives ${names.length}`);
  return names;
}

/** Attributes that eager execution infers from its inputs and a node must state: types and list lengths. */
export function inferredAttributes(
  op: string,
  given: readonly OpAttribute[],
  inputTypes: readonly number[],
): Record<string, AttrValue> {
  const inferred: Record<string, AttrValue> = {};
  const has = (name: string): boolean =>
    given.some((a) => a.name === name && a.value !== null && a.value !== undefined);
  const { inputs } = signatureOf(op);
  let next = 0;
  for (const arg of inputs) {
    const copies = copiesOf(arg, given) ?? inputTypes.length - (inputs.length - 1); // at most one list among the ops tfjs calls
    if (arg.typeAttr !== "" && !has(arg.typeAttr)) inferred[arg.typeAttr] = attrValue.type(inputTypes[next]);
    if (arg.numberAttr !== "" && !has(arg.numberAttr)) inferred[arg.numberAttr] = attrValue.int(copies);
    next += copies;
  }
  return inferred;
}

/** Of each input of an op, whether its type is for the caller to say. */
export const takesAnyType = (op: string): boolean[] => signatureOf(op).inputs.map(({ typeAttr }) => typeAttr !== "");

/** An attribute as tfjs-node passes it, as a message; null where it has no value. */
export function convertAttribute(binding: Binding, { name, type, value }: OpAttribute): AttrValue | null {
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
      throw new Error(`trace: attribute ${name} has a type (${type}) that tracing does not know`);
  }
}
