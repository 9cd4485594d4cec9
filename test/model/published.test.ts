import { describe, expect, it } from "vitest";
import { DEVICES, generationSeconds, trainingSeconds } from "../../lib/model/expected-time";
import { PUBLISHED, publishedConfig, publishedPreprocessorJson } from "../../lib/model/published";
import { parameterCount } from "../../lib/model/shapes";
import { parsePreprocessorConfig } from "../../lib/processor/preprocessor-config";

describe("the published checkpoints", () => {
  it("have the parameters that their safetensors indices say (total_size, two bytes each)", () => {
    expect(PUBLISHED.map((name) => 2 * parameterCount(publishedConfig(name)))).toEqual([7509245952, 16584333312]);
  });

  it("have the image processor of the release", () => {
    expect(parsePreprocessorConfig(publishedPreprocessorJson, "x")).toMatchObject({
      minPixels: 4 * 28 * 28,
      maxPixels: 16384 * 28 * 28,
      patchSize: 14,
      mergeSize: 2,
    });
  });
});

describe("expected time", () => {
  const device = { name: "toy", flops: 1e12, bandwidth: 1e11, memory: 1e9 };
  const half = { utilisation: 0.5, bytesPerParameter: 2 };

  it("is 6 operations a parameter and token in training, 2 in scoring", () => {
    expect(trainingSeconds(1e9, 1000, device, 3, half)).toBeCloseTo(12, 9); // 6e12 / 5e11
    expect(trainingSeconds(1e9, 1000, device, 1, half)).toBeCloseTo(4, 9);
  });

  it("decodes as fast as weights can be read, or as products can be made where the batch is large", () => {
    const one = { rows: 10, batch: 10, promptTokens: 100, prompts: 1, newTokens: 50 };
    // prompt 2e11 / 5e11 = 0.4 s; a step reads 2e9 / 1e11 = 20 ms, computes 2e10 / 5e11 = 40 ms
    expect(generationSeconds(1e9, one, device, half)).toBeCloseTo(0.4 + 50 * 0.04, 9);
    expect(generationSeconds(1e9, { ...one, batch: 2 }, device, half)).toBeCloseTo(0.4 + 5 * 50 * 0.02, 9);
    expect(DEVICES.every((d) => d.flops > 1e14 && d.bandwidth > 1e12)).toBe(true);
  });
});
