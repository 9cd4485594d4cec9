import { describe, expect, it } from "vitest";
import { adamWDefaults, adamWInit } from "../../lib/engine/optimizer";
import { tf, type Params, type Tensor } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { createUpdate } from "../../lib/train/update";
import { relativeError } from "../helpers/tiny";

const start = (): Params => ({
  a: tf.tensor2d([
    [1, -2],
    [3, 4],
  ]),
  b: tf.tensor1d([0.5, -0.5]),
  frozen: tf.tensor1d([7]),
  c: tf.tensor2d([
    [2, 1],
    [1, 2],
  ]),
});

/** Three steps on sums of squares; the second step's gradient is not finite. */
function run(
  groupBytes: number | undefined,
  batches: number,
): { params: Params; metrics: number[][]; tensors: number } {
  const update = createUpdate<{ x: Tensor }>({
    name: `update.${groupBytes}.${batches}`,
    trainable: () => ["a", "b", "c"],
    optimizer: { ...adamWDefaults, learningRateScale: (name) => (name === "b" ? 0.1 : 1) },
    maxGradNorm: 1,
    skipNotFinite: true,
    parts: batches,
    compile: {},
    groupBytes,
    loss: (p, { x }) => ({
      loss: tf.mul(x, tf.addN([tf.sum(tf.square(p.a)), tf.sum(tf.square(p.b)), tf.sum(tf.mul(p.c, p.frozen))])),
      tokens: tf.scalar(1),
      metrics: {},
    }),
  });
  let params = start();
  let state = adamWInit(Object.fromEntries(["a", "b", "c"].map((name) => [name, params[name]])));
  const metrics: number[][] = [];
  const before = tf.memory().numTensors;
  for (const factor of [1, Infinity, 2]) {
    const [x, rate] = [tf.scalar(factor), tf.scalar(0.01)];
    const next = update(
      params,
      state,
      Array.from({ length: batches }, () => ({ x })),
      batches,
      rate,
    );
    metrics.push([
      next.metrics.gradNorm.dataSync()[0],
      next.metrics.skipped.dataSync()[0],
      next.state.step.dataSync()[0],
    ]);
    disposeTree(next.metrics, x, rate);
    [params, state] = [next.params, next.state];
  }
  const tensors = tf.memory().numTensors - before;
  disposeTree(state);
  return { params, metrics, tensors };
}

describe("an update in groups", () => {
  it.each([1, 2])(
    "gives what one call gives, from %i parts, skipped steps included, and leaves no tensor behind",
    (batches) => {
      const whole = run(undefined, batches);
      for (const bytes of [1, 24]) {
        const grouped = run(bytes, batches);
        expect(relativeError(grouped.params, whole.params)).toBeLessThan(1e-6);
        expect(grouped.metrics).toEqual(whole.metrics);
        expect(grouped.tensors).toBe(0);
        disposeTree(grouped.params);
      }
      expect(whole.metrics.map(([, skipped, step]) => [skipped, step])).toEqual([
        [0, 1],
        [1, 1],
        [0, 2],
      ]);
      expect(whole.params.frozen.dataSync()[0]).toBe(7);
      disposeTree(whole.params);
    },
  );
});

describe("gradients summed in place", () => {
  it("are each part's added up, also where they are constants or one tensor is the gradient of two", () => {
    const update = createUpdate<{ x: Tensor }>({
      name: "update.inPlace",
      trainable: () => ["a", "b", "c"],
      optimizer: adamWDefaults,
      maxGradNorm: 1e9,
      skipNotFinite: false,
      parts: 3,
      compile: {},
      loss: (p, { x }) => ({
        loss: tf.add(tf.sum(tf.add(p.a, p.c)), tf.sum(tf.mul(p.b, x))),
        tokens: tf.scalar(1),
        metrics: {},
      }),
    });
    let params = start();
    let state = adamWInit({ a: params.a, b: params.b, c: params.c });
    const rate = tf.scalar(0);
    const batches = [1, 2, 4].map((x) => ({ x: tf.tensor1d([x, 10 * x]) }));
    const before = tf.memory().numTensors;
    for (let step = 0; step < 3; step++) {
      const next = update(params, state, batches, 3, rate);
      // a and c: 4 ones each, three times; b: 7 and 70
      expect(next.metrics.gradNorm.dataSync()[0]).toBeCloseTo(Math.sqrt(8 * 9 + 49 + 4900), 3);
      disposeTree(next.metrics);
      [params, state] = [next.params, next.state];
    }
    // the first moment of a constant gradient g after three steps: (1 - 0.9^3) g
    for (const [name, g] of [
      ["a", [3, 3, 3, 3]],
      ["b", [7, 70]],
      ["c", [3, 3, 3, 3]],
    ] as const) {
      Array.from(state.m[name].dataSync()).forEach((m, i) => expect(m).toBeCloseTo(0.271 * g[i], 4));
    }
    expect(tf.memory().numTensors).toBe(before);
    disposeTree(params, state, rate, batches);
  });
});
