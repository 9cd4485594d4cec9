import { describe, expect, it } from "vitest";
import {
  adamWDefaults,
  adamWInit,
  adamWUpdate,
  clipFactor,
  cosineSchedule,
  globalNorm,
} from "../../lib/engine/optimizer";
import { tf, type Params, type Tensor } from "../../lib/engine/tensorflow";

const number = (t: Tensor): number => t.dataSync()[0];

describe("AdamW", () => {
  it("follows two steps worked by hand", () => {
    const options = { ...adamWDefaults, weightDecay: 0.1 };
    const rate = tf.scalar(0.1);
    let params: Params = { vector: tf.tensor1d([1]), matrix: tf.tensor2d([[2]]), still: tf.tensor1d([5]) };
    let state = adamWInit(params);
    const step = (g: number): void => {
      ({ params, state } = adamWUpdate(
        params,
        { vector: tf.tensor1d([g]), matrix: tf.tensor2d([[g]]) },
        state,
        rate,
        options,
      ));
    };
    // step 1, g = 1/2: m = 0.05, v = 0.00025; corrected 0.5 and 0.25: both move by 0.1 * 0.5 / 0.5
    step(0.5);
    expect(number(params.vector)).toBeCloseTo(0.9, 4); // rank 1: no decay
    expect(number(params.matrix)).toBeCloseTo(2 * 0.99 - 0.1, 4);
    expect([number(state.m.vector), number(state.v.vector)].map((x) => +x.toFixed(8))).toEqual([0.05, 0.00025]);
    // step 2, g = -1/4: m = 0.02, v = 0.00031225; corrected 0.02 / 0.19 and 0.00031225 / 0.001999
    step(-0.25);
    const move = (0.1 * (0.02 / 0.19)) / Math.sqrt(0.00031225 / 0.001999);
    expect(move).toBeCloseTo(0.0266337, 6);
    expect(number(params.vector)).toBeCloseTo(0.9 - move, 4);
    expect(number(params.matrix)).toBeCloseTo(1.88 * 0.99 - move, 4);
    expect(number(state.step)).toBe(2);
    expect(number(params.still)).toBe(5);
  });

  it("scales the learning rate by name, decay with it", () => {
    const params = { "visual.w": tf.tensor2d([[2]]), w: tf.tensor2d([[2]]) };
    const gradients = { "visual.w": tf.tensor2d([[0.5]]), w: tf.tensor2d([[0.5]]) };
    const options = {
      ...adamWDefaults,
      weightDecay: 0.1,
      learningRateScale: (name: string) => (name.startsWith("visual.") ? 0.5 : 1),
    };
    const next = adamWUpdate(params, gradients, adamWInit(params), tf.scalar(0.1), options).params;
    expect(number(next["visual.w"])).toBeCloseTo(2 * 0.995 - 0.05, 4);
    expect(number(next.w)).toBeCloseTo(1.88, 4);
  });

  it("changes nothing where apply is 0, and is the plain step where it is 1", () => {
    const params = { w: tf.tensor2d([[2, 3]]) };
    const gradients = { w: tf.tensor2d([[0.5, -1]]) };
    const rate = tf.scalar(0.1);
    const once = adamWUpdate(params, gradients, adamWInit(params), rate, adamWDefaults);
    const skipped = adamWUpdate(once.params, gradients, once.state, rate, adamWDefaults, { apply: tf.scalar(0) });
    for (const [a, b] of [
      [skipped.params.w, once.params.w],
      [skipped.state.m.w, once.state.m.w],
      [skipped.state.v.w, once.state.v.w],
      [skipped.state.step, once.state.step],
    ])
      expect(a.dataSync()).toEqual(b.dataSync());
    const fresh = adamWUpdate(params, gradients, adamWInit(params), rate, adamWDefaults, { apply: tf.scalar(0) }); // step 0: 1 - beta^0 = 0 divides
    expect(Array.from(fresh.params.w.dataSync())).toEqual([2, 3]);
    const applied = adamWUpdate(params, gradients, adamWInit(params), rate, adamWDefaults, { apply: tf.scalar(1) });
    expect(applied.params.w.dataSync()).toEqual(once.params.w.dataSync());
  });
});

describe("clipFactor", () => {
  const gradients = { a: tf.tensor1d([3, 0]), b: tf.tensor2d([[4]]) };

  it("measures over all tensors", () => expect(number(globalNorm(gradients))).toBeCloseTo(5, 6));

  it("scales down to the norm, never up", () => {
    expect(number(clipFactor(globalNorm(gradients), 1))).toBeCloseTo(0.2, 5);
    expect(number(clipFactor(globalNorm(gradients), 10))).toBe(1);
  });

  it("is applied to every gradient of an update", () => {
    const params = { a: tf.tensor1d([1, 1]), b: tf.tensor2d([[1]]) };
    const { m } = adamWUpdate(params, gradients, adamWInit(params), tf.scalar(0.1), adamWDefaults, {
      gradientScale: tf.scalar(0.2),
    }).state;
    expect(Array.from(m.a.dataSync())[0]).toBeCloseTo(0.06, 6);
    expect(number(m.b)).toBeCloseTo(0.08, 6);
  });
});

it("cosineSchedule warms up linearly and falls to its floor", () => {
  const at = (step: number, floor = 0): number => cosineSchedule(step, 10, 2, floor);
  expect([at(0), at(1), at(2), at(6), at(10), at(12)].map((x) => +x.toFixed(12))).toEqual([0.5, 1, 1, 0.5, 0, 0]);
  expect(at(4)).toBeCloseTo(0.5 * (1 + Math.SQRT1_2), 12);
  expect(at(6, 0.1)).toBeCloseTo(0.55, 12);
  expect(at(10, 0.1)).toBeCloseTo(0.1, 12);
  expect(cosineSchedule(0, 5, 0)).toBe(1);
});
