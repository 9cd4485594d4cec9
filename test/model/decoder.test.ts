import { describe, expect, it } from "vitest";
import { attention } from "../../lib/engine/attention";
import { withoutKernels } from "../../lib/engine/kernels";
import { random } from "../../lib/util/random";
import { tf, type Tensor } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import type { ModelConfig } from "../../lib/model/config";
import { causalAttention, decode } from "../../lib/model/decoder";
import { forward } from "../../lib/model/forward";
import { initParams } from "../../lib/model/init";
import { tinyConfig } from "../../lib/model/tiny";
import { encodeImages } from "../../lib/model/vision";
import { visionInputs, visionPlan, type Grid } from "../../lib/model/vision-plan";
import { collate, modelInputs, type Row } from "../../lib/processor/collate";

const base = tinyConfig(40, { imageTokenId: 36, videoTokenId: 37, visionStartTokenId: 38, visionEndTokenId: 39 });
const config: ModelConfig = {
  ...base,
  text: { ...base.text, numHiddenLayers: 2, intermediateSize: 64 },
  vision: { ...base.vision, depth: 2 },
};
const params = initParams(config, 1, { scheme: "scaled" });

const draw = (seed: number, shape: number[]): Tensor => {
  const rng = random(seed);
  return tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng.normal()),
    shape,
  );
};
const image = (seed: number, grid: Grid) => ({
  grid,
  pixelValues: draw(seed, [grid[1] * grid[2], 384]).dataSync() as Float32Array,
});
const worst = (a: Tensor, b: Tensor): number => tf.tidy(() => a.sub(b).abs().max().dataSync()[0]);
const placeholders = (n: number): number[] => [38, ...Array<number>(n).fill(36), 39];
const logitsOf = (rows: Row[]): Tensor => {
  const inputs = modelInputs(config, collate(config, rows, { padTokenId: 0 }));
  const logits = forward(params, config, inputs);
  disposeTree(inputs);
  return logits;
};

describe("attention", () => {
  it("equals attention with repeated keys and values", () => {
    const [q, k, v] = [draw(1, [2, 5, 6, 4]), draw(2, [2, 2, 7, 4]), draw(3, [2, 2, 7, 4])];
    const mask = draw(4, [1, 5, 7]);
    const repeated = (x: Tensor): Tensor => tf.gather(x, tf.tensor1d([0, 0, 0, 1, 1, 1], "int32"), 1);
    const weights = tf.softmax(
      tf
        .matMul(q.transpose([0, 2, 1, 3]), repeated(k), false, true)
        .div(2)
        .add(mask),
    );
    const expected = tf.matMul(weights, repeated(v)).transpose([0, 2, 1, 3]).reshape([2, 5, 24]);
    for (const run of [<T>(f: () => T): T => f(), withoutKernels]) {
      expect(
        worst(
          run(() => attention(q, k, v, { mask, byHead: true })),
          expected,
        ),
      ).toBeLessThan(1e-5);
      const last = run(() =>
        attention(q.slice([0, 4], [2, 1]), k, v, { mask: mask.slice([0, 4], [1, 1]), byHead: true }),
      );
      expect(worst(last, expected.slice([0, 4], [2, 1]))).toBeLessThan(1e-5);
    }
  });
  it("causal: a place doesn't see later ones", () => {
    const [q, k, v] = [draw(1, [1, 5, 6, 4]), draw(2, [1, 5, 2, 4]), draw(3, [1, 5, 2, 4])];
    const later = tf.tensor4d([0, 0, 0, 1, 1], [1, 5, 1, 1]);
    const difference = causalAttention()(q, k, v)
      .sub(causalAttention()(q, k.add(later), v.add(later)))
      .abs()
      .max(2)
      .dataSync();
    expect(Math.max(...difference.slice(0, 3))).toBe(0);
    expect(Math.min(...difference.slice(3))).toBeGreaterThan(1e-3);
  });
});

describe("decode", () => {
  const embeds = draw(5, [2, 4, config.text.hiddenSize]);
  const positions = tf.tensor3d(
    [0, 1, 2].flatMap(() => [0, 1, 2, 3, 0, 1, 2, 3]),
    [3, 2, 4],
    "int32",
  );
  const places = tf.tensor1d([6, 1, 1, 3], "int32");
  const weights = draw(6, [4, config.text.hiddenSize]);
  const score = (states: (own: typeof params, x: Tensor) => Tensor) => {
    const names = Object.keys(params).filter(
      (name) => name.startsWith("model.layers.") || name === "model.norm.weight",
    );
    const { value, grads } = tf.valueAndGrads((...[x, ...own]: Tensor[]) =>
      tf.sum(tf.mul(states({ ...params, ...Object.fromEntries(names.map((name, i) => [name, own[i]])) }, x), weights)),
    )([embeds, ...names.map((name) => params[name])]);
    return [value, ...grads];
  };
  const all = (own: typeof params, x: Tensor): Tensor =>
    tf.gather(decode(own, config, x, positions, causalAttention).reshape([8, -1]), places);

  it.each([false, true])(
    "of some places gives their states and the gradients of all, computed again: %s",
    (recompute) => {
      const some = (own: typeof params, x: Tensor): Tensor =>
        decode(own, config, x, positions, causalAttention, recompute, places);
      expect(some(params, embeds).shape).toEqual([4, config.text.hiddenSize]);
      expect(worst(some(params, embeds), all(params, embeds))).toBeLessThan(1e-5);
      const expected = score(all);
      score(some).forEach((gradient, i) => expect(worst(gradient, expected[i])).toBeLessThan(1e-4));
      expect(worst(expected[1], tf.zerosLike(expected[1]))).toBeGreaterThan(1e-2);
    },
  );
});

describe("forward", () => {
  const [square, ragged] = [image(1, [1, 8, 8]), image(2, [1, 6, 10])];
  const rows: Row[] = [
    { inputIds: [1, ...placeholders(16), 5, 6], images: [square] },
    { inputIds: [...placeholders(15), ...placeholders(16), 7], images: [ragged, square] },
    { inputIds: [4, 3, 2], images: [] },
  ];
  it("a row's logits don't depend on its batch: padding, shared images, several images, other grids", () => {
    const together = logitsOf(rows);
    rows.forEach((row, b) => {
      const alone = logitsOf([row]);
      expect(worst(together.slice([b, 0], [1, row.inputIds.length]), alone), `row ${b}`).toBeLessThan(1e-4);
    });
  });
  it("sees the image", () => {
    const other = logitsOf([{ ...rows[0], images: [image(3, [1, 8, 8])] }]);
    expect(worst(other, logitsOf([rows[0]]))).toBeGreaterThan(1e-2);
  });
  it("disposes what it makes and gives every parameter a gradient", () => {
    const inputs = modelInputs(config, collate(config, rows, { padTokenId: 0 }));
    const names = Object.keys(params);
    const before = tf.memory().numTensors;
    const { value, grads } = tf.valueAndGrads((...ps) =>
      tf.tidy(
        () =>
          forward(Object.fromEntries(names.map((name, i) => [name, ps[i]])), config, inputs)
            .square()
            .mean() as tf.Scalar,
      ),
    )(names.map((name) => params[name]));
    expect(tf.memory().numTensors).toBe(before + 1 + names.length);
    names.forEach((name, i) => expect(grads[i].abs().max().dataSync()[0], name).toBeGreaterThan(0));
    tf.dispose([value, ...grads]);
    disposeTree(inputs);
  });
});

describe("encodeImages", () => {
  it("gives each image the same features packed and alone, ragged windows included", () => {
    const images = [image(1, [1, 8, 8]), image(2, [1, 6, 10]), image(3, [1, 2, 2])];
    const encode = (list: typeof images): Tensor => {
      const vision = visionInputs(
        visionPlan(
          config,
          list.map((x) => x.grid),
        ),
      );
      const pixels = tf.concat(list.map((x) => tf.tensor2d(x.pixelValues, [x.grid[1] * x.grid[2], 384])));
      return encodeImages(params, config, pixels, vision);
    };
    const packed = encode(images);
    let first = 0;
    for (const one of images) {
      const alone = encode([one]);
      expect(worst(packed.slice([first], [alone.shape[0] as number]), alone)).toBeLessThan(1e-4);
      first += alone.shape[0] as number;
    }
    expect(packed.shape).toEqual([16 + 15 + 1, 192]);
  });
});

describe("initParams", () => {
  it("depends on seed and name only", () => {
    const more = initParams({ ...config, text: { ...config.text, numHiddenLayers: 3 } }, 1, { scheme: "normal" });
    const same = initParams(config, 1);
    const other = initParams(config, 2);
    const name = "model.layers.1.mlp.up_proj.weight";
    expect(worst(more[name], same[name])).toBe(0);
    expect(worst(other[name], same[name])).toBeGreaterThan(0.01);
    expect(tf.moments(same[name]).variance.sqrt().dataSync()[0]).toBeCloseTo(0.02, 3);
    disposeTree(more, same, other);
  });
});
