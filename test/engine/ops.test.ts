import { describe, expect, it } from "vitest";
import { packRows, padRows, permuteRows } from "../../lib/engine/gather";
import { linear } from "../../lib/engine/linear";
import { geluExact, rmsNorm, rotary, rotaryTablesOf, swiglu } from "../../lib/engine/ops";
import { random } from "../../lib/util/random";
import { tf, type Tensor } from "../../lib/engine/tensorflow";

const draw = (seed: number, shape: number[]): Tensor => {
  const rng = random(seed);
  return tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng.normal()),
    shape,
  );
};

/** Compares the gradient of Σ weights·f(inputs) with central differences at every element of every input. */
function checkGradient(f: (...inputs: Tensor[]) => Tensor, inputs: Tensor[]): void {
  const probe = f(...inputs);
  const weights = draw(99, probe.shape);
  const loss = (...xs: Tensor[]): tf.Scalar =>
    tf.tidy(
      () =>
        f(...xs)
          .mul(weights)
          .sum() as tf.Scalar,
    );
  const gradients = tf.grads(loss)(inputs);
  const step = 1e-2;
  inputs.forEach((input, which) => {
    const values = input.dataSync();
    const analytic = gradients[which].dataSync();
    for (let i = 0; i < values.length; i++) {
      const at = (delta: number): number =>
        tf.tidy(
          () =>
            loss(
              ...inputs.map((x, j) =>
                j === which
                  ? tf.tensor(
                      Float32Array.from(values, (v, k) => (k === i ? v + delta : v)),
                      x.shape,
                    )
                  : x,
              ),
            ).dataSync()[0],
        );
      const numeric = (at(step) - at(-step)) / (2 * step);
      expect(
        Math.abs(numeric - analytic[i]),
        `input ${which}, element ${i}: ${numeric} against ${analytic[i]}`,
      ).toBeLessThan(5e-3 * Math.max(1, Math.abs(numeric)));
    }
  });
  tf.dispose([probe, weights, ...gradients]);
}

// tokens in the padded places 0, 1 and 3 of five; four packed places, the last free
const packing = {
  index: tf.tensor1d([0, 1, 3, 0], "int32"),
  packed: tf.tensor1d([1, 1, 1, 0]),
  place: tf.tensor1d([0, 1, 0, 2, 0], "int32"),
  padded: tf.tensor1d([1, 1, 0, 1, 0]),
};

describe("gradients agree with finite differences", () => {
  it("linear", () => checkGradient((x, w, b) => linear(x, w, b), [draw(1, [2, 3, 4]), draw(2, [5, 4]), draw(3, [5])]));
  it("rmsNorm", () => checkGradient((x, w) => rmsNorm(x, w, 1e-6), [draw(1, [2, 3, 4]), draw(2, [4])]));
  it("swiglu", () => checkGradient(swiglu, [draw(1, [3, 5]), draw(2, [3, 5])]));
  it("geluExact", () => checkGradient(geluExact, [draw(1, [4, 5])]));
  it("rotary", () => {
    const tables = rotaryTablesOf(draw(5, [2, 3, 1, 2]));
    checkGradient((x) => rotary(x, tables), [draw(1, [2, 3, 2, 4])]);
  });
  it("permuteRows, with masked padding", () => {
    const index = tf.tensor1d([2, 0, 1, 0], "int32");
    const inverse = tf.tensor1d([1, 2, 0], "int32");
    const keep = tf.tensor2d([[1], [1], [1], [0]]);
    checkGradient((x) => permuteRows(x, index, inverse).mul(keep), [draw(1, [3, 2])]);
  });
  it("packRows and padRows, whatever stands in free places", () => {
    checkGradient((x) => packRows(x, packing), [draw(1, [5, 2])]);
    checkGradient((x) => padRows(x, packing), [draw(1, [4, 2])]);
  });
});

describe("values", () => {
  const expectClose = (a: Tensor, b: ArrayLike<number>): void =>
    a.dataSync().forEach((x, i) => expect(x).toBeCloseTo(b[i], 5));

  it("rmsNorm of a hand-worked row", () =>
    expectClose(rmsNorm(tf.tensor2d([[3, 4]]), tf.tensor1d([1, 2]), 0), [3 / Math.sqrt(12.5), 8 / Math.sqrt(12.5)]));
  it("geluExact is x Φ(x), not its tanh approximation", () =>
    expectClose(geluExact(tf.tensor1d([-2, 0, 1, 3])), [-0.0455003, 0, 0.8413447, 2.9959503]));
  it("swiglu", () =>
    expectClose(swiglu(tf.tensor1d([1, -2]), tf.tensor1d([3, 5])), [3 / (1 + Math.exp(-1)), -10 / (1 + Math.exp(2))]));
  it("packRows takes the tokens, padRows puts them back", () => {
    expectClose(packRows(tf.tensor1d([10, 11, 12, 13, 14]), packing), [10, 11, 13, 0]);
    expectClose(padRows(tf.tensor1d([10, 11, 13, 99]), packing), [10, 11, 0, 13, 0]);
  });
  it("rotary turns the pair (x_i, x_{i + d/2}) by the angle", () => {
    const tables = rotaryTablesOf(tf.tensor2d([[Math.PI / 2, 0]]));
    expectClose(rotary(tf.tensor2d([[1, 2, 3, 4]]), tables), [-3, 2, 1, 4]);
  });
  it("linear names both shapes when they don't fit", () =>
    expect(() => linear(tf.zeros([2, 3]), tf.zeros([5, 4]))).toThrow(/\[2, 3\].*\[5, 4\]/));
  it("leaves one tensor behind", () => {
    const inputs = [draw(1, [2, 3, 4]), draw(2, [4])];
    const before = tf.memory().numTensors;
    const y = rmsNorm(inputs[0], inputs[1], 1e-6);
    expect(tf.memory().numTensors).toBe(before + 1);
    const gradients = tf.grads((x, w) => tf.tidy(() => rmsNorm(x, w, 1e-6).sum() as tf.Scalar))(inputs);
    expect(tf.memory().numTensors).toBe(before + 3);
    tf.dispose([y, ...gradients]);
  });
});
