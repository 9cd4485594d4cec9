import { describe, expect, it } from "vitest";
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
