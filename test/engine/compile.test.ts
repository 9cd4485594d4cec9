import { execFileSync } from "node:child_process";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { compile, engineStats, releaseTraces } from "../../lib/engine/compile";
import { valueAndGradients } from "../../lib/engine/gradients";
import {
  adamWDefaults,
  adamWInit,
  adamWUpdate,
  clipFactor,
  globalNorm,
  type AdamWState,
} from "../../lib/engine/optimizer";
import { isNative, tf, type Params, type Tensor } from "../../lib/engine/tensorflow";
import { TraceError } from "../../lib/engine/trace";
import { disposeTree } from "../../lib/engine/tree";
import { rowBatch, type RowBatch } from "../../lib/train/batch";
import { rowLogProbs } from "../../lib/train/row-log-probs";
import { relativeError, toyConfig, toyParams, toyPlace, toyProcessor } from "../helpers/tiny";

const statsOf = (name: string) => engineStats().filter((s) => s.name === name);
const numbers = (t: Tensor): number[] => Array.from(t.dataSync());

describe.skipIf(!isNative)("compile", () => {
  it("equals eager for a decoder, its loss, gradients and AdamW, traced and replayed", () => {
    const processor = toyProcessor();
    const config = toyConfig(processor);
    const ids = processor.promptIds(
      [
        {
          role: "user",
          content: [
            { type: "image", image: "" },
            { type: "text", text: "What animal is this?" },
          ],
        },
      ],
      [[1, 4, 4]],
    ).inputIds;
    const rows = rowBatch(
      [
        [{ inputIds: ids, predicted: ids.map((_, i) => i > 8), image: toyPlace(0) }],
        [{ inputIds: ids.slice(0, 12), predicted: ids.slice(0, 12).map((_, i) => i > 9), image: toyPlace(1) }],
      ],
      config,
      { lengthBucket: 8, placesBucket: 8 },
    );
    const features = tf.randomNormal([8, 32], 0, 1, "float32", 3);
    const all = toyParams(config);
    const params = Object.fromEntries(Object.entries(all).filter(([name]) => !name.startsWith("visual.")));
    const state = adamWInit(params);
    const rate = tf.scalar(1e-2);
    const step = (p: Params, s: AdamWState, batch: RowBatch, f: Tensor, learningRate: Tensor) => {
      const { loss, gradients } = valueAndGradients(p, Object.keys(p), (q) => ({
        loss: tf.neg(tf.mean(tf.mul(rowLogProbs(q, config, f, batch, 0.8), batch.weights))),
        metrics: {},
      }));
      return {
        loss,
        gradients,
        ...adamWUpdate(p, gradients, s, learningRate, adamWDefaults, {
          gradientScale: clipFactor(globalNorm(gradients), 1),
        }),
      };
    };
    const compiled = compile(step, { name: "test.step" });
    const eager = step(params, state, rows, features, rate);
    for (let call = 0; call < 2; call++) {
      const out = compiled(params, state, rows, features, rate);
      expect(relativeError({ loss: out.loss }, { loss: eager.loss }), `loss, call ${call}`).toBeLessThan(1e-5);
      expect(relativeError(out.gradients, eager.gradients), `gradients, call ${call}`).toBeLessThan(1e-5);
      expect(relativeError(out.state.m, eager.state.m)).toBeLessThan(1e-5);
      expect(relativeError(out.state.v, eager.state.v)).toBeLessThan(1e-5);
      expect(relativeError(out.params, eager.params)).toBeLessThan(1e-4); // a first AdamW step is the sign of the gradient
      disposeTree(out);
    }
    expect(statsOf("test.step").map((s) => s.calls)).toEqual([1]);
  });

  it("gives the same numbers to the bit whether a call traces or replays, though TensorFlow takes other kernels for what it replays", () => {
    const x = tf.randomNormal([48, 32], 0, 1, "float32", 1);
    const attend = compile((t: Tensor) => tf.softmax(tf.matMul(t as tf.Tensor2D, t as tf.Tensor2D, false, true))); // oneDNN's softmax
    const [first, second] = [numbers(attend(x)), numbers(attend(x))];
    expect(second).toEqual(first);
  });

  it("traces once per shapes, data types, structure and static values, and replays the rest", () => {
    const f = compile((x: Tensor, options: { scale: number }) => tf.mul(x, options.scale), { name: "test.shapes" });
    const calls: [Tensor, number][] = [
      [tf.tensor1d([1, 2]), 2],
      [tf.tensor1d([3, 4]), 2],
      [tf.tensor1d([1, 2, 3]), 2],
      [tf.tensor1d([1, 2]), 3],
      [tf.tensor1d([5, 6]), 3],
    ];
    expect(calls.map(([x, scale]) => numbers(f(x, { scale })))).toEqual([
      [2, 4],
      [6, 8],
      [2, 4, 6],
      [3, 6],
      [15, 18],
    ]);
    expect(statsOf("test.shapes").map(({ shapes, calls: n }) => [shapes, n])).toEqual([
      ["float32[2]", 1],
      ["float32[3]", 0],
      ["float32[2]", 1],
    ]);
    expect(statsOf("test.shapes")[0].nodes).toBeGreaterThan(0);
  });

  it("keeps captured tensors of every data type as constants, with broadcasting and several outputs", () => {
    const [c, choose, index] = [
      tf.tensor2d([
        [1, 2],
        [3, 4],
      ]),
      tf.tensor1d([true, false], "bool"),
      tf.tensor1d([1, 0, 1], "int32"),
    ];
    const f = compile((x: Tensor) => ({
      product: tf.mul(x, c),
      chosen: [tf.where(choose, x, tf.zerosLike(x)), tf.gather(x, index)],
    }));
    for (const values of [
      [1, 10],
      [2, 20],
    ]) {
      const { product, chosen } = f(tf.tensor1d(values));
      expect(numbers(product)).toEqual([values[0], 2 * values[1], 3 * values[0], 4 * values[1]]);
      expect(chosen.map(numbers)).toEqual([
        [values[0], 0],
        [values[1], values[0], values[1]],
      ]);
    }
  });

  it("does not merge arguments that share their data, and hands arguments through as tensors of their own", () => {
    const f = compile((a: Tensor, b: Tensor) => ({ sum: tf.add(tf.mul(a, 2), tf.mul(b, 3)), a }));
    const [x, y] = [tf.tensor1d([1, 2]), tf.tensor1d([10, 20])];
    expect(numbers(f(x, x.clone()).sum)).toEqual([5, 10]);
    const out = f(x, y);
    expect(numbers(out.sum)).toEqual([32, 64]);
    x.dispose();
    expect(numbers(out.a)).toEqual([1, 2]);
  });

  it("becomes a part of the function that it is called in", () => {
    const inner = compile((x: Tensor) => ({ twice: tf.mul(x, 2) }), { name: "inside", donate: [0] });
    const outer = compile((x: Tensor) => ({ y: tf.add(inner(tf.neg(x)).twice, 1), x: inner(x).twice }), {
      name: "outside",
    });
    const x = tf.tensor1d([1, 2]);
    for (let call = 0; call < 2; call++) {
      const out = outer(x);
      expect([numbers(out.y), numbers(out.x), x.isDisposed]).toEqual([[-1, -3], [2, 4], false]);
    }
    expect([statsOf("inside").length, statsOf("outside").length]).toEqual([0, 1]);
  });

  it("leaves out shapes that a tensor has already or that another follows, and holds a constant once", () => {
    const f = compile(
      (x: Tensor) =>
        tf.add(
          tf.reshape(tf.reshape(tf.reshape(tf.neg(x), [2, 3]), [6]), [3, 2]),
          tf.add(tf.tensor1d([1, 2]), tf.tensor1d([1, 2])),
        ),
      { name: "shapes" },
    );
    for (let call = 0; call < 2; call++) {
      const y = f(
        tf.tensor2d([
          [1, 2, 3],
          [4, 5, 6],
        ]),
      );
      expect([y.shape, numbers(y)]).toEqual([
        [3, 2],
        [1, 2, -1, 0, -3, -2],
      ]);
    }
    // the negation, the shapes [6] and [3, 2] and what takes them, the constant, the two sums; nothing for [2, 3]
    expect(statsOf("shapes")[0].nodes).toBe(8);
  });

  it("refuses to freeze what is read or drawn, names the line, and leaves everything in order", () => {
    const reads = compile((x: Tensor) => tf.mul(x, x.dataSync()[0]));
    const branches = compile((x: Tensor) => ((x.arraySync() as number[])[0] > 0 ? tf.neg(x) : x));
    const draws = compile((x: Tensor) => tf.mul(x, Math.random()));
    const noise = compile((x: Tensor) => tf.add(x, tf.randomUniform([2])));
    const x = tf.tensor1d([1, 2]);
    for (const f of [reads, branches]) {
      expect(() => f(x)).toThrow(TraceError);
      expect(() => f(x)).toThrow(/values are read inside a compiled function, at .*compile\.test\.ts:\d+/);
    }
    for (const f of [draws, noise])
      expect(() => f(x)).toThrow(/Math\.random inside a compiled function .*compile\.test\.ts:\d+/);
    expect(Math.random()).not.toBe(Math.random());
    expect(numbers(compile((t: Tensor) => tf.neg(t))(x))).toEqual([-1, -2]);
  });

  it("names op, shapes and line where shapes don't fit or depend on values, and computes nothing while tracing", () => {
    const x = tf.zeros([2, 3]);
    expect(() => compile((t: Tensor) => tf.matMul(t as tf.Tensor2D, tf.zeros([5, 4])))(x)).toThrow(
      /BatchMatMulV2: Dimensions must be equal, but are 3 and 5; input shapes: \[2,3\], \[5,4\]\. \(at .*compile\.test\.ts:\d+/,
    );
    expect(() => compile((t: Tensor) => tf.unique(tf.reshape(t, [-1]) as tf.Tensor1D).values)(x)).toThrow(
      /UniqueV2: the shape of its result, \[-1\], depends on values/,
    );
    // more numbers than a machine could hold: only their shape is asked for
    let shape: number[] = [];
    expect(() =>
      compile((t: Tensor) => {
        const tiled = tf.tile(tf.reshape(t, [6, 1, 1]), [1, 2 ** 30, 2 ** 20]);
        shape = tiled.shape;
        return tf.mul(tf.sum(tiled), (tf.neg(t).dataSync() as Float32Array)[0]);
      })(x),
    ).toThrow(/values are read/);
    expect(shape).toEqual([6, 2 ** 30, 2 ** 20]);
  });

  it.each([false, true])("uses up what it is given to, also where it hands it through (eager: %s)", (eager) => {
    const f = compile((p: Params, x: Tensor) => ({ moved: tf.add(p.w, x), kept: p.v }), { donate: [0], eager });
    for (let call = 0; call < 2; call++) {
      const [p, x] = [{ w: tf.tensor1d([1, 2]), v: tf.tensor1d([3]) }, tf.tensor1d([10, 20])];
      const out = f(p, x);
      expect([p.w.isDisposed, p.v.isDisposed, x.isDisposed]).toEqual([true, true, false]);
      expect([numbers(out.moved), numbers(out.kept)]).toEqual([[11, 22], [3]]);
      disposeTree(out, x);
    }
  });

  it("forgets the traces it is told to, and traces anew when one is called again", () => {
    const f = compile((x: Tensor, factor: number) => tf.mul(x, factor), { name: "forgetting" });
    const x = tf.tensor1d([1, 2]);
    const call = (factor: number): number[] => {
      const y = f(x, factor);
      const out = numbers(y);
      y.dispose();
      return out;
    };
    [2, 2, 3].forEach(call);
    const [tensors, others] = [tf.memory().numTensors, engineStats().length];
    expect(statsOf("forgetting").map((s) => s.calls)).toEqual([1, 0]);
    expect(releaseTraces((s) => s.name === "forgetting" && s.calls === 1)).toBe(1);
    expect([statsOf("forgetting").length, engineStats().length, tf.memory().numTensors]).toEqual([
      1,
      others - 1,
      tensors,
    ]);
    expect([call(2), call(2), call(3)]).toEqual([
      [2, 4],
      [2, 4],
      [3, 6],
    ]);
    expect(statsOf("forgetting").map((s) => s.calls)).toEqual([1, 1]); // that of 3 was kept, that of 2 is new
    for (let i = 0; i < 20; i++) {
      call(10 + i);
      releaseTraces((s) => s.name === "forgetting" && s.calls === 0);
    }
    expect(statsOf("forgetting").length).toBe(2);
    x.dispose();
  });

  it("keeps the number of tensors flat, also where a trace throws", () => {
    const f = compile((p: Params) =>
      valueAndGradients(p, ["w"], (q) => ({ loss: tf.sum(tf.square(q.w)), metrics: { mean: tf.mean(q.w) } })),
    );
    const broken = compile((x: Tensor) => tf.mul(x, tf.neg(x).dataSync()[0]));
    const params = { w: tf.tensor1d([1, 2, 3]) };
    disposeTree(f(params));
    const before = tf.memory().numTensors;
    for (let i = 0; i < 50; i++) disposeTree(f(params));
    for (let i = 0; i < 3; i++) expect(() => broken(params.w)).toThrow(TraceError);
    expect(tf.memory().numTensors).toBe(before);
  });
});

it("without the native engine everything runs on tfjs's own backend, with the same numbers", () => {
  const script = path.join(__dirname, "../helpers/js-engine.ts");
  const run = (
    engine: string,
  ): { backend: string; tokens: number[]; losses: number[]; frozen: boolean; leaked: number; traces: number } => {
    const out = execFileSync(process.execPath, ["--import", "tsx", script], {
      env: { ...process.env, FINE_R1_ENGINE: engine },
      encoding: "utf8",
    });
    return JSON.parse(out.trim().split("\n").pop()!) as ReturnType<typeof run>;
  };
  const js = run("js");
  expect(js).toMatchObject({ backend: "cpu", frozen: true, leaked: 0, traces: 0 });
  expect(js.tokens).toHaveLength(6);
  if (!isNative) return;
  const native = run("");
  expect(native).toMatchObject({ backend: "tensorflow", frozen: true, leaked: 0 });
  expect(js.tokens).toEqual(native.tokens);
  js.losses.forEach((loss, i) => expect(Math.abs(loss - native.losses[i])).toBeLessThan(1e-3));
}, 120_000);
