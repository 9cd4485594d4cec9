import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compile } from "../../lib/engine/compile";
import { isBf16 } from "../../lib/engine/native";
import { isNative, tf, type Params, type Tensor } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { lmHead } from "../../lib/model/decoder";
import { createGenerator } from "../../lib/rollout/generate";
import { createRounding } from "../../lib/rollout/rounded";
import type { PromptRow, Rollout } from "../../lib/rollout/types";
import type { Workbench } from "../../lib/train/workbench";
import { toyBench, toyPlace } from "../helpers/tiny";

describe.skipIf(!isNative)("a generator in bfloat16", () => {
  let bench: Workbench;
  let params: Params;
  let features: Tensor;
  let prompts: PromptRow[];
  beforeAll(async () => {
    ({ bench, params } = await toyBench(["a", "b"]));
    features = bench.features(params, ["a", "b"]);
    prompts = [bench.prompt("Parts?", toyPlace(0)), bench.prompt("What animal is this? Think first.", toyPlace(1))];
  });
  afterAll(() => {
    disposeTree(params, features);
    bench.dispose();
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
    const run = (): Rollout[] =>
      generator.generate(
        params,
        { prompts, features },
        {
          numGenerations: 2,
          maxNewTokens: 8,
          temperature: 1,
          topP: 1,
          eosTokenIds: [],
          bannedTokenIds: bench.bannedTokenIds,
          seed: 1,
        },
      );
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
