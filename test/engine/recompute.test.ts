import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compile } from "../../lib/engine/compile";
import { valueAndGradients } from "../../lib/engine/gradients";
import { recomputed } from "../../lib/engine/recompute";
import { tf, type Params, type Tensor } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { initLora } from "../../lib/model/lora";
import { LORA_DEFAULTS } from "../../lib/model/lora-config";
import { LORA_SEED } from "../../lib/model/project";
import { encodeImages } from "../../lib/model/vision";
import type { VisionInputs } from "../../lib/model/vision-plan";
import { rowBatch, type RowBatch } from "../../lib/train/batch";
import { groupBatch, type GroupBatch } from "../../lib/train/group-batch";
import { groupLogProbs } from "../../lib/train/group-log-probs";
import { rowLogProbs } from "../../lib/train/row-log-probs";
import { stateLogProbs } from "../../lib/train/state-log-probs";
import type { Workbench } from "../../lib/train/workbench";
import { relativeError, toyBench, toyPlace } from "../helpers/tiny";

let bench: Workbench;
let params: Params;
let pixels: Tensor;
let vision: VisionInputs;
let packed: RowBatch;
let group: GroupBatch;

beforeAll(async () => {
  const made = await toyBench(["a", "b"]);
  bench = made.bench;
  const lora = { ...LORA_DEFAULTS, rank: 2, alpha: 4, dropout: 0.3, targetModules: ["q_proj", "qkv", "down_proj"] };
  const adapter = initLora(bench.config, lora, 3);
  for (const name of Object.keys(adapter).filter((key) => key.endsWith("lora_B.weight"))) {
    const { shape } = adapter[name];
    adapter[name].dispose();
    adapter[name] = tf.fill(shape, 0.1);
  }
  params = { ...made.params, ...adapter };
  ({ pixelValues: pixels, vision } = bench.batch(["a", "b"]));
  const prompts = [bench.prompt("Answer.", toyPlace(0)), bench.prompt("What animal is this?", toyPlace(1))];
  const responses = [
    [0, [11, 12, 13]],
    [1, [14, 15]],
    [1, [16]],
  ] as const;
  const rows = responses.map(([prompt, tokenIds]) => {
    const { inputIds } = prompts[prompt];
    return {
      inputIds: [...inputIds, ...tokenIds],
      predicted: [...inputIds.map(() => false), ...tokenIds.map(() => true)],
      image: toyPlace(prompt),
    };
  });
  packed = rowBatch([[rows[0], rows[1]], [rows[2]]], bench.config, { lengthBucket: 1, placesBucket: 1 });
  group = groupBatch(
    prompts,
    responses.map(([prompt, tokenIds]) => ({ prompt, tokenIds: [...tokenIds], scored: true })),
  );
});
afterAll(() => {
  disposeTree(params, pixels, vision, packed, group);
  bench.dispose();
});

type Batches = { pixels: Tensor; packed: RowBatch; group: GroupBatch; vision: VisionInputs };
/** Gradients of every parameter, adapter and vision tower included, of both kinds of batch. */
const gradients =
  (recompute: boolean) =>
  (p: Params, b: Batches): { loss: Tensor; gradients: Params } => {
    const out = valueAndGradients(
      p,
      Object.keys(p).filter((name) => !/lora_(scaling|dropout|seed)$/.test(name)),
      (q) => {
        const features = encodeImages(q, bench.config, b.pixels, b.vision, recompute);
        const rows = tf.sum(rowLogProbs(q, bench.config, features, b.packed, 0.7, recompute));
        return {
          loss: tf.add(
            rows,
            tf.sum(tf.mul(groupLogProbs(q, bench.config, features, b.group, 0.9, recompute), b.group.weights)),
          ),
          metrics: {},
        };
      },
    );
    return { loss: out.loss, gradients: out.gradients };
  };

describe("log-probabilities of some places at a time", () => {
  it("are those of all at once, tied and untied, with the same gradients, and leave no tensor behind", () => {
    for (const tieWordEmbeddings of [false, true]) {
      const config = { ...bench.config, tieWordEmbeddings };
      const states = tf.randomNormal([7, 32], 0, 1, "float32", 4);
      const targets = tf.tensor1d([3, 1, 4, 1, 5, 9, 2], "int32");
      const before = tf.memory().numTensors;
      const some = Object.fromEntries(
        ["model.embed_tokens.weight", "lm_head.weight"]
          .filter((name) => !tieWordEmbeddings || name !== "lm_head.weight")
          .map((name) => [name, params[name]]),
      );
      const of =
        (recompute: boolean, atOnce: number) =>
        (p: Params): { loss: Tensor; gradients: Params } => {
          const { loss, gradients } = valueAndGradients(
            { ...p, states },
            tieWordEmbeddings ? ["model.embed_tokens.weight", "states"] : ["lm_head.weight", "states"],
            (q) => {
              const logProbs = stateLogProbs(q, config, q.states, targets, 0.8, recompute, atOnce);
              return { loss: tf.sum(tf.mul(logProbs, tf.tensor1d([1, -2, 3, -4, 5, -6, 7]))), metrics: {} };
            },
          );
          return { loss, gradients };
        };
      const [whole, chunks, one] = [of(false, 0), of(true, 3), of(true, 100)].map((run) => tf.tidy(() => run(some)));
      const compiled = compile(of(true, 3), { name: "chunks" })(some);
      for (const other of [chunks, one, compiled]) {
        expect(relativeError({ loss: other.loss }, { loss: whole.loss })).toBeLessThan(1e-5);
        expect(relativeError(other.gradients, whole.gradients)).toBeLessThan(1e-5);
      }
      disposeTree(whole, chunks, one, compiled);
      expect(tf.memory().numTensors).toBe(before);
      disposeTree(states, targets);
    }
  });
});

describe("gradient checkpointing", () => {
  it("gives the same loss and gradients, eager and compiled, and leaves no tensor behind", () => {
    const batches = { pixels, packed, group, vision };
    const plain = tf.tidy(() => gradients(false)(params, batches));
    const before = tf.memory().numTensors;
    const eager = tf.tidy(() => gradients(true)(params, batches));
    const compiled = compile(gradients(true), { name: "recomputed" });
    const traced = compiled(params, batches);
    const replayed = compiled(params, batches);
    for (const [other, tolerance] of [
      [eager, 1e-6],
      [traced, 1e-5],
      [replayed, 1e-5],
    ] as const) {
      // compiled: TensorFlow may take other kernels
      expect(relativeError({ loss: other.loss }, { loss: plain.loss })).toBeLessThan(tolerance);
      expect(relativeError(other.gradients, plain.gradients)).toBeLessThan(tolerance);
    }
    disposeTree(eager, traced, replayed);
    expect(tf.memory().numTensors).toBe(before);
    disposeTree(plain);
  });

  it("drops the same values with LoRA's dropout and a seed as without recomputing, and does drop", () => {
    const batches = { pixels, packed, group, vision };
    const [seed, other] = [tf.tensor1d([5, 7], "int32"), tf.tensor1d([5, 8], "int32")];
    const before = tf.memory().numTensors;
    const dropped = { ...params, [LORA_SEED]: seed };
    const plain = tf.tidy(() => gradients(false)(dropped, batches));
    const undropped = tf.tidy(() => gradients(true)(params, batches));
    const eager = tf.tidy(() => gradients(true)(dropped, batches));
    const compiled = compile(gradients(true), { name: "recomputed.dropout" });
    const traced = compiled(dropped, batches);
    const redrawn = compiled({ ...params, [LORA_SEED]: other }, batches);
    expect(relativeError(eager.gradients, plain.gradients)).toBeLessThan(1e-6);
    expect(relativeError(traced.gradients, plain.gradients)).toBeLessThan(1e-5);
    expect(relativeError(undropped.gradients, plain.gradients)).toBeGreaterThan(0.01);
    expect(relativeError(redrawn.gradients, plain.gradients)).toBeGreaterThan(0.01);
    disposeTree(plain, undropped, eager, traced, redrawn);
    expect(tf.memory().numTensors).toBe(before);
    disposeTree(seed, other);
  });

  it("computes its part once more in the backward pass, and gives zeros where an input has no part in it", () => {
    let runs = 0;
    const [x, y] = [tf.tensor1d([1, 2]), tf.tensor1d([3, 4])];
    const { loss, gradients: g } = valueAndGradients({ x, y }, ["x", "y"], (p) => ({
      loss: tf.sum(
        recomputed([p.x, p.y], ([a]) => {
          runs++;
          return tf.mul(tf.square(a), a);
        }),
      ),
      metrics: {},
    }));
    expect(runs).toBe(2);
    expect(loss.dataSync()[0]).toBe(9); // 1 + 8
    expect(Array.from(g.x.dataSync())).toEqual([3, 12]); // 3 x²
    expect(Array.from(g.y.dataSync())).toEqual([0, 0]);
    disposeTree(x, y, loss, g);
  });
});
