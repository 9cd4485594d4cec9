/**
 * Every part of the model, every loss and the optimizer: compiled equals eager, outputs and gradients within 1e-5 of
 * each tensor's norm (float32), within 1e-4 under XLA, and within 6e-2 with matrix products in bfloat16 (8 bits of
 * mantissa).
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compile, type CompileOptions } from "../../lib/engine/compile";
import { valueAndGradients } from "../../lib/engine/gradients";
import { adamWDefaults, adamWInit, adamWUpdate, clipFactor, globalNorm } from "../../lib/engine/optimizer";
import { isNative, tf, type Params, type Tensor } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { sftLoss } from "../../lib/loss/sft";
import { tapoLoss } from "../../lib/loss/tapo";
import { decode, embedTokens, lmHead, packedAttention, prefill } from "../../lib/model/decoder";
import { encodeImages } from "../../lib/model/vision";
import { groupBatch } from "../../lib/train/group-batch";
import { groupLogProbs } from "../../lib/train/group-log-probs";
import type { Workbench } from "../../lib/train/workbench";
import { relativeError, toyBench, toyPlace } from "../helpers/tiny";

let bench: Workbench;
let params: Params;
beforeAll(async () => ({ bench, params } = await toyBench(["a", "b"])) as never);
afterAll(() => {
  disposeTree(params);
  bench.dispose();
});

/** A fixed random tensor: weights that make a scalar of an output, or an input. */
const noise = (shape: number[], seed: number): Tensor => tf.randomNormal(shape, 0, 1, "float32", seed);
const weighed = (x: Tensor): Tensor => tf.sum(tf.mul(x, noise(x.shape, 17)));

/** Outputs of this name have no gradient. */
const METRIC = "metric ";

type Part = (p: Params) => Record<string, Tensor>;

/** Each part as a function of the parameters; what else it reads is captured. */
function partsOf(): Record<string, Part> {
  const { config } = bench;
  const [B, T] = [2, 9];
  const ids = tf.tensor2d(
    Array.from({ length: B * T }, (_, i) => 3 + i),
    [B, T],
    "int32",
  );
  const positions = tf.tile(tf.reshape(tf.range(0, T, 1, "int32"), [1, 1, T]), [3, B, 1]);
  const segments = tf.tensor2d([0, 0, 0, 0, 1, 1, 1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 1, 1], [B, T], "int32");
  const { pixelValues: patches, vision } = bench.batch(["a", "b"], { seeds: [1, 2], strength: 1 });
  const features = noise([8, config.text.hiddenSize], 3);
  const group = groupBatch(
    [bench.prompt("Answer.", toyPlace(0)), bench.prompt("What animal is this?", toyPlace(1))],
    [
      { prompt: 0, tokenIds: [5, 6, 7], scored: true },
      { prompt: 1, tokenIds: [8], scored: true },
      { prompt: 1, tokenIds: [9, 10], scored: true },
    ],
  );
  const mask = group.weights;
  const [old, negative] = [
    tf.mul(tf.sub(noise(mask.shape, 5), 3), mask),
    tf.mul(tf.sub(noise(mask.shape, 6), 3), mask),
  ];
  const scores = (p: Params): Tensor => tf.mul(groupLogProbs(p, config, features, group, 0.9), mask);
  return {
    "vision tower": (p) => ({ features: encodeImages(p, config, patches, vision) }),
    "prefill with its caches": (p) => {
      const ends = {
        last: tf.tensor1d([T - 1, T + 5], "int32"),
        mask: tf.tensor4d(
          [0, 1].flatMap((row) => Array.from({ length: T }, (_, i) => (row === 1 && i > 5 ? -1e9 : 0))),
          [B, 1, 1, T],
        ),
      };
      const { states, keys, values } = prefill(p, config, embedTokens(p, ids), positions, ends);
      return { states, ...Object.fromEntries([...keys, ...values].map((x, i) => [`cache${i}`, x])) };
    },
    "decoder on packed rows, logits": (p) => {
      const attend = packedAttention(segments);
      return {
        logits: lmHead(
          p,
          config,
          decode(p, config, embedTokens(p, ids), positions, () => attend),
        ),
      };
    },
    "group log-probs": (p) => ({ logProbs: scores(p) }),
    "SFT loss": (p) => ({ loss: sftLoss(scores(p), mask) }),
    "TAPO loss": (p) => {
      const { loss, metrics } = tapoLoss({
        logProbs: scores(p),
        oldLogProbs: old,
        advantages: tf.tensor1d([1, -1, 0.5]),
        responseMask: mask,
        negativeLogProbs: tf.mul(negative, tf.sum(p["model.norm.weight"])),
      });
      return { loss, ...Object.fromEntries(Object.entries(metrics).map(([name, x]) => [`${METRIC}${name}`, x])) };
    },
    optimizer: (p) => {
      const gradients = Object.fromEntries(
        Object.entries(p).map(([name, x], i) => [name, tf.mul(noise(x.shape, i + 1), 0.3)]),
      );
      const once = adamWUpdate(p, gradients, adamWInit(p), tf.scalar(0.01), adamWDefaults, {
        gradientScale: clipFactor(globalNorm(gradients), 1),
      });
      return adamWUpdate(once.params, gradients, once.state, tf.scalar(0.01), adamWDefaults).params;
    },
  };
}

/** Outputs and gradients of a part, eagerly and compiled. */
function difference(part: Part, options: CompileOptions): number {
  const both = (p: Params): { outputs: Params; gradients: Params } => {
    let outputs: Params = {};
    const { gradients } = valueAndGradients(p, Object.keys(p), (q) => {
      const out = part(q);
      outputs = Object.fromEntries(Object.entries(out).map(([name, x]) => [name, tf.keep(x.clone())]));
      // summed by fixed weights; every parameter takes part, so that each has a gradient
      const touched = tf.mul(tf.addN(Object.values(q).map((x) => tf.sum(x))), 1e-3);
      return {
        loss: tf.addN([
          touched,
          ...Object.keys(out)
            .filter((name) => !name.startsWith(METRIC))
            .map((name) => weighed(out[name])),
        ]),
        metrics: {},
      };
    });
    return { outputs, gradients };
  };
  const eager = both(params);
  const compiled = compile(both, options);
  compiled(params); // the trace itself runs eagerly
  const replayed = compiled(params);
  return Math.max(relativeError(replayed.outputs, eager.outputs), relativeError(replayed.gradients, eager.gradients));
}

/** XLA takes seconds to compile each: a part of the model, a loss and the optimizer stand for the others. */
const XLA = ["vision tower", "SFT loss", "optimizer"];

describe.skipIf(!isNative)("compiled equals eager", () => {
  const names = [
    "vision tower",
    "prefill with its caches",
    "decoder on packed rows, logits",
    "group log-probs",
    "SFT loss",
    "TAPO loss",
    "optimizer",
  ];
  it("for every part there is", () => expect(Object.keys(partsOf())).toEqual(names));
  it.each(names)("%s", (name) => {
    const part = partsOf()[name];
    expect(difference(part, { name: `parts.${name}` }), "float32").toBeLessThan(1e-5);
    if (XLA.includes(name))
      expect(difference(part, { name: `parts.${name}.xla`, xla: true }), "XLA").toBeLessThan(1e-4);
    expect(difference(part, { name: `parts.${name}.bf16`, bf16: true }), "bfloat16").toBeLessThan(6e-2);
  });
});
