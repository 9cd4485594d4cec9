import { describe, expect, it } from "vitest";
import { compile } from "../../lib/engine/compile";
import { tf } from "../../lib/engine/tensorflow";
import { tokenLogProbs } from "../../lib/loss/log-probs";
import { distance, gradient, numericalGradient } from "./differences";

const logits = (): tf.Tensor2D =>
  tf.tensor2d([
    [1, 2, 3, 0.5],
    [-1, 0, 2, 2],
    [0.3, 0.1, -0.7, 1.2],
  ]);
const targets = (): tf.Tensor1D => tf.tensor1d([2, 0, 3], "int32");

/** In double precision, from the definition. */
function reference(rows: number[][], picks: number[], temperature: number): number[] {
  return rows.map(
    (row, i) => row[picks[i]] / temperature - Math.log(row.reduce((s, z) => s + Math.exp(z / temperature), 0)),
  );
}

describe("tokenLogProbs", () => {
  it("is log(1/4) for equal logits, and log(e / (e + 1)) for [1, 0]", () => {
    // softmax of four equal logits: 1/4; log = -1.386294. softmax([1, 0])[0] = 2.718282 / 3.718282; log = -0.313262.
    expect(tokenLogProbs(tf.tensor2d([[7, 7, 7, 7]]), tf.tensor1d([1], "int32")).dataSync()[0]).toBeCloseTo(
      -1.386294,
      5,
    );
    expect(tokenLogProbs(tf.tensor2d([[1, 0]]), tf.tensor1d([0], "int32")).dataSync()[0]).toBeCloseTo(-0.313262, 5);
  });

  it.each([1, 0.7, 2])("is the tempered full softmax (temperature %s)", (temperature) => {
    const got = tokenLogProbs(logits(), targets(), temperature).dataSync();
    const want = reference(logits().arraySync(), [2, 0, 3], temperature);
    expect(distance(got, want)).toBeLessThan(1e-6);
  });

  it("stays finite and exact for huge logits", () => {
    // [1000, 999]: log softmax of the first = -log(1 + e^-1) = -0.313262; naive exp(1000) overflows.
    const got = tokenLogProbs(
      tf.tensor2d([
        [1000, 999],
        [-1000, 1000],
      ]),
      tf.tensor1d([0, 0], "int32"),
    ).dataSync();
    expect(got[0]).toBeCloseTo(-0.313262, 5);
    expect(got[1]).toBe(-2000);
  });

  it.each([1, 0.5])(
    "has the gradient (onehot - softmax) dy / temperature (%s), as finite differences say",
    (temperature) => {
      const weights = tf.tensor1d([1, -2, 0.5]);
      const loss = (x: tf.Tensor): tf.Tensor =>
        tf.sum(tf.mul(tokenLogProbs(x as tf.Tensor2D, targets(), temperature), weights));
      const got = gradient(loss, logits());
      expect(distance(got, numericalGradient(loss, logits()))).toBeLessThan(2e-3);
      // By hand, row 0: softmax p, weight 1: (1[v = 2] - p_v) / temperature.
      const e = [1, 2, 3, 0.5].map((z) => Math.exp(z / temperature));
      const sum = e.reduce((a, b) => a + b);
      expect(
        distance(
          got.slice(0, 4),
          e.map((x, v) => ((v === 2 ? 1 : 0) - x / sum) / temperature),
        ),
      ).toBeLessThan(1e-5);
    },
  );

  it("gives the same gradient compiled as eagerly, and leaks no tensor", () => {
    const gradOf = (x: tf.Tensor2D, t: tf.Tensor1D): tf.Tensor =>
      tf.grad((z: tf.Tensor) => tf.sum(tokenLogProbs(z as tf.Tensor2D, t, 0.8)))(x);
    const compiled = compile(gradOf);
    const x = logits();
    const t = targets();
    const eager = tf.tidy(() => gradOf(x, t).dataSync());
    compiled(x, t).dispose();
    const before = tf.memory().numTensors;
    for (let i = 0; i < 5; i++) {
      const out = compiled(x, t);
      expect(distance(out.dataSync(), eager)).toBeLessThan(1e-6);
      out.dispose();
      tf.tidy(() => void gradOf(x, t));
      tokenLogProbs(x, t).dispose();
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it("refuses shapes that do not belong together, and a temperature of 0", () => {
    expect(() => tokenLogProbs(logits(), tf.tensor1d([0], "int32"))).toThrow(/logits \[3,4\] and targets \[1\]/);
    expect(() => tokenLogProbs(logits(), targets(), 0)).toThrow(/temperature is 0/);
  });
});
