import { describe, expect, it } from "vitest";
import type { ModelConfig } from "../../lib/model/config";
import { LORA_DEFAULTS } from "../../lib/model/lora-config";
import {
  cacheFloats,
  decoderActivations,
  generationPhase,
  parameterCounts,
  trainingPhase,
  visionActivations,
} from "../../lib/model/memory-plan";
import { parameterCount } from "../../lib/model/shapes";
import { toyConfig, toyProcessor } from "../helpers/tiny";

// hidden 32, MLP 48, 2 layers, 4 heads of 8, 2 of keys; vision: width 16, MLP 24, 2 blocks, 2 heads, windows of 2 x 2
// patches, block 1 full
const config: ModelConfig = toyConfig(toyProcessor());
const vocab = config.text.vocabSize;
const bytes = (phase: { items: { name: string; bytes: number }[] }, name: string): number =>
  phase.items.find((item) => item.name === name)!.bytes;

describe("the memory plan, by hand", () => {
  it("counts what is trained", () => {
    const all = parameterCount(config);
    expect(parameterCounts(config, null, true)).toEqual({ model: all, adapter: 0, trained: all });
    expect(parameterCounts(config, null, false).trained).toBeLessThan(all);
    // q_proj [32, 32] at rank 3 in two layers: 2 * 3 * 64 = 384; qkv [48, 16] in two blocks: 2 * 3 * 64 = 384
    const lora = { ...LORA_DEFAULTS, rank: 3, targetModules: ["q_proj", "qkv"] };
    expect(parameterCounts(config, lora, true)).toEqual({ model: all, adapter: 768, trained: 768 });
    expect(parameterCounts(config, lora, false)).toEqual({ model: all, adapter: 768, trained: 384 });
  });
  it("counts two bytes a weight where an adapter is trained beside bfloat16, and four of the adapter", () => {
    const counts = { model: 1000, adapter: 10, trained: 10, weightBytes: 2 } as const;
    const shape = { rows: 1, promptTokens: 3, responseTokens: 2, images: 1, imagePatches: 16 };
    for (const phase of [
      trainingPhase("step", config, counts, shape, 1, false),
      generationPhase("rollouts", config, counts, shape, 1),
    ]) {
      expect(bytes(phase, "weights")).toBe(2 * 1000 + 4 * 10);
      expect(phase.items[0].how).toBe("1000 parameters in bfloat16, 10 in float32");
    }
  });
  it("counts activations and caches", () => {
    // per token: 6 * 32 + 2 * 16 + 4 * 5 + 4 * 48 = 436; 2 layers, 5 tokens
    expect(decoderActivations(config, 5)).toBe(2 * 5 * 436);
    // per patch: 2 * (8 * 16 + 4 * 24) + 2 * (1 * 16 + 1 * 4) = 488; 16 patches
    expect(visionActivations(config, 16)).toBe(16 * 488);
    // keys and values of 2 layers, 2 heads of 8: 64 floats a token
    expect(cacheFloats(config, 10)).toBe(640);
  });
  it("sums a training step: 28 bytes a trained parameter, then activations and logits", () => {
    const counts = { model: 1000, adapter: 0, trained: 1000 };
    const step = trainingPhase(
      "step",
      config,
      counts,
      { rows: 2, promptTokens: 3, responseTokens: 2, images: 3, imagePatches: 16 },
      2,
      true,
    );
    expect(["weights", "gradients", "optimizer", "new copies"].map((name) => bytes(step, name))).toEqual([
      4000, 4000, 8000, 12000,
    ]);
    expect(bytes(step, "activations")).toBe(4 * 2 * 2 * 4360);
    expect(bytes(step, "vision activations")).toBe(4 * 3 * 16 * 488);
    expect(bytes(step, "logits")).toBe(2 * 4 * 2 * 2 * 2 * vocab);
    expect(bytes(step, "allocator")).toBe(0.25 * 28000 + 2 ** 27);
    expect(step.bytes).toBe(step.items.reduce((sum, item) => sum + item.bytes, 0));
    const frozen = trainingPhase(
      "step",
      config,
      { model: 1000, adapter: 10, trained: 10 },
      { rows: 1, promptTokens: 3, responseTokens: 2, images: 3, imagePatches: 16 },
      1,
      false,
    );
    expect([
      bytes(frozen, "weights"),
      bytes(frozen, "optimizer"),
      frozen.items.some((item) => item.name === "vision activations"),
    ]).toEqual([4040, 80, false]);
  });
  it("counts inputs of layers and one layer's activations where layers are recomputed", () => {
    const counts = { model: 1000, adapter: 0, trained: 1000 };
    const step = trainingPhase(
      "step",
      config,
      counts,
      { rows: 2, promptTokens: 3, responseTokens: 2, images: 3, imagePatches: 16 },
      1,
      true,
      true,
    );
    expect(bytes(step, "activations")).toBe(4 * 2 * (2 * 5 * 32 + 4360 / 2)); // 2 layers' inputs of 5 x 32, one layer of the two
    expect(bytes(step, "vision activations")).toBe(4 * 3 * (2 * 16 * 16 + (16 * 488) / 2));
  });
  it("counts one group's copies where more is trained than a group holds", () => {
    const trained = 2 ** 26;
    const step = trainingPhase(
      "step",
      config,
      { model: trained, adapter: 0, trained },
      { rows: 1, promptTokens: 3, responseTokens: 2, images: 1, imagePatches: 16 },
      1,
      true,
    );
    expect(bytes(step, "new copies")).toBe(2 * 2 ** 25); // a group of 32 MiB, made from as much
  });
  it("sums generation: a prompt's cache once, a row's twice, one layer's attention over the prompts", () => {
    const phase = generationPhase(
      "rollouts",
      config,
      { model: 1000, adapter: 0, trained: 0 },
      { rows: 6, promptTokens: 10, responseTokens: 5, images: 2, imagePatches: 4 },
      3,
    );
    expect(phase.bytes).toBe(4000 + 2 * 4 * 2 * 4 * 100 + 4 * 2 * 640 + 2 * 4 * 6 * 320 + 2 * 4 * 6 * vocab);
  });
});
