import { describe, expect, it } from "vitest";
import { compile, engineStats } from "../../lib/engine/compile";
import { dropout } from "../../lib/engine/dropout";
import { isNative, tf, type Tensor } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";

const rate = tf.scalar(0.25);
const seed = (n: number): Tensor => tf.tensor1d([n, 0], "int32");
const draw = (n: number, name = "layer", shape = [40, 50]): number[] =>
  tf.tidy(() => Array.from(dropout(tf.ones(shape), rate, seed(n), name).dataSync()));

describe("dropout", () => {
  it("drops a share `rate` of the values and scales the others by 1 / (1 - rate)", () => {
    const values = draw(1);
    expect(new Set(values)).toEqual(new Set([0, Math.fround(4 / 3)]));
    const dropped = values.filter((x) => x === 0).length;
    expect(Math.abs(dropped - 500)).toBeLessThan(4 * Math.sqrt(2000 * 0.25 * 0.75)); // 500 of 2,000, four standard deviations
    expect(tf.tidy(() => Array.from(dropout(tf.tensor1d([1, 2]), tf.scalar(0), seed(1), "layer").dataSync()))).toEqual([
      1, 2,
    ]);
  });
  it("is a function of seed, name and shape", () => {
    const first = draw(1);
    expect(draw(1)).toEqual(first);
    for (const other of [draw(2), draw(1, "other"), draw(1, "layer", [50, 40])]) {
      const equal = other.filter((x, i) => x === first[i]).length; // independent ones agree in 0.25² + 0.75² = 62.5 %
      expect(equal / 2000).toBeGreaterThan(0.56);
      expect(equal / 2000).toBeLessThan(0.69);
    }
    expect(draw(-2147483648)).not.toEqual(draw(2147483647));
  });
  it("sends its gradient through what it keeps", () => {
    const values = tf.tidy(() =>
      Array.from(
        tf
          .grad((x) => dropout(x, rate, seed(1), "layer").mul(3).sum())(tf.ones([40, 50]))
          .dataSync(),
      ),
    );
    expect(values.map((x) => Math.round(x * 1e5))).toEqual(draw(1).map((x) => Math.round(x * 3e5)));
  });
  it.skipIf(!isNative)("compiled, it draws anew for another seed without another trace, the same as eager", () => {
    const before = tf.memory().numTensors;
    const compiled = compile((x: Tensor, by: Tensor, from: Tensor) => dropout(x, by, from, "layer"), {
      name: "test.dropout",
    });
    const x = tf.ones([40, 50]);
    for (const n of [1, 2, 1]) {
      const from = seed(n);
      const out = compiled(x, rate, from);
      expect(Array.from(out.dataSync())).toEqual(draw(n));
      disposeTree(out, from);
    }
    expect(engineStats().filter(({ name }) => name === "test.dropout")).toHaveLength(1);
    x.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});
