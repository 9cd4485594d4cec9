import { describe, expect, it } from "vitest";
import { tf } from "../../lib/engine/tensorflow";
import { interClassKl, type ContrastOptions } from "../../lib/loss/contrast";
import { stopGradient } from "../../lib/loss/stop-gradient";
import { distance, gradient, numericalGradient } from "./differences";

const positive = (): tf.Tensor => tf.tensor2d([[-1, -2, -0.5, -3]]);
const negative = (): tf.Tensor => tf.tensor2d([[-2, -1.5, -0.5, -30]]);

const sumTo = (p: tf.Tensor, n: tf.Tensor, options?: ContrastOptions): tf.Tensor => tf.sum(interClassKl(p, n, options));

describe("interClassKl", () => {
  it("is exp(d) - d - 1 with d = logp_neg - logp, by hand", () => {
    // d = -1: e^-1 + 1 - 1 = 0.3678794; d = 0.5: 1.6487213 - 1.5 = 0.1487213; d = 0: 0;
    // d = -27, clamped to -20: e^-20 + 20 - 1 = 19, clamped to 10
    const got = interClassKl(positive(), negative()).dataSync();
    expect(distance(got, [0.3678794, 0.1487213, 0, 10])).toBeLessThan(1e-6);
  });

  it("is exact near zero, where exp(d) - d - 1 cancels in float32", () => {
    // d = 1e-3: d^2 / 2 + d^3 / 6 = 5.001667e-7
    const got = interClassKl(tf.tensor2d([[0]]), tf.tensor2d([[1e-3]])).dataSync()[0];
    expect(got / 5.001667e-7).toBeCloseTo(1, 3);
  });

  it("pulls logp by 1 - exp(d) and logp_neg by exp(d) - 1 (paper), and not at all beyond the clamps", () => {
    // d = -1: 1 - 0.3678794; d = 0.5: 1 - 1.6487213; d = 0: 0; clamped: 0
    const want = [0.6321206, -0.6487213, 0, 0];
    expect(
      distance(
        gradient((p) => sumTo(p, negative()), positive()),
        want,
      ),
    ).toBeLessThan(1e-5);
    expect(
      distance(
        gradient((n) => sumTo(positive(), n), negative()),
        want.map((g) => -g),
      ),
    ).toBeLessThan(1e-5);
    const loss = (n: tf.Tensor): tf.Tensor => sumTo(positive(), n);
    expect(distance(gradient(loss, negative()), numericalGradient(loss, negative()))).toBeLessThan(1e-3);
  });

  it("has no gradient in logp_neg in the release's way (deviation 2), and the same one in logp", () => {
    const release = { gradientThroughNegative: false };
    expect(gradient((n) => sumTo(positive(), n, release), negative())).toEqual([0, 0, 0, 0]);
    expect(gradient((p) => sumTo(p, negative(), release), positive())).toEqual(
      gradient((p) => sumTo(p, negative()), positive()),
    );
  });

  it("is symmetric in nothing: swapping the images changes it", () => {
    expect(interClassKl(negative(), positive()).dataSync()[0]).toBeCloseTo(Math.E - 2, 5); // d = 1: e - 1 - 1
  });
});

describe("stopGradient", () => {
  it("keeps the value and stops the gradient", () => {
    const x = tf.tensor1d([2, 3]);
    expect(Array.from(stopGradient(x).dataSync())).toEqual([2, 3]);
    // d/dx [x stop(x)] = stop(x), where d/dx x^2 would be 2x
    expect(gradient((v) => tf.sum(tf.mul(v, stopGradient(v))), x)).toEqual([2, 3]);
  });
});
