import { describe, expect, it } from "vitest";
import { compile } from "../../lib/engine/compile";
import { callKernel, hasMatrixUnit, usesKernels, withoutKernels } from "../../lib/engine/kernels";
import { linear } from "../../lib/engine/linear";
import { toBf16 } from "../../lib/engine/precision";
import { isNative, tf, type Tensor } from "../../lib/engine/tensorflow";
import { draw } from "../helpers/kernel-parity";

/** `x · weightᵀ + bias` in float64, and how far `y` is from it, in the norm. */
function error(
  y: Tensor,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  rounded: (value: number) => number = (value) => value,
): number {
  const [[rows, size], out] = [x.shape, weight.shape[0]];
  const [a, b, values] = [Array.from(x.dataSync(), rounded), Array.from(weight.dataSync(), rounded), y.dataSync()];
  let [wrong, norm] = [0, 0];
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < out; j++) {
      let sum = bias ? bias.dataSync()[j] : 0;
      for (let k = 0; k < size; k++) sum += a[i * size + k] * b[j * size + k];
      wrong += (values[i * out + j] - sum) ** 2;
      norm += sum ** 2;
    }
  }
  return Math.sqrt(wrong / norm);
}

/** The nearest bfloat16: the upper 16 bits of a float32, a tie to the even one. */
function nearestBf16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer);
  bits[0] = ((bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) & 0xffff0000) >>> 0;
  return new Float32Array(bits.buffer)[0];
}

describe("linear", () => {
  const [x, weight, bias] = [draw(1, [64, 1000]), draw(2, [48, 1000]), draw(3, [48])];

  it("has float32's accuracy", () => {
    expect(error(linear(x, weight), x, weight, null)).toBeLessThan(5e-7);
    expect(error(linear(x, weight, bias), x, weight, bias)).toBeLessThan(5e-7);
  });

  it.skipIf(!isNative)(
    "of bfloat16 multiplies rounded numbers and adds in float32, whether or not the weights are held in it",
    () => {
      const run = compile((a: Tensor, w: Tensor, b: Tensor) => linear(a, w, b), { bf16: true });
      const held = compile(toBf16)(weight);
      const y = run(x, weight, bias);
      // TensorFlow's product is rounded once more, to bfloat16
      expect(error(y, x, weight, bias, nearestBf16)).toBeLessThan(usesKernels() ? 1e-5 : 1e-2);
      expect(run(x, held, bias).dataSync()).toEqual(y.dataSync());
    },
  );

  it.skipIf(!isNative)("of float32 and weights held in bfloat16 widens them", () => {
    const held = compile(toBf16)(weight);
    const y = compile((a: Tensor, w: Tensor) => linear(a, w))(x, held);
    expect(error(y, x, tf.tensor(weight.dataSync().map(nearestBf16), weight.shape), null)).toBeLessThan(5e-7);
  });

  const infinite = tf.tensor2d([
    [1, 2],
    [Infinity, 1],
    [3, 4],
    [Infinity, -Infinity],
  ]);
  const columns = tf.tensor2d([
    [1, 1],
    [-1, 0],
    [0, 1],
  ]);
  const expected = [
    [3, -1, 2],
    [Infinity, -Infinity, NaN],
    [7, -3, 4],
    [NaN, NaN, NaN],
  ];

  it("of infinite numbers is not finite, and other rows are untouched", () => {
    const rows = linear(infinite, columns).arraySync() as number[][];
    for (const i of [0, 2]) expect(rows[i]).toEqual(expected[i]);
    for (const i of [1, 3]) expect(rows[i].some(Number.isFinite)).toBe(false);
  });

  it("of an infinite weight is not finite, and other columns are untouched", () => {
    const [row, other] = linear(
      tf.tensor2d([
        [1, 2],
        [-3, 1],
      ]),
      tf.tensor2d([
        [1, 1],
        [Infinity, 0],
        [0, 1],
      ]),
    ).arraySync() as number[][];
    expect([row[0], row[2], other[0], other[2]]).toEqual([3, 2, -2, 1]);
    for (const value of [row[1], other[1]]) expect(Number.isFinite(value)).toBe(false);
  });

  // the first of a number's three parts is the nearest bfloat16, which is infinite
  it.skipIf(!hasMatrixUnit())("of numbers above bfloat16's largest is not finite on AMX", () => {
    const rows = linear(
      tf.tensor2d([
        [3.4e38, 0],
        [3.38e38, 0],
        [1, 2],
      ]),
      tf.tensor2d([
        [1, 1],
        [-1, 0],
      ]),
    ).arraySync() as number[][];
    expect(rows[0].some(Number.isFinite)).toBe(false);
    expect(rows.slice(1)).toEqual([
      [Math.fround(3.38e38), -Math.fround(3.38e38)],
      [3, -1],
    ]);
  });

  it.skipIf(!isNative)("of infinite numbers is the same in bfloat16", () => {
    expect(compile((a: Tensor, w: Tensor) => linear(a, w), { bf16: true })(infinite, columns).arraySync()).toEqual(
      expected,
    );
  });
});

describe.skipIf(!usesKernels())("the kernel for products", () => {
  const call = (
    a: number[],
    b: number[],
    bias: number[],
    transposed = { transpose_a: false, transpose_b: true },
  ): Tensor => callKernel("MatMul", [tf.ones(a), tf.ones(b), tf.ones(bias)], 1, { ...transposed, rounds: false })[0];

  it("says which inputs don't fit", () => {
    expect(() => call([2, 3], [4, 5], [0])).toThrow("FineR1MatMul: a [2,3] against b [4,5], transposed");
    expect(() => call([2, 3], [4, 3], [0], { transpose_a: true, transpose_b: false })).toThrow(
      "a [2,3], transposed, against b [4,3]",
    );
    expect(() => call([2, 3], [4, 3], [3])).toThrow("bias is [3]; expected [4] or no number");
    expect(() => call([2, 3, 1], [4, 3], [0])).toThrow("input 0 is [2,3,1]; expected rank 2");
  });

  it("multiplies every order of the matrices, and empty ones", () => {
    const [a, b] = [draw(1, [70, 45]), draw(2, [45, 77])];
    const expected = withoutKernels(() => tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D));
    for (const transpose_a of [false, true]) {
      for (const transpose_b of [false, true]) {
        const [y] = callKernel(
          "MatMul",
          [transpose_a ? tf.transpose(a) : a, transpose_b ? tf.transpose(b) : b, tf.zeros([0])],
          1,
          { transpose_a, transpose_b, rounds: false },
        );
        expect(tf.norm(tf.sub(y, expected)).dataSync()[0], `${transpose_a}, ${transpose_b}`).toBeLessThan(
          1e-6 * tf.norm(expected).dataSync()[0],
        );
      }
    }
    expect(call([2, 0], [3, 0], [3]).arraySync()).toEqual([
      [1, 1, 1],
      [1, 1, 1],
    ]);
    expect(call([2, 0], [3, 0], [0]).arraySync()).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(call([0, 4], [3, 4], [0]).shape).toEqual([0, 3]);
  });
});
