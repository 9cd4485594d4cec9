import { describe, expect, it } from "vitest";
import { compile, type CompileOptions } from "../../lib/engine/compile";
import { callKernel, usesKernels, withoutKernels } from "../../lib/engine/kernels";
import { linear } from "../../lib/engine/linear";
import { swiglu } from "../../lib/engine/ops";
import { toBf16 } from "../../lib/engine/precision";
import { swigluMlp } from "../../lib/engine/swiglu-mlp";
import { isNative, tf, type Tensor } from "../../lib/engine/tensorflow";
import { draw } from "../helpers/kernel-parity";

/** [x, gate, up, down, and a bias of each]: numbers of a size near 1. */
function drawn(rows: number, width: number, inner: number, out: number): Tensor[] {
  const weight = (seed: number, to: number, from: number): Tensor => draw(seed, [to, from], 1 / Math.sqrt(from));
  return [
    draw(1, [rows, width]),
    weight(2, inner, width),
    weight(3, inner, width),
    weight(4, out, inner),
    draw(5, [inner]),
    draw(6, [inner]),
    draw(7, [out]),
  ];
}

type Layer = (...inputs: Tensor[]) => Tensor;
const fused: Layer = (x, gate, up, down, gateBias = null!, upBias = null!, downBias = null!) =>
  swigluMlp(x, { weight: gate, bias: gateBias }, { weight: up, bias: upBias }, { weight: down, bias: downBias });
const composed: Layer = (x, gate, up, down, gateBias = null!, upBias = null!, downBias = null!) =>
  linear(swiglu(linear(x, gate, gateBias), linear(x, up, upBias)), down, downBias);

/** Value and every input's gradient, for a fixed gradient of the value. */
const withGradients =
  (f: Layer) =>
  (...inputs: Tensor[]): Tensor[] => [
    f(...inputs),
    ...tf.grads((...given: Tensor[]) => tf.sum(tf.mul(f(...given), draw(9, [inputs[0].shape[0], inputs[3].shape[0]]))))(
      inputs,
    ),
  ];

const far = (a: Tensor, b: Tensor): number => tf.tidy(() => tf.div(tf.norm(tf.sub(a, b)), tf.norm(b)).dataSync()[0]);
const bits = (outputs: Tensor[]): unknown[] => outputs.map((x) => x.dataSync());
const furthest = (a: Tensor[], b: Tensor[]): number => Math.max(...a.map((x, i) => far(x, b[i])));

describe("the SwiGLU layer", () => {
  it("by hand: one number in, between and out", () => {
    const inputs = [[2], [0.5], [3], [-1]].map((value) => tf.tensor2d([value]));
    const sigma = 1 / (1 + Math.exp(-1));
    const slope = sigma * (1 + 1 - sigma);
    const [y, dx, dGate, dUp, dDown] = [fused(...inputs), ...tf.grads(fused)(inputs)].map((x) => x.dataSync()[0]);
    // gate x = 1, up x = 6, so y = -silu(1) 6
    expect(y).toBeCloseTo(-6 * sigma, 5);
    expect(dx).toBeCloseTo(-(slope * 0.5 * 6 + sigma * 3), 5);
    expect(dGate).toBeCloseTo(-slope * 2 * 6, 5);
    expect(dUp).toBeCloseTo(-sigma * 2, 5);
    expect(dDown).toBeCloseTo(sigma * 6, 5);
  });

  it("has gradients that finite differences confirm", () => {
    const inputs = drawn(4, 5, 7, 3);
    const gradients = tf.grads((...given: Tensor[]) => tf.sum(fused(...given)))(inputs);
    inputs.forEach((x, i) => {
      const direction = draw(20 + i, x.shape);
      const at = (step: number): number =>
        tf.sum(fused(...inputs.map((y, j) => (i === j ? y.add(direction.mul(step)) : y)))).dataSync()[0];
      const slope = tf.sum(gradients[i].mul(direction)).dataSync()[0];
      expect(Math.abs((at(0.01) - at(-0.01)) / 0.02 - slope), `input ${i}`).toBeLessThan(
        1e-2 * Math.max(1, Math.abs(slope)),
      );
    });
  });

  it.each([
    ["wider than the kernel's", [3, 513, 20, 6]],
    ["with more between than the kernel's", [3, 6, 4097, 5]],
  ] as const)("%s is the composition", (_, sizes) => {
    const inputs = drawn(...(sizes as unknown as [number, number, number, number]));
    expect(
      furthest(
        withGradients(fused)(...inputs),
        withoutKernels(() => withGradients(composed)(...inputs)),
      ),
    ).toBeLessThan(3e-6);
  });

  it("of extreme numbers is finite where the composition is", () => {
    const inputs = [
      tf.tensor2d([[200], [-200], [0], [1e4], [-1e4]]),
      ...[1, 1, 1].map((value) => tf.tensor2d([[value]])),
    ];
    expect(Array.from(fused(...inputs).dataSync())).toEqual(
      [40000, 0, 0, 1e8, 0].map((value) => expect.closeTo(value, 1)),
    );
    for (const gradient of tf.grads(fused)(inputs)) expect(gradient.dataSync().every(Number.isFinite)).toBe(true);
  });

  it("of no row is empty; of what doesn't fit says so", () => {
    const [, ...layers] = drawn(1, 5, 7, 3);
    expect(fused(tf.zeros([0, 5]), ...layers).shape).toEqual([0, 3]);
    expect(fused(tf.zeros([2, 0, 5]), ...layers).shape).toEqual([2, 0, 3]);
    expect(() => fused(tf.ones([2, 4]), ...layers)).toThrow("linear: input [2, 4] against weight [7, 5]");
  });

  it("makes an infinite row not finite, and leaves others as they are", () => {
    const [x, ...layers] = drawn(40, 5, 7, 3);
    const changed = tf.concat([tf.fill([1, 5], Infinity), tf.slice(x, [1, 0])]);
    const [before, after] = [x, changed].map((rows) => fused(rows, ...layers));
    expect(tf.slice(after, [0, 0], [1, -1]).dataSync().some(Number.isFinite)).toBe(false);
    expect(tf.slice(after, [1, 0]).dataSync()).toEqual(tf.slice(before, [1, 0]).dataSync());
  });

  it("leaves no tensor behind, and gives the same bits again", () => {
    const inputs = drawn(300, 40, 150, 20);
    const first = bits(withGradients(fused)(...inputs));
    const before = tf.memory().numTensors;
    for (let i = 0; i < 3; i++) {
      const again = tf.tidy(() => withGradients(fused)(...inputs));
      expect(bits(again)).toEqual(first);
      tf.dispose(again);
      tf.dispose(fused(...inputs));
    }
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe.skipIf(!isNative)("the SwiGLU layer, compiled", () => {
  const inputs = drawn(70, 40, 150, 45);
  const [x, , , , ...biases] = inputs;
  const run = (options: CompileOptions, given: Tensor[]): Tensor[] =>
    compile((...all: Tensor[]) => withGradients(fused)(...all), options)(...given);
  const exact = withoutKernels(() => withGradients(composed)(...inputs));
  const held = (): Tensor[] => inputs.slice(1, 4).map((weight) => compile(toBf16)(weight));

  it("equals the composition, and for XLA is the composition", () => {
    expect(furthest(run({}, inputs), exact)).toBeLessThan(3e-6);
    expect(furthest(run({ xla: true }, inputs), exact)).toBeLessThan(1e-5);
  });

  it("in bfloat16 is near it, whether or not the weights are held in it", () => {
    const rounded = run({ bf16: true }, inputs);
    const error = furthest(rounded, exact);
    expect(error).toBeLessThan(1e-2);
    expect(error).toBeGreaterThan(1e-4);
    expect(bits(run({ bf16: true }, [x, ...held(), ...biases]))).toEqual(bits(rounded));
  });

  it("of weights held in bfloat16 is what rounded weights give, also where some are", () => {
    const [gate, up, down] = held();
    const widened = [gate, up, down].map((weight) => compile((w: Tensor) => w.mul(1))(weight));
    expect(far(widened[0], inputs[1])).toBeGreaterThan(1e-4);
    const expected = run({}, [x, ...widened, ...biases]);
    expect(bits(run({}, [x, gate, up, down, ...biases]))).toEqual(bits(expected));
    expect(furthest(run({}, [x, gate, widened[1], down, ...biases]), expected)).toBeLessThan(3e-6);
  });
});

describe.skipIf(!usesKernels())("the kernel for the SwiGLU layer", () => {
  const call = (...shapes: number[][]): Tensor =>
    callKernel(
      "SwiGluMlp",
      shapes.map((shape) => tf.ones(shape)),
      2,
      { rounds: false, keeps: false },
    )[0];

  it("says which inputs don't fit", () => {
    expect(() => call([2, 3], [4, 5], [4, 5], [6, 4], [0], [0], [0])).toThrow(
      "FineR1SwiGluMlp: x [2,3] against gate [4,5] and down [6,4]",
    );
    expect(() => call([2, 5], [4, 5], [4, 5], [6, 3], [0], [0], [0])).toThrow(
      "x [2,5] against gate [4,5] and down [6,3]",
    );
    expect(() => call([2, 5], [4, 5], [3, 5], [6, 4], [0], [0], [0])).toThrow("inputs 1 and 2 are [4,5] and [3,5]");
    expect(() => call([2, 5, 1], [4, 5], [4, 5], [6, 4], [0], [0], [0])).toThrow("input 0 is [2,5,1]; expected rank 2");
    expect(() => call([2, 5], [4, 5], [4, 5], [6, 4], [0], [5], [0])).toThrow("bias is [5]; expected [4] or no number");
    expect(() => call([2, 5], [4, 5], [4, 5], [6, 4], [0], [0], [4])).toThrow("bias is [4]; expected [6] or no number");
    const given = [[2, 7], [2, 5], [4, 5], [4, 5], [6, 4], [0], [0], [0], [0]].map((shape) => tf.ones(shape));
    expect(() => callKernel("SwiGluMlpGrad", given, 6, { rounds: false })).toThrow("FineR1SwiGluMlpGrad: dy is [2,7]");
    const kept = [[2, 6], ...given.slice(1, 8).map(({ shape }) => shape), [2, 8]].map((shape) => tf.ones(shape));
    expect(() => callKernel("SwiGluMlpGrad", kept, 6, { rounds: false })).toThrow("FineR1SwiGluMlpGrad: kept is [2,8]");
  });
});
