import { describe, expect, it } from "vitest";
import { compile } from "../../lib/engine/compile";
import { fuseSums } from "../../lib/engine/fuse";
import { gatherRows } from "../../lib/engine/gather";
import { kernelInstructionSet } from "../../lib/engine/kernels";
import { linear } from "../../lib/engine/linear";
import { rmsNorm } from "../../lib/engine/ops";
import type { Node } from "../../lib/engine/proto";
import { swigluMlp, type LinearLayer } from "../../lib/engine/swiglu-mlp";
import { tf, type Tensor } from "../../lib/engine/tensorflow";
import { draw } from "../helpers/kernel-parity";

const node = (name: string, op: string, ...inputs: string[]): Node => ({ name, op, inputs, attributes: {} });
const product = (name: string, ...inputs: string[]): Node => node(name, "FineR1MatMul", ...inputs);
const sum = (name: string, a: string, b: string): Node => node(name, "FineR1Add", a, b);
const brief = ({ nodes, results }: ReturnType<typeof fuseSums>): string[] => [
  ...nodes.map(({ name, inputs }) => `${name}: ${inputs.join(" ")}`),
  results.join(" "),
];

describe("fuseSums", () => {
  it("puts a sum into the product before it, and results where they come from now", () => {
    expect(brief(fuseSums([product("p", "w", "x"), sum("s", "x", "p:product:0")], ["s:y:0"]))).toEqual([
      "p: w x x",
      "p:product:0",
    ]);
  });

  it("puts a sum into the later of two products, and chains them", () => {
    const nodes = [
      product("p", "a"),
      product("q", "b"),
      product("r", "c"),
      sum("s", "p:product:0", "q:product:0"),
      sum("t", "r:product:0", "s:y:0"),
    ];
    expect(brief(fuseSums(nodes, ["t:y:0"]))).toEqual(["p: a", "q: b p:product:0", "r: c q:product:0", "r:product:0"]);
  });

  it("goes through reshapes, and leaves what waits for the product behind the sum's other side", () => {
    const nodes = [
      product("p", "a", "^z"),
      node("n", "Reshape", "p:product:0", "shape"),
      sum("s", "n:output:0", "x"),
      node("after", "Identity", "s:y:0", "^s"),
    ];
    expect(brief(fuseSums(nodes, ["after:output:0"]))).toEqual([
      "p: a x ^z",
      "n: p:product:0 shape",
      "after: n:output:0 ^n",
      "after:output:0",
    ]);
  });

  it("leaves a sum whose product somebody else reads, whose other side comes later, or whose kernel has started elsewhere", () => {
    const twice = [product("p", "a"), sum("s", "p:product:0", "x")];
    expect(brief(fuseSums(twice, ["s:y:0", "p:product:0"]))).toEqual(["p: a", "s: p:product:0 x", "s:y:0 p:product:0"]);
    const later = [product("p", "a"), node("m", "Mul", "b", "c"), sum("s", "p:product:0", "m:z:0")];
    expect(brief(fuseSums(later, ["s:y:0"]))).toEqual(["p: a", "m: b c", "s: p:product:0 m:z:0", "s:y:0"]);
    const again = [product("p", "a"), sum("s", "p:product:0", "x"), sum("t", "s:y:0", "y")];
    expect(brief(fuseSums(again, ["t:y:0"]))).toEqual(["p: a x", "t: p:product:0 y", "t:y:0"]);
  });

  it("leaves the nodes that it is given as they were", () => {
    const nodes = [product("p", "a"), sum("s", "p:product:0", "x")];
    fuseSums(nodes, ["s:y:0"]);
    expect(nodes[0]).toEqual(product("p", "a"));
  });
});

describe.skipIf(kernelInstructionSet() === null)("sums in compiled functions", () => {
  const [rows, width] = [300, 64];
  const relative = (a: Tensor, b: Tensor): number =>
    tf.tidy(() => tf.div(tf.norm(tf.sub(a, b)), tf.norm(b)).dataSync()[0]);

  it("of every kernel that starts from them are what they are one by one, gradients too", () => {
    const layer = (seed: number, out: number, from: number): LinearLayer => ({
      weight: draw(seed, [out, from], 0.1),
      bias: draw(seed + 1, [out]),
    });
    const [mixing, gate, up, down] = [
      layer(1, width, width),
      layer(3, 80, width),
      layer(5, 80, width),
      layer(7, width, 80),
    ];
    const index = tf.tensor1d(
      Array.from({ length: rows }, (_, i) => (i * 7) % rows),
      "int32",
    );
    // residuals around a product with a bias and around a SwiGLU layer; a gradient that comes from three products, from
    // a norm and from a look-up
    const block = (x: Tensor, w: Tensor): Tensor => {
      const h = rmsNorm(x, w, 1e-6);
      const mixed = [mixing.weight, gate.weight, up.weight]
        .map((weight) => linear(h, weight).sum())
        .reduce((a, b) => a.add(b))
        .add(linear(h, mixing.weight, mixing.bias));
      const y = x.add(linear(h, mixing.weight, mixing.bias)).add(mixed);
      const z = y.add(swigluMlp(rmsNorm(y, w, 1e-6), gate, up, down));
      return z.add(gatherRows(x, index)).mul(draw(20, [rows, width]));
    };
    const all = (x: Tensor, w: Tensor): Tensor[] => [
      block(x, w),
      ...tf.grads((a: Tensor, b: Tensor) => block(a, b).sum())([x, w]),
    ];
    const inputs: [Tensor, Tensor] = [draw(9, [rows, width]), draw(10, [width])];
    const [compiled, eager] = [compile(all)(...inputs), all(...inputs)];
    expect(compiled).toHaveLength(3);
    compiled.forEach((value, i) => expect(relative(value, eager[i]), `output ${i}`).toBeLessThan(2e-6));
  });

  it("leave what they start from as it was", () => {
    const x = draw(1, [rows, width]);
    const before = x.arraySync();
    const run = compile((a: Tensor, w: Tensor) => a.add(linear(a, w)));
    run(x, draw(2, [width, width]));
    run(x, draw(2, [width, width]));
    expect(x.arraySync()).toEqual(before);
  });
});

describe.skipIf(kernelInstructionSet() === null)("rows by an index outside the table", () => {
  it("are an error that names the place", () => {
    expect(() => gatherRows(draw(1, [4, 3]), tf.tensor1d([0, 4], "int32")).dataSync()).toThrow(
      /index 1 is 4, of 4 rows/,
    );
  });
});
