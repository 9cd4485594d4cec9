/**
 * Fused kernels against the compositions they stand for: values and gradients, as relative errors in the norm. Run as a
 * program it prints them, for an instruction set that `FINE_R1_KERNELS` picks.
 */
import { attention, type AttentionOptions } from "../../lib/engine/attention";
import { gatherRows, mergeRows } from "../../lib/engine/gather";
import { kernelInstructionSet, usesKernels, withoutKernels } from "../../lib/engine/kernels";
import { linear } from "../../lib/engine/linear";
import { geluExact, rmsNorm, rotary, rotaryTablesOf, swiglu } from "../../lib/engine/ops";
import { adamWDefaults, adamWUpdate, globalNorm } from "../../lib/engine/optimizer";
import { random } from "../../lib/util/random";
import { swigluMlp, type LinearLayer } from "../../lib/engine/swiglu-mlp";
import { tf, type Tensor } from "../../lib/engine/tensorflow";
import { mapParams } from "../../lib/engine/tree";
import { tokenLogProbs } from "../../lib/loss/log-probs";
import type { ModelConfig } from "../../lib/model/config";
import { decodeAttention } from "../../lib/rollout/attention";
import { temperedSoftmax } from "../../lib/rollout/choose";

export const draw = (seed: number, shape: number[], scale = 1): Tensor => {
  const rng = random(seed);
  return tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => scale * rng.normal()),
    shape,
  );
};

const relative = (a: Tensor, b: Tensor): number =>
  tf.tidy(() => tf.div(tf.norm(tf.sub(a, b)), tf.maximum(tf.norm(b), 0.1)).dataSync()[0]);

/** What fused and composed differ by, as a name and a number. */
export type Difference = [string, number];

/** `run` with the kernels and without them, output by output. */
function both(name: string, run: () => Tensor[]): Difference[] {
  return tf.tidy(() => {
    const [fused, composed] = [run(), withoutKernels(run)];
    return fused.map((x, i): Difference => [
      `${name}, output ${i}`,
      x.shape.join() === composed[i].shape.join() ? relative(x, composed[i]) : Infinity,
    ]);
  });
}

/** Value and gradients of `f` for a fixed gradient of its output. */
function withGradients(name: string, f: (...inputs: Tensor[]) => Tensor, inputs: Tensor[]): Difference[] {
  return both(name, () => {
    const y = f(...inputs);
    const weights = draw(99, y.shape);
    return [y, ...tf.grads((...xs: Tensor[]) => tf.sum(tf.mul(f(...xs), weights)))(inputs)];
  });
}

/** [batch, queries, heads, key heads, size]: sizes that fill registers of 4, 8 and 16 numbers, and that don't. */
const SHAPES: [number, number, number, number, number][] = [
  [2, 5, 6, 2, 4],
  [1, 1, 2, 1, 16],
  [3, 33, 4, 4, 32],
  [2, 17, 6, 2, 20],
  [1, 140, 2, 1, 80],
];

function attentions(): Difference[] {
  return SHAPES.flatMap(([batch, length, heads, kvHeads, size]) => {
    const masks: Record<string, Tensor | null> = {
      none: null,
      scattered: tf.tidy(() =>
        tf.mul(
          tf.mul(
            tf.cast(tf.greater(tf.randomUniform([batch, length, length], 0, 1, "float32", 5), 0.6), "float32"),
            tf.sub(1, tf.eye(length)),
          ),
          -1e9,
        ),
      ),
      padded: tf.tensor3d(
        Array.from({ length: batch }, (_, b) => [
          Array.from({ length }, (_, j) => (j < Math.max(1, length - 2 * b) ? 0 : -1e9)),
        ]),
      ),
      shared: tf.mul(draw(7, [1, length, length]), 2),
    };
    return Object.entries(masks).flatMap(([kind, mask]) =>
      [{ causal: true }, { byHead: true }, {}].flatMap((how: AttentionOptions) => {
        const keys = how.byHead ? [batch, kvHeads, length, size] : [batch, length, kvHeads, size];
        const name = `attention [${[batch, length, heads, kvHeads, size].join(", ")}], mask ${kind}, ${JSON.stringify(how)}`;
        // padded and causal: the last queries of a short row see what is before the padding
        return withGradients(name, (q, k, v) => attention(q, k, v, { ...how, mask }), [
          draw(1, [batch, length, heads, size]),
          draw(2, keys),
          draw(3, keys),
        ]);
      }),
    );
  });
}

/**
 * Queries and keys that are rotated on the way, by tables of one row, of each place, and of each token of the batch.
 */
function rotating(): Difference[] {
  return SHAPES.flatMap(([batch, length, heads, kvHeads, size]) => {
    const keys = [batch, length, kvHeads, size];
    const padded = tf.tensor3d(
      Array.from({ length: batch }, (_, b) => [
        Array.from({ length }, (_, j) => (j < Math.max(1, length - 2 * b) ? 0 : -1e9)),
      ]),
    );
    return [
      [1, 1],
      [1, length],
      [batch, length],
    ].flatMap((rows) =>
      [{ causal: true }, { mask: padded }].flatMap((how: AttentionOptions) => {
        const tables = rotaryTablesOf(draw(5, [...rows, 1, size / 2], 3));
        const name = `attention [${[batch, length, heads, kvHeads, size].join(", ")}] that rotates by [${rows.join(", ")}], ${Object.keys(how).join()}`;
        return withGradients(name, (q, k, v) => attention(q, k, v, { ...how, rotary: tables }), [
          draw(1, [batch, length, heads, size]),
          draw(2, keys),
          draw(3, keys),
        ]);
      }),
    );
  });
}

/**
 * x [..., in], out: sizes that fill tiles of 16 lines by 32 places, and that don't. Some go over more than one block;
 * gradients of small weights are summed in slices where there are several threads and thousands of rows; 180 places are
 * multiplied in one piece, 700 in several; rows of 1,024 numbers are packed.
 */
const LAYERS: [number[], number][] = [
  [[3, 5], 7],
  [[70, 77], 45],
  [[2, 33, 130], 20],
  [[300, 128], 512],
  [[37, 700], 50],
  [[530, 40], 33],
  [[2100, 24], 16],
  [[5000, 8], 4],
  [[290, 180], 1024],
];

function layers(): Difference[] {
  return LAYERS.flatMap(([shape, out]) => {
    const inputs = [draw(1, shape), draw(2, [out, shape[shape.length - 1]]), draw(3, [out])];
    const name = `linear, [${shape.join(", ")}] to ${out}`;
    return [
      ...withGradients(name, (x, w, bias) => linear(x, w, bias), inputs),
      ...withGradients(`${name}, no bias`, (x, w) => linear(x, w), inputs.slice(0, 2)),
    ];
  });
}

/**
 * x [..., in], inner, out, which of the layers gate, up and down have a bias, and how large x is: some gates are so far
 * from 0 that the sigmoid is 0 or 1.
 */
const MLPS: [number[], number, number, boolean[], number?][] = [
  [[5, 7], 11, 3, [true, true, true]],
  [[70, 40], 150, 45, [true, true, true]],
  [[600, 128], 512, 128, [false, false, false]],
  [[4, 75, 33], 129, 20, [false, false, true]],
  [[130, 160], 140, 160, [true, false, false], 60],
];

function mlps(): Difference[] {
  return MLPS.flatMap(([shape, inner, out, biased, scale]) => {
    const width = shape[shape.length - 1];
    const sizes = [
      [inner, width],
      [inner, width],
      [out, inner],
    ];
    const weights = sizes.map(([to, from], i) => draw(2 + i, [to, from], 1 / Math.sqrt(from)));
    const biases = sizes.flatMap(([to], i) => (biased[i] ? [draw(5 + i, [to])] : []));
    const run = (x: Tensor, ...parameters: Tensor[]): Tensor => {
      const left = parameters.slice(3);
      const [gate, up, down] = biased.map((has, i): LinearLayer => ({
        weight: parameters[i],
        bias: has ? left.shift()! : null,
      }));
      return swigluMlp(x, gate, up, down);
    };
    return withGradients(`SwiGLU layer, [${shape.join(", ")}] by ${inner} to ${out}`, run, [
      draw(1, shape, scale),
      ...weights,
      ...biases,
    ]);
  });
}

/** Some decoding steps, each with its new key and value, over a prompt that two rows share, a past and a chunk. */
function decoding(): Difference[] {
  return [
    [4, 4, 2, 0],
    [32, 6, 2, 5],
    [20, 2, 1, 3],
  ].flatMap(([headDim, heads, kv, past]) =>
    both(`decode attention, ${headDim} x ${heads} over ${kv}, past ${past}`, () => {
      const config = { text: { numAttentionHeads: heads, numKeyValueHeads: kv, headDim } } as ModelConfig;
      const [rows, prompts, length, chunk] = [4, 2, 7, 6];
      const own = (seed: number): Tensor[] => (past === 0 ? [] : [draw(seed, [rows, kv, past, headDim])]);
      let chunks = [0, 1].map(() => tf.fill([rows, kv, chunk, headDim], 0));
      const outputs: Tensor[] = [];
      for (let step = 0; step < chunk; step++) {
        const cache = {
          promptKeys: [draw(1, [prompts, kv, length, headDim])],
          promptValues: [draw(2, [prompts, kv, length, headDim])],
          promptMask: tf.tensor4d([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1e9, -1e9, -1e9], [prompts, 1, 1, length]),
          pastKeys: own(3),
          pastValues: own(4),
          chunkKeys: [chunks[0]],
          chunkValues: [chunks[1]],
          slot: tf.scalar(step, "int32"),
        };
        const attend = decodeAttention(config, cache, (_, key, value) => (chunks = [key, value]))(0);
        outputs.push(
          attend(
            draw(10 + step, [rows, heads, headDim]),
            draw(20 + step, [rows, kv, headDim]),
            draw(30 + step, [rows, kv, headDim]),
          ),
        );
      }
      return [...outputs, ...chunks];
    }),
  );
}

function updates(): Difference[] {
  // two that take the same step, one of them in several parts, around one that takes another
  const of = (seed: number) => ({ w: draw(seed, [7, 33]), b: draw(seed + 1, [5]), wide: draw(seed + 2, [130, 140]) });
  const params = of(1);
  const gradients = of(4);
  const state = { step: tf.scalar(3), m: of(7), v: mapParams(of(10), (x) => tf.square(x)) };
  const options = { ...adamWDefaults, learningRateScale: (name: string) => (name === "b" ? 0.5 : 1) };
  return [{}, { gradientScale: tf.scalar(0.3) }, { apply: tf.scalar(0) }, { apply: tf.scalar(1) }].flatMap((control) =>
    both(`AdamW, ${Object.keys(control).join()}`, () => {
      const next = adamWUpdate(params, gradients, state, tf.scalar(0.01), options, control);
      return [
        ...Object.values(next.params),
        ...Object.values(next.state.m),
        ...Object.values(next.state.v),
        next.state.step,
      ];
    }),
  );
}

/** Every kernel but the drawing of tokens, which `test/rollout/choose.test.ts` compares with the host's. */
export function differences(): Difference[] {
  const tables = (shape: number[]) => rotaryTablesOf(draw(5, shape));
  return [
    ...withGradients("rmsNorm", (x, w) => rmsNorm(x, w, 1e-6), [draw(1, [3, 50, 96]), draw(2, [96])]),
    ...withGradients("rmsNorm, odd", (x, w) => rmsNorm(x, w, 1e-5), [draw(1, [131, 13]), draw(2, [13])]),
    ...withGradients("swiglu", swiglu, [draw(1, [7, 33], 20), draw(2, [7, 33])]),
    ...withGradients("geluExact", geluExact, [draw(1, [7, 33], 3)]),
    ...withGradients(
      "gatherRows",
      (x) =>
        gatherRows(
          x,
          tf.tensor2d(
            [
              [0, 6, 6, 2],
              [1, 1, 3, 0],
            ],
            [2, 4],
            "int32",
          ),
        ),
      [draw(1, [7, 5])],
    ),
    ...withGradients("gatherRows, of more axes", (x) => gatherRows(x, tf.tensor1d([3, 3, 0], "int32")), [
      draw(1, [4, 3, 17]),
    ]),
    ...withGradients(
      "mergeRows",
      (x, rows) =>
        mergeRows(
          x,
          rows,
          tf.tensor2d(
            [
              [-1, 2, 0, -1],
              [2, 2, -1, 1],
            ],
            [2, 4],
            "int32",
          ),
        ),
      [draw(1, [2, 4, 5]), draw(2, [3, 5])],
    ),
    ...withGradients("rotary, tables of a row", (x) => rotary(x, tables([1, 5, 1, 4])), [draw(1, [3, 5, 2, 8])]),
    ...withGradients("rotary, tables of all", (x) => rotary(x, tables([3, 5, 1, 3])), [draw(1, [3, 5, 2, 6])]),
    ...withGradients("rotary, a head's own", (x) => rotary(x, tables([1, 1, 2, 4])), [draw(1, [3, 5, 2, 8])]),
    ...withGradients(
      "tokenLogProbs",
      (x) => tokenLogProbs(x as tf.Tensor2D, tf.tensor1d([1, 5, 99, 0], "int32"), 0.7),
      [draw(1, [4, 100], 5)],
    ),
    ...withGradients("tokenLogProbs, far apart", (x) => tokenLogProbs(x as tf.Tensor2D, tf.tensor1d([0, 1], "int32")), [
      tf.tensor2d([
        [1000, 999, -1000],
        [-1000, 1000, 0],
      ]),
    ]),
    ...both("temperedSoftmax", () => [temperedSoftmax(draw(1, [5, 77], 8), tf.scalar(0.6))]),
    ...both("globalNorm", () => [
      globalNorm({ large: draw(1, [300, 41]), one: draw(2, [1]), small: draw(3, [7, 5], 40) }),
    ]),
    ...layers(),
    ...mlps(),
    ...attentions(),
    ...rotating(),
    ...decoding(),
    ...updates(),
  ];
}

if (require.main === module)
  console.log(
    JSON.stringify({ instructionSet: kernelInstructionSet(), used: usesKernels(), differences: differences() }),
  );
