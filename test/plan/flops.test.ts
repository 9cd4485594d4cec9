import { describe, expect, it } from "vitest";
import { parameterCount } from "../../lib/model/shapes";
import { decoderFlops, decoderProducts, decoderShape, trainingFactor, visionFlops } from "../../lib/plan/flops";
import { SIZES, sizeConfig } from "../../lib/plan/models";

describe("the published sizes", () => {
  it("have 3.75, 8.29, 33.5 and 73.4 billion parameters", () => {
    expect(SIZES.map((size) => parameterCount(sizeConfig(size)))).toEqual([
      3754622976, 8292166656, 33452718336, 73410777344,
    ]);
  });
});

describe("operations", () => {
  const toy = { hiddenSize: 4, intermediateSize: 10, numHiddenLayers: 2, kvSize: 2, vocabSize: 100 };

  it("of a decoder: 2 a parameter and token, attention, the output layer where places are scored", () => {
    // a layer: q, o 2 x 16; k, v 2 x 8; three of 40: 168, two layers 336
    expect(decoderProducts(toy)).toBe(336);
    // 3 tokens: 2 x 336 x 3 = 2016; 9/2 pairs x 4 x 4 x 2 layers = 144; one place 2 x 4 x 100 = 800
    expect(decoderFlops(toy, 3, 1)).toBe(2016 + 144 + 800);
    // 5 in the cache: 15 pairs more x 32 = 480
    expect(decoderFlops(toy, 3, 0, 5)).toBe(2016 + 144 + 480);
  });

  it("of a row are those of its parts, one after another", () => {
    expect(decoderFlops(toy, 4, 0) + decoderFlops(toy, 6, 2, 4)).toBeCloseTo(decoderFlops(toy, 10, 2), 6);
  });

  it("of the 3B decoder agree with 2N: its products and output layer are all parameters but biases and norms", () => {
    const config = sizeConfig("3B");
    const shape = decoderShape(config);
    const vision = parameterCount(config) - 3085938688; // Qwen2.5-3B has 3,085,938,688 parameters
    expect(vision).toBe(668684288);
    const products = decoderProducts(shape) + shape.hiddenSize * shape.vocabSize;
    expect(products / 3085938688).toBeGreaterThan(0.999);
    expect(products).toBeLessThan(3085938688);
  });

  it("of the vision tower: blocks, attention in windows and in full, merger", () => {
    const config = sizeConfig("3B");
    const toyVision = {
      ...config,
      vision: {
        ...config.vision,
        hiddenSize: 2,
        intermediateSize: 3,
        depth: 2,
        fullattBlockIndexes: [1],
        patchSize: 1,
        windowSize: 2,
        inChannels: 3,
        temporalPatchSize: 2,
        spatialMergeSize: 2,
        outHiddenSize: 5,
      },
    };
    // a patch: embedding 2 x 2 x 6 = 24; blocks 2 x 2 x (16 + 18) = 136; attention 4 x 2 x (8 of the image + 4 of a
    // window) = 96; a quarter of the merger's 2 x (64 + 40) = 208: 52
    expect(visionFlops(toyVision, 8)).toBe(8 * (24 + 136 + 96 + 52));
  });

  it("of training: 3 passes, 2 under an adapter, 1 where frozen, 1 more where layers are computed again", () => {
    expect([
      trainingFactor("whole", false),
      trainingFactor("whole", true),
      trainingFactor("adapter", false),
      trainingFactor("adapter", true),
      trainingFactor("frozen", true),
    ]).toEqual([3, 4, 2, 3, 1]);
  });
});
