/**
 * Nested records, arrays and tuples of tensors ("trees"), flattened to a list and back.
 * Leaves that are not tensors (numbers, strings, booleans, null, undefined) belong to the structure.
 */
import { tf, type Tensor } from "./tensorflow";

/** Anything made of tensors, plain records, arrays and static leaves. */
export type Tree = unknown;

/** A flattened tree: its tensors in order, a key that is equal for trees of equal structure, and the way back. */
export interface FlatTree {
  leaves: Tensor[];
  key: string;
  /**
   * The tensors of a tree of this structure, static leaves too; null where it is another. Much quicker than to flatten
   * it.
   */
  leavesOf(tree: Tree): Tensor[] | null;
  rebuild(leaves: readonly Tensor[]): unknown;
}

/** (Looked up once: modules hand out what they export by getters, which a look at each of many leaves would call.) */
const TensorClass = tf.Tensor;

type Skeleton =
  | { kind: "leaf"; index: number }
  | { kind: "static"; value: unknown }
  | { kind: "array"; items: Skeleton[] }
  | { kind: "record"; keys: string[]; items: Skeleton[] };

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/**
 * Flattens `tree`. Record keys keep their insertion order.
 * @throws Error naming the path of a leaf that is neither a tensor nor a static value (a function, a class instance, a
 * typed array).
 */
export function flatten(tree: Tree): FlatTree {
  const leaves: Tensor[] = [];
  const parts: string[] = [];
  const walk = (node: unknown, path: string): Skeleton => {
    if (node instanceof TensorClass) {
      parts.push("*");
      leaves.push(node);
      return { kind: "leaf", index: leaves.length - 1 };
    }
    if (Array.isArray(node)) {
      parts.push("[");
      const items = node.map((item, i) => walk(item, `${path}[${i}]`));
      parts.push("]");
      return { kind: "array", items };
    }
    if (isRecord(node)) {
      const keys = Object.keys(node);
      parts.push("{");
      const items = keys.map((key) => {
        parts.push(JSON.stringify(key), ":");
        return walk(node[key], `${path}.${key}`);
      });
      parts.push("}");
      return { kind: "record", keys, items };
    }
    if (
      node === null ||
      node === undefined ||
      typeof node === "number" ||
      typeof node === "string" ||
      typeof node === "boolean"
    ) {
      parts.push(
        node === undefined ? "undefined" : typeof node === "number" ? String(node) : JSON.stringify(node),
        ",",
      );
      return { kind: "static", value: node };
    }
    throw new Error(
      `flatten: ${path || "the tree"} is ${typeof node === "object" ? (node as object).constructor?.name : typeof node}; expected tensors, plain records, arrays, numbers, strings, booleans or null`,
    );
  };
  const skeleton = walk(tree, "");
  const collect = (node: Skeleton, other: unknown, into: Tensor[]): boolean => {
    switch (node.kind) {
      case "leaf":
        return other instanceof TensorClass && into.push(other) > 0;
      case "static":
        return Object.is(other, node.value);
      case "array":
        return (
          Array.isArray(other) &&
          other.length === node.items.length &&
          node.items.every((item, i) => collect(item, other[i], into))
        );
      case "record": {
        if (!isRecord(other)) return false;
        const [keys, values] = [Object.keys(other), Object.values(other)];
        return (
          keys.length === node.keys.length &&
          keys.every((key, i) => key === node.keys[i] && collect(node.items[i], values[i], into))
        );
      }
    }
  };
  const build = (node: Skeleton, tensors: readonly Tensor[]): unknown => {
    switch (node.kind) {
      case "leaf":
        return tensors[node.index];
      case "static":
        return node.value;
      case "array":
        return node.items.map((item) => build(item, tensors));
      case "record":
        return Object.fromEntries(node.keys.map((key, i) => [key, build(node.items[i], tensors)]));
    }
  };
  return {
    leaves,
    key: parts.join(""),
    leavesOf: (other) => {
      const found: Tensor[] = [];
      return collect(skeleton, other, found) ? found : null;
    },
    rebuild: (tensors) => {
      if (tensors.length !== leaves.length)
        throw new Error(`rebuild: ${tensors.length} tensors for a tree of ${leaves.length}`);
      return build(skeleton, tensors);
    },
  };
}

/** Disposes every tensor of the given trees. @throws Error as `flatten`, before anything is disposed of that tree */
export function disposeTree(...trees: Tree[]): void {
  for (const tree of trees) {
    const found: Tensor[] = [];
    (collectTensors(tree, found) ? found : flatten(tree).leaves).forEach((leaf) => leaf.dispose());
  }
}

/** The tensors of a tree; false where it has a leaf that is neither a tensor nor static. */
function collectTensors(node: unknown, into: Tensor[]): boolean {
  if (node instanceof TensorClass) return into.push(node) > 0;
  if (Array.isArray(node)) return node.every((item) => collectTensors(item, into));
  if (isRecord(node)) return Object.values(node).every((item) => collectTensors(item, into));
  return (
    node === null ||
    node === undefined ||
    typeof node === "number" ||
    typeof node === "string" ||
    typeof node === "boolean"
  );
}

/** Maps the tensors of a flat record, keeping its keys. */
export function mapParams(
  params: Record<string, Tensor>,
  fn: (tensor: Tensor, name: string) => Tensor,
): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(params).map(([name, tensor]) => [name, fn(tensor, name)]));
}

/** Rows `index` of every tensor of `tree`, along its first axis. */
export function takeRows<T>(tree: T, index: readonly number[]): T {
  const { leaves, rebuild } = flatten(tree);
  const rows = tf.tensor1d([...index], "int32");
  const taken = leaves.map((leaf) => tf.gather(leaf, rows));
  rows.dispose();
  return rebuild(taken) as T;
}
