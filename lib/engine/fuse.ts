/**
 * Sums that a kernel takes in: `FineR1Add` of a product, a SwiGLU layer, the gradient of a norm or of a look-up becomes
 * what that kernel starts from (its input `start`). So a residual, and a gradient that comes from several sides, is not
 * written and read once more.
 */
import { attrValue, type Node } from "./proto";

/** The output that starts from `start`, the last input, by op. */
const STARTING: Record<string, string> = {
  FineR1MatMul: "product:0",
  FineR1SwiGluMlp: "y:0",
  FineR1RmsNormGrad: "dx:0",
  FineR1ScatterRows: "dx:0",
};

const isControl = (input: string): boolean => input.startsWith("^");
const nodeOf = (source: string): string => source.split(":")[0];

/**
 * The same function with fewer sums. A sum goes into the later of its two sides, through reshapes, where that is a
 * kernel which can start from another tensor and nobody else reads that side.
 * @param nodes in an order in which each comes after its inputs
 * @param results where the function's results come from
 */
export function fuseSums(nodes: readonly Node[], results: readonly string[]): { nodes: Node[]; results: string[] } {
  const place = new Map(nodes.map(({ name }, i) => [name, i]));
  const uses = new Map<string, number>();
  for (const source of [...nodes.flatMap(({ inputs }) => inputs), ...results])
    uses.set(source, (uses.get(source) ?? 0) + 1);
  const fused = nodes.map((node) => ({ ...node }));
  const given = new Map<string, string>(); // what stands for the output of a sum that is gone
  const started = new Set<string>();
  const standsFor = (source: string): string => given.get(source) ?? source;
  /** The kernel behind `side` that can start from a tensor. */
  const starting = (side: string): Node | null => {
    for (let source = side; uses.get(source) === 1;) {
      const node = fused[place.get(nodeOf(source)) ?? -1];
      if (node?.op === "Reshape") source = node.inputs[0];
      else return node && source === `${node.name}:${STARTING[node.op]}` && !started.has(node.name) ? node : null;
    }
    return null;
  };
  for (const [i, sum] of nodes.entries()) {
    fused[i].inputs = sum.inputs.map((input) =>
      isControl(input) ? `^${nodeOf(standsFor(`${input.slice(1)}:y:0`))}` : standsFor(input),
    );
    if (sum.op !== "FineR1Add" || fused[i].inputs.length !== 2) continue;
    const sides = fused[i].inputs;
    for (const [own, other] of [sides, [...sides].reverse()]) {
      const kernel = starting(own);
      if (!kernel || (place.get(nodeOf(other)) ?? -1) >= place.get(kernel.name)!) continue;
      const firstControl = kernel.inputs.findIndex(isControl);
      kernel.inputs =
        firstControl < 0
          ? [...kernel.inputs, other]
          : [...kernel.inputs.slice(0, firstControl), other, ...kernel.inputs.slice(firstControl)];
      kernel.attributes = { ...kernel.attributes, starts: attrValue.int(1) };
      started.add(kernel.name);
      const output = `${sum.name}:y:0`;
      given.set(output, own);
      uses.set(own, uses.get(output) ?? 0);
      break;
    }
  }
  return {
    nodes: fused.filter(({ name, op }) => op !== "FineR1Add" || !given.has(`${name}:y:0`)),
    results: results.map(standsFor),
  };
}
