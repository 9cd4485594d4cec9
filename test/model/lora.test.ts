import { afterAll, describe, expect, it } from "vitest";
import { compile } from "../../lib/engine/compile";
import { valueAndGradients } from "../../lib/engine/gradients";
import { swiglu } from "../../lib/engine/ops";
import { random } from "../../lib/util/random";
import { tf, type Params, type Tensor } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import type { ModelConfig } from "../../lib/model/config";
import { forward } from "../../lib/model/forward";
import {
  hasLoraDropout,
  initLora,
  isLoraWeight,
  loraModules,
  loraShapes,
  mergeLora,
  splitAdapter,
  withoutLoraDropout,
} from "../../lib/model/lora";
import { LORA_DEFAULTS, loraConfigToJson, parseLoraConfig, type LoraConfig } from "../../lib/model/lora-config";
import { LORA_SEED, mlp, project } from "../../lib/model/project";
import { collate, modelInputs } from "../../lib/processor/collate";
import { trainableNames } from "../../lib/train/sft";
import { toyConfig, toyParams, toyProcessor } from "../helpers/tiny";

const config: ModelConfig = toyConfig(toyProcessor());
const tied: ModelConfig = { ...config, tieWordEmbeddings: true };
const params = toyParams(config);
const rng = random(3);
const inputs = modelInputs(
  config,
  collate(
    config,
    [
      {
        inputIds: [1, ...new Array<number>(4).fill(config.imageTokenId), 5, 6, 7],
        images: [{ grid: [1, 4, 4], pixelValues: Float32Array.from({ length: 16 * 96 }, () => rng.normal()) }],
      },
    ],
    { padTokenId: 0 },
  ),
);
afterAll(() => disposeTree(params, inputs));

const everything: LoraConfig = { ...LORA_DEFAULTS, rank: 3, alpha: 6, targetModules: "all-linear" };
/** A fresh adapter with B drawn too. */
function trained(lora: LoraConfig): Params {
  const adapter = initLora(config, lora, 1);
  const draw = random(8);
  for (const name of Object.keys(adapter).filter((key) => key.endsWith("lora_B.weight"))) {
    const { shape, size } = adapter[name];
    adapter[name].dispose();
    adapter[name] = tf.tensor(
      Float32Array.from({ length: size }, () => 0.3 * draw.normal()),
      shape,
    );
  }
  return adapter;
}
const logitsOf = (p: Params): Float32Array => tf.tidy(() => forward(p, config, inputs).dataSync() as Float32Array);
const worst = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((max, x, i) => Math.max(max, Math.abs(x - b[i])), 0);
const names = (lora: Partial<LoraConfig>, of = config): string[] =>
  Object.keys(loraModules(of, { ...LORA_DEFAULTS, ...lora }));

describe("project with an adapter", () => {
  it("by hand: y = W x + b + scaling B A x", () => {
    const p: Params = {
      "l.weight": tf.tensor2d([
        [1, 2],
        [3, 4],
      ]),
      "l.bias": tf.tensor1d([10, 20]),
      "l.lora_A.weight": tf.tensor2d([[1, -1]]),
      "l.lora_B.weight": tf.tensor2d([[2], [5]]),
      "l.lora_scaling": tf.scalar(0.5),
    };
    // W x = [7, 17] for x = [3, 2]; A x = 1; B A x = [2, 5]
    expect(Array.from(project(p, "l", tf.tensor2d([[3, 2]])).dataSync())).toEqual([18, 39.5]);
    // W + 0.5 B A = [[1 + 1, 2 - 1], [3 + 2.5, 4 - 2.5]]
    const merged = mergeLora(p);
    expect(Object.keys(merged)).toEqual(["l.weight", "l.bias"]);
    expect(Array.from(merged["l.weight"].dataSync())).toEqual([2, 1, 5.5, 1.5]);
    disposeTree(p, merged);
  });
  it("with dropout and a seed: only the adapter's input is dropped; without the seed nothing is", () => {
    const p: Params = {
      "l.weight": tf.eye(2),
      "l.lora_A.weight": tf.eye(2),
      "l.lora_B.weight": tf.tensor2d([
        [10, 0],
        [0, 10],
      ]),
      "l.lora_scaling": tf.scalar(1),
      "l.lora_dropout": tf.scalar(0.5),
    };
    const x = tf.ones([50, 2]);
    const seed = tf.tensor1d([7, 0], "int32");
    const run = (given: Params): number[] => tf.tidy(() => Array.from(project(given, "l", x).dataSync()));
    expect(new Set(run(p))).toEqual(new Set([11]));
    expect(new Set(run({ ...p, [LORA_SEED]: seed }))).toEqual(new Set([1, 21])); // 1 + 10 · (0 or 1 / 0.5)
    disposeTree(p, x, seed);
  });
});

describe("the SwiGLU layer with an adapter", () => {
  it("of one of its layers is the composition of `project`s, and differs from the layer without", () => {
    const rng = random(4);
    const draw = (...shape: number[]): Tensor =>
      tf.tensor(
        Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng.normal()),
        shape,
      );
    const p: Params = {
      "m.gate_proj.weight": draw(9, 5),
      "m.gate_proj.bias": draw(9),
      "m.up_proj.weight": draw(9, 5),
      "m.down_proj.weight": draw(4, 9),
    };
    const x = draw(2, 3, 5);
    const composed = (given: Params): Tensor =>
      tf.tidy(() =>
        project(given, "m.down_proj", swiglu(project(given, "m.gate_proj", x), project(given, "m.up_proj", x))),
      );
    for (const [layer, inSize, outSize] of [
      ["gate_proj", 5, 9],
      ["up_proj", 5, 9],
      ["down_proj", 9, 4],
    ] as const) {
      const adapter: Params = {
        [`m.${layer}.lora_A.weight`]: draw(2, inSize),
        [`m.${layer}.lora_B.weight`]: draw(outSize, 2),
        [`m.${layer}.lora_scaling`]: tf.scalar(0.5),
      };
      const [without, adapted] = [p, { ...p, ...adapter }].map((given) => mlp(given, "m", x));
      expect(adapted.shape).toEqual([2, 3, 4]);
      expect(worst(adapted.dataSync(), composed({ ...p, ...adapter }).dataSync()), layer).toBeLessThan(1e-5);
      expect(worst(without.dataSync(), composed(p).dataSync())).toBeLessThan(1e-4);
      expect(worst(adapted.dataSync(), without.dataSync()), layer).toBeGreaterThan(0.1);
    }
  });
});

describe("an adapter on the model", () => {
  it("fresh, it changes nothing: B is zero, A within 1 / sqrt(in), by seed and name", () => {
    const [a, again, other] = [
      initLora(config, everything, 1),
      initLora(config, everything, 1),
      initLora(config, everything, 2),
    ];
    expect(worst(logitsOf({ ...params, ...a }), logitsOf(params))).toBe(0);
    for (const [name, shape] of Object.entries(loraShapes(loraModules(config, everything))))
      expect(a[name].shape, name).toEqual(shape);
    const name = "model.layers.0.mlp.down_proj.lora_A.weight";
    const values = (p: Params): number[] => Array.from(p[name].dataSync());
    expect(values(again)).toEqual(values(a));
    expect(values(other)).not.toEqual(values(a));
    expect(Math.max(...values(a).map(Math.abs))).toBeLessThanOrEqual(1 / Math.sqrt(48));
    expect(Math.max(...values(a).map(Math.abs))).toBeGreaterThan(0.95 / Math.sqrt(48));
    disposeTree(a, again, other);
  });
  it("merged equals unmerged, eager and compiled, and leaves no tensor behind", () => {
    const adapter = trained(everything);
    const before = tf.memory().numTensors;
    const merged = mergeLora({ ...params, ...adapter });
    const unmerged = logitsOf({ ...params, ...adapter });
    expect(worst(logitsOf(merged), unmerged)).toBeLessThan(1e-5 * Math.max(1, ...unmerged.map(Math.abs)));
    expect(worst(logitsOf(params), unmerged)).toBeGreaterThan(0.1);
    const compiled = compile((p: Params) => forward(p, config, inputs));
    const [first, second] = [compiled({ ...params, ...adapter }), compiled({ ...params, ...adapter })];
    expect(worst(second.dataSync(), unmerged)).toBeLessThan(1e-4);
    disposeTree(first, second, merged);
    expect(tf.memory().numTensors).toBe(before);
    expect(() => mergeLora({ ...params, "x.lora_A.weight": tf.zeros([1, 1]) })).toThrow(
      /x\.lora_A\.weight adapts a layer that these/,
    );
    disposeTree(adapter);
  });
  it("alone gets gradients, of A and of B", () => {
    const adapter = trained({ ...everything, targetModules: ["q_proj", "qkv"] });
    const all = { ...params, ...adapter };
    const wanted = trainableNames(all, 1);
    expect(new Set(wanted)).toEqual(new Set(Object.keys(adapter).filter(isLoraWeight)));
    expect(trainableNames(all, 0).some((name) => name.startsWith("visual."))).toBe(false);
    const { gradients, loss } = tf.tidy(() =>
      valueAndGradients(all, wanted, (p) => ({ loss: forward(p, config, inputs).square().mean(), metrics: {} })),
    );
    for (const [name, g] of Object.entries(gradients))
      expect(Math.abs((g as Tensor).abs().sum().dataSync()[0]), name).toBeGreaterThan(0);
    disposeTree(gradients, loss, adapter);
  });
  it("has its dropout rate beside it where there is one", () => {
    const adapter = initLora(config, { ...LORA_DEFAULTS, dropout: 0.05 }, 0);
    expect(hasLoraDropout(adapter)).toBe(true);
    expect(adapter["model.layers.0.self_attn.q_proj.lora_dropout"].dataSync()[0]).toBeCloseTo(0.05);
    expect(Object.keys(adapter).filter(isLoraWeight)).toHaveLength(2 * 8);
    expect(Object.keys(splitAdapter({ ...params, ...adapter }).base)).toEqual(Object.keys(params));
    expect(hasLoraDropout(withoutLoraDropout(adapter))).toBe(false);
    expect(Object.keys(withoutLoraDropout(adapter))).toHaveLength(3 * 8);
    disposeTree(adapter);
  });
  it("splits from its base again", () => {
    const adapter = initLora(config, LORA_DEFAULTS, 0);
    const parts = splitAdapter({ ...params, ...adapter });
    expect(Object.keys(parts.base)).toEqual(Object.keys(params));
    expect(Object.keys(parts.adapter).sort()).toEqual(Object.keys(adapter).sort());
    disposeTree(adapter);
  });
});

describe("which layers", () => {
  it("by ending, by whole name in either spelling, by regular expression", () => {
    expect(names({ targetModules: ["q_proj"] })).toEqual([
      "model.layers.0.self_attn.q_proj",
      "model.layers.1.self_attn.q_proj",
    ]);
    expect(names({ targetModules: ["model.language_model.layers.1.mlp.up_proj"] })).toEqual([
      "model.layers.1.mlp.up_proj",
    ]);
    expect(names({ targetModules: ["model.layers.1.mlp.up_proj"] })).toEqual(["model.layers.1.mlp.up_proj"]);
    expect(names({ targetModules: "(?!.*visual).*(k|v)_proj" })).toHaveLength(4);
    expect(names({ targetModules: "visual\\.merger.*" })).toEqual(["visual.merger.mlp.0", "visual.merger.mlp.2"]);
    expect(names({ targetModules: ["up_proj"], excludeModules: ".*visual.*" })).toHaveLength(2);
  });
  it("all-linear is every linear layer but the output layer; that can be named where it is not tied", () => {
    const all = names({ targetModules: "all-linear" });
    expect(all).toHaveLength(2 * 7 + 2 * 5 + 2);
    expect(all).not.toContain("lm_head");
    expect(names({ targetModules: ["lm_head"] })).toEqual(["lm_head"]);
    expect(() => names({ targetModules: ["q_proj", "lm_head"] }, tied)).toThrow(/lm_head, which is tied/);
  });
  it("refuses what is no linear layer, and what is not there", () => {
    expect(() => names({ targetModules: ["proj"] })).toThrow(
      /model\.visual\.patch_embed\.proj \[16, 3, 2, 4, 4\], which is no linear layer/,
    );
    expect(names({ targetModules: ["proj"], excludeModules: ["patch_embed.proj"] })).toHaveLength(2);
    expect(() => names({ targetModules: ["embed_tokens"] })).toThrow(/embed_tokens .* no linear layer/);
    expect(() => names({ targetModules: ["c_attn"] })).toThrow(/\["c_attn"\] name no layer/);
    expect(() => names({ targetModules: "(?P<x>q_proj)" })).toThrow(/no regular expression that JavaScript knows/);
  });
  it("ranks and scalings: alpha / r, alpha / sqrt(r), by pattern", () => {
    const of = (lora: Partial<LoraConfig>): Record<string, { rank: number; scaling: number }> =>
      loraModules(config, { ...LORA_DEFAULTS, targetModules: ["q_proj", "k_proj"], ...lora });
    expect(of({ rank: 4, alpha: 8 })["model.layers.0.self_attn.q_proj"]).toMatchObject({ rank: 4, scaling: 2 });
    expect(of({ rank: 4, alpha: 8, useRslora: true })["model.layers.0.self_attn.q_proj"]).toMatchObject({
      rank: 4,
      scaling: 4,
    });
    const mixed = of({
      rank: 4,
      alpha: 8,
      rankPattern: { k_proj: 2 },
      alphaPattern: { "layers.1.self_attn.k_proj": 3, k_proj: 5 },
    });
    expect(mixed["model.layers.0.self_attn.k_proj"]).toMatchObject({ rank: 2, scaling: 2.5 });
    expect(mixed["model.layers.1.self_attn.k_proj"]).toMatchObject({ rank: 2, scaling: 1.5 });
    expect(mixed["model.layers.1.self_attn.q_proj"]).toMatchObject({ rank: 4, scaling: 2 });
  });
});

describe("adapter_config.json", () => {
  const good = { peft_type: "LORA", target_modules: ["q_proj"] };
  it("has PEFT's defaults, and comes back as it was", () => {
    expect(parseLoraConfig(good)).toEqual({ ...LORA_DEFAULTS, targetModules: ["q_proj"] });
    const lora: LoraConfig = {
      rank: 4,
      alpha: 2,
      useRslora: true,
      dropout: 0.1,
      targetModules: "all-linear",
      excludeModules: ["qkv"],
      rankPattern: { a: 2 },
      alphaPattern: { b: 0.5 },
      baseModel: "base",
    };
    expect(parseLoraConfig(JSON.parse(JSON.stringify(loraConfigToJson(lora))))).toEqual(lora);
  });
  it.each([
    [{ peft_type: "IA3" }, /a\.json: peft_type is "IA3"/],
    [{ bias: "all" }, /a\.json: bias is "all"; only "none"/],
    [{ use_dora: true }, /a\.json: use_dora is true; this is not supported/],
    [{ modules_to_save: ["lm_head"] }, /a\.json: modules_to_save is \["lm_head"\]/],
    [{ init_lora_weights: "pissa" }, /a\.json: init_lora_weights is "pissa".*changed base/],
    [{ r: 0 }, /a\.json: r is 0; expected a positive integer/],
    [{ target_modules: null }, /a\.json: target_modules is null/],
    [{ rank_pattern: { q: 1.5 } }, /a\.json: rank_pattern is \{"q":1\.5\}/],
  ])("refuses %j", (change, message) =>
    expect(() => parseLoraConfig({ ...good, ...change }, "a.json")).toThrow(message),
  );
});
