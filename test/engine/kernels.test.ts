import { spawnSync } from "node:child_process";
import * as path from "node:path";
import { describe, expect, it, vi } from "vitest";
import { attention } from "../../lib/engine/attention";
import { compile, type CompileOptions } from "../../lib/engine/compile";
import { callKernel, kernelInstructionSet, kernelProblem, usesKernels, withoutKernels } from "../../lib/engine/kernels";
import { isOnGpu } from "../../lib/engine/native";
import { rmsNorm, rotary, rotaryTablesOf } from "../../lib/engine/ops";
import { Recorder } from "../../lib/engine/recorder";
import { isNative, tf, type Tensor } from "../../lib/engine/tensorflow";
import { tokenLogProbs } from "../../lib/loss/log-probs";
import { differences, draw, type Difference } from "../helpers/kernel-parity";

const TOLERANCE = 3e-6;
const tooFar = (all: Difference[]): Difference[] => all.filter(([, error]) => !(error < TOLERANCE));

interface Told {
  instructionSet: string | null;
  used: boolean;
  differences: Difference[];
}

function inItsOwnProcess(env: Record<string, string>): Told {
  const program = path.join(__dirname, "../helpers/kernel-parity.ts");
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--import", "tsx", program], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout) as Told;
}

// a GPU has TensorFlow's own
describe.skipIf(!isNative || isOnGpu())("fused kernels", () => {
  it("are built and used", () => {
    expect(kernelProblem()).toBeNull();
    expect(usesKernels()).toBe(true);
    expect(withoutKernels(usesKernels)).toBe(false);
  });

  it("equal the compositions, values and gradients", () => {
    const all = differences();
    expect(all.length).toBeGreaterThan(200);
    expect(tooFar(all)).toEqual([]);
  });

  it.each([...(kernelInstructionSet() === "amx" ? ["avx512"] : []), "avx2", "generic", "0"])(
    "equal them on lesser processors too: FINE_R1_KERNELS=%s",
    (set) => {
      const told = inItsOwnProcess({ FINE_R1_KERNELS: set });
      expect(told.used).toBe(set !== "0");
      if (kernelInstructionSet() !== "generic") expect(told.instructionSet).toBe(set === "0" ? null : set);
      expect(tooFar(told.differences)).toEqual([]);
    },
  );

  // of nine slices of 5,000 tokens, in whole units, the last would be empty
  it.each(["3", "9"])("equal them where %s threads share the jobs", (threads) => {
    const told = inItsOwnProcess({ TF_NUM_INTRAOP_THREADS: threads });
    expect(told.used).toBe(true);
    expect(tooFar(told.differences)).toEqual([]);
  });

  it("a query that sees nothing gets 0, and gives no gradient", () => {
    const [q, k, v] = [1, 2, 3].map((seed) => draw(seed, [1, 3, 2, 4]));
    const mask = tf.tensor3d([
      [
        [0, 0, 0],
        [-1e9, -1e9, -1e9],
        [0, -1e9, 0],
      ],
    ]);
    const [dq, dk, dv] = tf.grads((...x: Tensor[]) => tf.sum(attention(x[0], x[1], x[2], { mask })))([q, k, v]);
    expect(Array.from(tf.slice(attention(q, k, v, { mask }), [0, 1], [1, 1]).dataSync())).toEqual(new Array(8).fill(0));
    expect(Array.from(tf.slice(dq, [0, 1], [1, 1]).dataSync())).toEqual(new Array(8).fill(0));
    for (const gradient of [dk, dv]) expect(gradient.dataSync().every(Number.isFinite)).toBe(true);
  });

  it("are recorded in compiled functions, and not in those for XLA", () => {
    const [x, w] = [draw(1, [3, 8]), draw(2, [8])];
    const runs = [{}, { xla: true }].map((options) =>
      compile((a: Tensor, b: Tensor) => rmsNorm(a, b, 1e-6), options)(x, w).dataSync(),
    );
    runs[0].forEach((value, i) => expect(value).toBeCloseTo(runs[1][i], 5));
  });

  it("add in compiled functions what TensorFlow adds, to the bit", () => {
    const inputs = [draw(1, [200, 100]), draw(2, [200, 100])];
    const given = inputs.map((x) => x.dataSync().slice());
    // x is used four times: its gradient is a sum of four
    const f = (x: Tensor, y: Tensor): Tensor => tf.sum(tf.mul(x.add(y).add(x), x.add(x).square()));
    const run = (x: Tensor, y: Tensor): Tensor[] => [
      x.add(y),
      x.add(x),
      x.add(y).add(x),
      ...tf.grads((...xs: Tensor[]) => f(xs[0], xs[1]))([x, y]),
    ];
    const bits = (outputs: Tensor[]): Float32Array[] => outputs.map((x) => x.dataSync() as Float32Array);
    const eager = bits(withoutKernels(() => run(inputs[0], inputs[1])));
    const compiled = compile(run);
    for (let i = 0; i < 2; i++) expect(bits(compiled(inputs[0], inputs[1]))).toEqual(eager);
    expect(bits(withoutKernels(() => compile(run)(inputs[0], inputs[1])))).toEqual(eager);
    expect(bits(inputs)).toEqual(given);
    compile(run, { xla: true })(inputs[0], inputs[1]).forEach((x, i) => {
      const error = tf.norm(tf.sub(x, tf.tensor(eager[i], x.shape))).dataSync()[0];
      expect(error, `output ${i}`).toBeLessThan(1e-6 * tf.norm(x).dataSync()[0]);
    });
  });

  it("add large tensors of one shape alone, and not for XLA", () => {
    const added = (
      shapes: number[][],
      options: CompileOptions = {},
      how: (run: () => void) => void = (run) => run(),
    ): boolean => {
      const record = vi.spyOn(Recorder.prototype, "record");
      const [x, y] = shapes.map((shape) => draw(1, shape));
      how(() => compile((a: Tensor, b: Tensor) => a.add(b), options)(x, y));
      const ops = record.mock.calls.map(([op]) => op);
      record.mockRestore();
      expect(ops[0]).toMatch(/^Add(V2)?$/);
      return ops.includes("FineR1Add");
    };
    expect(
      added([
        [200, 100],
        [200, 100],
      ]),
    ).toBe(true);
    expect(
      added([
        [10, 100],
        [10, 100],
      ]),
    ).toBe(false);
    expect(added([[200, 100], [100]])).toBe(false);
    expect(
      added(
        [
          [200, 100],
          [200, 100],
        ],
        { xla: true },
      ),
    ).toBe(false);
    expect(
      added(
        [
          [200, 100],
          [200, 100],
        ],
        {},
        withoutKernels,
      ),
    ).toBe(false);
  });

  it("the sum writes over no number that is needed again", () => {
    const add = (a: Tensor, b: Tensor): Tensor => callKernel("Add", [a, b], 1)[0];
    const run = compile((a: Tensor, b: Tensor) => {
      const sum = add(a, b);
      const twice = add(sum, sum);
      return [sum, twice, add(twice, sum), add(add(a, a), b)];
    });
    const inputs = [draw(1, [200, 100]), draw(2, [200, 100])];
    const [a, b] = inputs.map((x) => x.dataSync().slice());
    for (let i = 0; i < 2; i++) {
      const values = run(inputs[0], inputs[1]).map((x) => x.dataSync());
      const f = Math.fround;
      const expected = [
        a.map((x, j) => f(x + b[j])),
        a.map((x, j) => 2 * f(x + b[j])),
        a.map((x, j) => f(3 * f(x + b[j]))),
        a.map((x, j) => f(2 * x + b[j])),
      ];
      expect(values).toEqual(expected);
    }
    expect(inputs.map((x) => x.dataSync())).toEqual([a, b]);
    expect(() => callKernel("Add", [tf.ones([2, 4]), tf.ones([4])], 1)).toThrow(
      "FineR1Add: inputs 0 and 1 are [2,4] and [4]",
    );
  });

  it("give the same numbers whatever the threads", () => {
    const inputs = [
      [8, 70, 4, 32],
      [8, 70, 2, 32],
      [8, 70, 2, 32],
    ].map((shape, i) => draw(i, shape));
    const run = (): Float32Array =>
      tf
        .concat(
          tf
            .grads((...x: Tensor[]) => tf.sum(tf.square(attention(x[0], x[1], x[2], { causal: true }))))(inputs)
            .map((x) => x.flatten()),
        )
        .dataSync() as Float32Array;
    const first = run();
    for (let i = 0; i < 3; i++) expect(run()).toEqual(first);
  });

  it("say which inputs don't fit", () => {
    expect(() => callKernel("RmsNorm", [draw(1, [2, 4]), draw(2, [3])], 2, { eps: 1e-6 })).toThrow(
      /FineR1RmsNorm: x \[2,4\] against w \[3\]/,
    );
    expect(() => callKernel("SwiGlu", [draw(1, [2, 4]), draw(2, [2, 3])], 1)).toThrow(
      /inputs 0 and 1 are \[2,4\] and \[2,3\]/,
    );
    const none = [tf.zeros([0, 0, 0]), tf.zeros([0]), tf.zeros([0])];
    expect(() =>
      callKernel("Attention", [draw(1, [1, 2, 4, 8]), draw(2, [1, 2, 3, 8]), draw(3, [1, 2, 3, 8]), ...none], 2, {
        by_head: false,
        causal: false,
      }),
    ).toThrow(/q \[1,2,4,8\] against k \[1,2,3,8\]/);
    expect(() =>
      callKernel(
        "Attention",
        [draw(1, [1, 2, 2, 8]), draw(2, [1, 3, 2, 8]), draw(3, [1, 3, 2, 8]), tf.zeros([1, 2, 2]), ...none.slice(1)],
        2,
        { by_head: false, causal: false },
      ),
    ).toThrow(/mask \[1,2,2\]/);
    expect(() =>
      callKernel(
        "Attention",
        [
          draw(1, [1, 2, 2, 8]),
          draw(2, [1, 2, 2, 8]),
          draw(3, [1, 2, 2, 8]),
          none[0],
          tf.zeros([3, 8]),
          tf.zeros([3, 8]),
        ],
        2,
        { by_head: false, causal: false },
      ),
    ).toThrow(/tables \[3,8\] against q \[1,2,2,8\]/);
    for (const target of [-1, 5])
      expect(() => tokenLogProbs(draw(1, [1, 5]) as tf.Tensor2D, tf.tensor1d([target], "int32"))).toThrow(
        `target 0 is ${target}, the vocabulary has 5`,
      );
    expect(() => attention(draw(1, [1, 2, 4, 8]), draw(2, [1, 2, 3, 8]), draw(3, [1, 2, 3, 8]))).toThrow(
      /attention: q \[1, 2, 4, 8\]/,
    );
    expect(() =>
      attention(draw(1, [1, 2, 4, 8]), draw(2, [1, 3, 4, 8]), draw(3, [1, 3, 4, 8]), { causal: true }),
    ).toThrow(/2 queries and 3 keys/);
    const angles = rotaryTablesOf(draw(4, [1, 2, 1, 4]));
    expect(() =>
      attention(draw(1, [1, 2, 4, 8]), draw(2, [1, 3, 4, 8]), draw(3, [1, 3, 4, 8]), { rotary: angles }),
    ).toThrow(/rotary, with 2 queries and 3 keys; they must be as many/);
    expect(() =>
      attention(draw(1, [1, 2, 4, 8]), draw(2, [1, 4, 2, 8]), draw(3, [1, 4, 2, 8]), { rotary: angles, byHead: true }),
    ).toThrow(/2 keys by head/);
    expect(() =>
      attention(draw(1, [1, 2, 4, 8]), draw(2, [1, 3, 4, 8]), draw(3, [1, 3, 4, 8]), { mask: tf.zeros([2, 2, 3]) }),
    ).toThrow(/mask \[2, 2, 3\]; expected \[1 or 1, 1 or 2, 3\]/);
  });

  it("attention rotates as if queries and keys were rotated before", () => {
    const [q, k, v] = [draw(1, [2, 9, 4, 32]), draw(2, [2, 9, 2, 32]), draw(3, [2, 9, 2, 32])];
    const tables = rotaryTablesOf(draw(4, [1, 9, 1, 16], 3));
    const [inside, before] = [
      attention(q, k, v, { causal: true, rotary: tables }),
      attention(rotary(q, tables), rotary(k, tables), v, { causal: true }),
    ].map((x) => x.dataSync());
    expect(Math.max(...inside.map((x, i) => Math.abs(x - before[i])))).toBeLessThan(1e-5);
    // and tables that are not a kernel's: of each head its own
    const own = rotaryTablesOf(draw(4, [1, 9, 2, 16], 3));
    const [wide] = [draw(5, [2, 9, 2, 32])];
    const [a, b] = [attention(wide, k, v, { rotary: own }), attention(rotary(wide, own), rotary(k, own), v)].map((x) =>
      x.dataSync(),
    );
    expect(a).toEqual(b);
  });

  it("hold no tensor but what they return", () => {
    const inputs = [draw(1, [2, 9, 4, 8]), draw(2, [2, 9, 2, 8]), draw(3, [2, 9, 2, 8])];
    const before = tf.memory().numTensors;
    tf.dispose(tf.grads((...x: Tensor[]) => tf.sum(attention(x[0], x[1], x[2], { causal: true })))(inputs));
    expect(tf.memory().numTensors).toBe(before);
  });
});
