import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { compile } from "../../lib/engine/compile";
import { usesKernels, withoutKernels } from "../../lib/engine/kernels";
import { isBf16 } from "../../lib/engine/native";
import { isNative, tf, type Params, type Tensor } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { lmHead } from "../../lib/model/decoder";
import { createGenerator, type GenerateOptions } from "../../lib/rollout/generate";
import { intoLanes, laneSizes, regroup } from "../../lib/rollout/lanes";
import { createRounding } from "../../lib/rollout/rounded";
import type { PromptRow, Rollout } from "../../lib/rollout/types";
import type { Workbench } from "../../lib/train/workbench";
import { toyBench, toyPlace } from "../helpers/tiny";

const threads = process.env.TF_NUM_INTEROP_THREADS;
afterEach(() => void (process.env.TF_NUM_INTEROP_THREADS = threads));

const small = { hiddenSize: 192, intermediateSize: 512 };

describe.skipIf(!usesKernels())("laneSizes", () => {
  it("gives each thread whole entries, as even as they come", () => {
    expect(laneSizes(64, 1, small, 2)).toEqual([32, 32]);
    expect(laneSizes(7, 10, small, 3)).toEqual([2, 2, 3]);
    expect(laneSizes(3, 40, small, 8)).toEqual([1, 1, 1]);
  });
  it("is one lane for few rows, a larger model, or without the kernels", () => {
    expect(laneSizes(31, 1, small, 2)).toEqual([31]);
    expect(laneSizes(64, 1, { hiddenSize: 2048, intermediateSize: 11008 }, 2)).toEqual([64]);
    expect(withoutKernels(() => laneSizes(64, 1, small, 2))).toEqual([64]);
  });
});

describe("regroup", () => {
  it("takes lines of all lanes together into new lanes, and keeps no other tensor", () => {
    const whole = { x: tf.tensor2d([0, 1, 2, 3, 4, 5], [6, 1]), list: [tf.tensor1d([0, 10, 20, 30, 40, 50])] };
    const before = tf.memory().numTensors;
    const lanes = regroup(intoLanes(whole, [2, 4]), [5, 0, 3], [1, 2]);
    expect(lanes.map((lane) => [...lane.x.dataSync()])).toEqual([[5], [0, 3]]);
    expect(lanes.map((lane) => [...lane.list[0].dataSync()])).toEqual([[50], [0, 30]]);
    expect(tf.memory().numTensors).toBe(before + 4);
    disposeTree(lanes);
  });
});

describe.skipIf(!isNative)("a generator", () => {
  let bench: Workbench;
  let params: Params;
  let features: Tensor;
  let prompts: PromptRow[];
  beforeAll(async () => {
    ({ bench, params } = await toyBench(["a", "b"]));
    features = bench.features(params, ["a", "b"]);
    prompts = [bench.prompt("Parts?", toyPlace(0)), bench.prompt("What animal is this? Think first.", toyPlace(1)), bench.prompt("Describe.", toyPlace(0)), bench.prompt("Colors?", toyPlace(1))];
  });
  afterAll(() => {
    disposeTree(params, features);
    bench.dispose();
  });

  it("gives the same tokens in lanes as in one, while rows end and lanes are packed anew, and keeps no tensor", () => {
    const ending = Array.from({ length: bench.config.text.vocabSize }, (_, id) => id).filter((id) => id % 25 === 3);
    const options: GenerateOptions = { numGenerations: 16, maxNewTokens: 50, temperature: 1, topP: 0.95, eosTokenIds: ending, bannedTokenIds: bench.bannedTokenIds, seed: 4 };
    const run = (lanes: number): Rollout[] => {
      process.env.TF_NUM_INTEROP_THREADS = String(lanes);
      return bench.generator.generate(params, { prompts, features }, options);
    };
    const one = run(1);
    for (const lanes of [2, 3]) {
      run(lanes).forEach((rollout, i) => {
        expect(rollout.tokenIds, `row ${i} of ${lanes} lanes`).toEqual(one[i].tokenIds);
        rollout.logProbs.forEach((p, t) => expect(Math.abs(p - one[i].logProbs[t])).toBeLessThan(1e-4));
      });
    }
    const before = tf.memory().numTensors;
    run(2);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("rounds weights to what a product in bfloat16 would round them to, and keeps none of them", () => {
    const rounded = createRounding(bench.config, { bf16: true })(params);
    const names = Object.keys(rounded.made);
    expect(names.length).toBe(7 * bench.config.text.numHiddenLayers + 1);
    expect(names.every((name) => isBf16(rounded.made[name]))).toBe(true);
    const states = tf.randomNormal([3, bench.config.text.hiddenSize], 0, 1, "float32", 5);
    const head = compile((p: Params, x: Tensor) => lmHead(p, bench.config, x), { bf16: true });
    expect(head(rounded.params, states).dataSync()).toEqual(head(params, states).dataSync());
    expect(createRounding(bench.config, {})(params)).toEqual({ params, made: {} });
    disposeTree(rounded.made);

    const generator = createGenerator(bench.config, { bf16: true });
    const run = (): Rollout[] => generator.generate(params, { prompts, features }, { numGenerations: 2, maxNewTokens: 8, temperature: 1, topP: 1, eosTokenIds: [], bannedTokenIds: bench.bannedTokenIds, seed: 1 });
    run();
    const before = tf.memory().numTensors;
    expect(run()).toEqual(run());
    expect(tf.memory().numTensors).toBe(before);
  });

  it("rounds the embeddings as the head where they are tied, and looks them up unrounded", () => {
    const tied = Object.fromEntries(Object.entries(params).filter(([name]) => name !== "lm_head.weight"));
    const { made, params: all } = createRounding({ ...bench.config, tieWordEmbeddings: true }, { bf16: true })(tied);
    expect(isBf16(made["lm_head.weight"])).toBe(true);
    expect(all["model.embed_tokens.weight"]).toBe(params["model.embed_tokens.weight"]);
    disposeTree(made);
  });
});
