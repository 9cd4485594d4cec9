import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { compile, engineStats } from "../../lib/engine/compile";
import { isBf16 } from "../../lib/engine/native";
import { narrowed, tensorFromStored, widened } from "../../lib/engine/resident";
import { tf, type Params, type Tensor } from "../../lib/engine/tensorflow";
import { disposeTree, mapParams } from "../../lib/engine/tree";
import { loadModel } from "../../lib/model/checkpoint";
import { forward } from "../../lib/model/forward";
import { relativeError } from "../helpers/tiny";

const untied = path.join(__dirname, "../fixtures/parity/fixture-untied/model"); // stored in bf16

const inputs = () => ({
  inputIds: tf.tensor2d([[5, 6, 7, 8]], [1, 4], "int32"),
  positionIds: tf.tile(tf.reshape(tf.range(0, 4, 1, "int32"), [1, 1, 4]), [3, 1, 1]),
  featureIndex: tf.fill([1, 4], -1, "int32"),
  pixelValues: null,
  vision: null,
});

describe("weights held in bfloat16", () => {
  it("are the stored bytes, copied; halves are widened by TensorFlow", () => {
    // 1, -2, 0.5 as bf16 (the upper halves of 3f800000, c0000000, 3f000000) and as f16 (3c00, c000, 3800)
    const bf16 = new Uint8Array(new Uint16Array([0x3f80, 0xc000, 0x3f00]).buffer);
    const f16 = new Uint8Array(new Uint16Array([0x3c00, 0xc000, 0x3800]).buffer);
    const before = tf.memory().numTensors;
    const held = tensorFromStored(bf16, [3], "BF16", true);
    const wide = [tensorFromStored(bf16, [3], "BF16"), tensorFromStored(f16, [3], "F16")];
    bf16.fill(0); // the buffer may be used again
    const values = widened(held);
    for (const tensor of [values, ...wide]) expect(Array.from(tensor.dataSync())).toEqual([1, -2, 0.5]);
    expect([isBf16(held), isBf16(wide[0]), isBf16(values), isBf16(held.clone())]).toEqual([true, false, false, true]);
    expect(() => tf.tidy(() => tf.add(held, 1))).toThrow(/bfloat16/);
    disposeTree(held, values, wide);
    expect(tf.memory().numTensors).toBe(before + 1); // the clone
  });

  it("give the logits of the same weights in float32, products in bfloat16 within their rounding", () => {
    const { config, params } = loadModel(untied);
    const { params: held } = loadModel(untied, { dtype: "auto" });
    expect(Object.values(held).every(isBf16)).toBe(true);
    const x = inputs();
    const run = (options: object) =>
      compile((p: Params, i: ReturnType<typeof inputs>) => forward(p, config, i), { name: "resident", ...options });
    const [float, half] = [run({}), run({ bf16: true })];
    const logits = float(params, x);
    const traced = float(held, x);
    const replayed = float(held, x);
    half(held, x).dispose();
    const rounded = half(held, x);
    const error = (other: Tensor): number => relativeError({ logits: other }, { logits });
    expect(error(traced)).toBeLessThan(1e-6);
    expect(error(replayed)).toBeLessThan(1e-6);
    expect(error(rounded)).toBeGreaterThan(1e-5);
    expect(error(rounded)).toBeLessThan(6e-2);
    expect(engineStats().filter((stats) => stats.name === "resident")).toHaveLength(3); // another type is another trace
    disposeTree(params, held, x, logits, traced, replayed, rounded);
  });

  it("let gradients of other tensors through, and pass unchanged", () => {
    const w = tf.tensor2d([
      [1, 2],
      [3, 4],
    ]);
    const held = narrowed(w);
    const x = tf.tensor2d([[1, 1]]);
    const step = compile(
      (p: { w: Tensor }, input: Tensor) => ({
        gradient: tf.grad((a: Tensor) => tf.sum(tf.square(tf.matMul(a as tf.Tensor2D, p.w as tf.Tensor2D))))(input),
        w: p.w,
      }),
      { name: "through" },
    );
    for (let i = 0; i < 2; i++) {
      const out = step({ w: held }, x); // x w = [4, 6]; gradient 2 [4, 6] wᵀ = [2 (4 + 12), 2 (12 + 24)]
      expect(Array.from(out.gradient.dataSync())).toEqual([32, 72]);
      expect(isBf16(out.w)).toBe(true);
      disposeTree(out);
    }
    disposeTree(w, held, x);
  });

  it("round what is stored wider, where bfloat16 is asked for", () => {
    const tied = path.join(__dirname, "../fixtures/parity/fixture-tied/model"); // stored in f32
    const [wide, kept, half] = [{}, { dtype: "auto" as const }, { dtype: "bfloat16" as const }].map(
      (options) => loadModel(tied, options).params,
    );
    const name = "model.norm.weight";
    expect([isBf16(wide[name]), isBf16(kept[name]), isBf16(half[name])]).toEqual([false, false, true]);
    const back = mapParams(half, widened);
    const error = relativeError(back, wide);
    expect(error).toBeGreaterThan(1e-4);
    expect(error).toBeLessThan(2 ** -8);
    disposeTree(wide, kept, half, back);
  });
});
