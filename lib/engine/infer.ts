/**
 * Shapes of a kernel's outputs without running it: TensorFlow's own shape functions, asked about a graph of that one
 * node (`TF_GraphImportGraphDef`).
 */
import type { Binding } from "./binding";
import { attrValue, graphDef, type AttrValue, type Node } from "./proto";

/** What is known of a tensor while tracing. */
export interface Known {
  shape: readonly number[];
  dtype: number;
  /** Its values, little-endian, where they are known: a size, an axis, a list of indices. */
  bytes: Uint8Array | null;
}

/** Shape and data type of an output. */
export interface Inferred {
  shape: number[];
  dtype: number;
}

/** Values of at most this many bytes are shown to the shape functions; those that set sizes are small. */
const SHOWN = 1024;

/**
 * A function that infers outputs; equal questions (layers repeat) are asked once.
 * @throws Error (from that function) as TensorFlow words it where shapes don't fit, and where a result's shape can't be
 * told
 */
export function createInference(
  binding: Binding,
): (op: string, attributes: Record<string, AttrValue>, inputs: readonly Known[]) => readonly Inferred[] {
  const answers = new Map<string, readonly Inferred[]>();
  return (op, attributes, inputs) => {
    const given = inputs.map(({ shape, dtype, bytes }, i): Node => {
      const shown = bytes !== null && bytes.length <= SHOWN;
      return {
        name: `i${i}`,
        op: shown ? "Const" : "Placeholder",
        inputs: [],
        attributes: {
          dtype: attrValue.type(dtype),
          ...(shown ? { value: attrValue.tensor(dtype, shape, bytes) } : { shape: attrValue.shape(shape) }),
        },
      };
    });
    const question = graphDef([...given, { name: "node", op, inputs: given.map(({ name }) => name), attributes }]);
    const key = Buffer.from(question).toString("latin1");
    const known = answers.get(key);
    if (known) return known;
    const answer = binding.inferShapes!(question, "node").map(({ shape, dtype }): Inferred => {
      if (shape !== null && shape.every((size) => size >= 0)) return { shape, dtype };
      throw new Error(
        `the shape of its result, ${shape === null ? "of unknown rank" : `[${shape.join(", ")}]`}, depends on values; compile what comes before and after it`,
      );
    });
    answers.set(key, answer);
    return answer;
  };
}
