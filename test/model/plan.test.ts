import { describe, expect, it } from "vitest";
import { configToJson, parseConfig } from "../../lib/model/config";
import { parseGenerationConfig } from "../../lib/model/generation-config";
import { ropePositions } from "../../lib/model/positions";
import { parameterCount } from "../../lib/model/shapes";
import { tinyConfig } from "../../lib/model/tiny";
import { visionPlan } from "../../lib/model/vision-plan";

const tokens = {
  imageTokenId: 90,
  videoTokenId: 91,
  visionStartTokenId: 92,
  visionEndTokenId: 93,
  eosTokenId: 94,
  padTokenId: 95,
};
const config = tinyConfig(100, tokens);

describe("visionPlan", () => {
  it("visits windows of 2 x 2 tokens, whole windows need no index", () => {
    const plan = visionPlan(config, [[1, 8, 8]]);
    expect(Array.from(plan.windowIndex)).toEqual([0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15]);
    expect(plan.windowSegments).toEqual({ count: 4, length: 16, index: null, inverse: null, mask: null });
    expect(plan.fullSegments).toMatchObject({ count: 1, length: 64, index: null });
    expect(Array.from(plan.positions.slice(0, 10))).toEqual([0, 0, 0, 1, 1, 0, 1, 1, 0, 2]);
  });
  it("pads ragged windows and undoes them", () => {
    const plan = visionPlan(config, [
      [1, 6, 6],
      [1, 4, 4],
    ]);
    expect(plan.windowSegments.count).toBe(5);
    expect(plan.windowSegments.length).toBe(16);
    const { index, inverse, mask } = plan.windowSegments;
    expect(Array.from(inverse!).map((place) => index![place])).toEqual(
      Array.from({ length: plan.patches }, (_, i) => i),
    );
    expect(mask!.filter((x) => x === 0)).toHaveLength(plan.patches);
    expect(Array.from(plan.windowIndex).map((group) => plan.reverseIndex[group])).toEqual(
      Array.from({ length: plan.tokens }, (_, i) => i),
    );
    expect(plan.fullSegments).toMatchObject({ count: 2, length: 36 });
  });
  it("refuses grids off the merge size", () => expect(() => visionPlan(config, [[1, 3, 4]])).toThrow(/\[1, 3, 4\]/));
});

describe("ropePositions", () => {
  it("of text, an image and text (worked by hand)", () => {
    const { temporal, height, width, ropeDelta } = ropePositions(
      config,
      [1, 92, 90, 90, 90, 90, 90, 90, 93, 2],
      [[1, 4, 6]],
    );
    expect(Array.from(temporal)).toEqual([0, 1, 2, 2, 2, 2, 2, 2, 5, 6]);
    expect(Array.from(height)).toEqual([0, 1, 2, 2, 2, 3, 3, 3, 5, 6]);
    expect(Array.from(width)).toEqual([0, 1, 2, 3, 4, 2, 3, 4, 5, 6]);
    expect(ropeDelta).toBe(-3);
  });
  it("names what doesn't match", () => {
    expect(() => ropePositions(config, [90, 90, 1], [[1, 4, 4]])).toThrow(/needs 4 placeholders; the row has 2/);
    expect(() => ropePositions(config, [90], [])).toThrow(/0 image grids/);
    expect(() => ropePositions(config, [1], [[1, 4, 4]])).toThrow(/placeholders for 0 images and 1 image grids/);
    expect(() => ropePositions(config, [91], [])).toThrow(/video/);
  });
});

describe("parseConfig", () => {
  const json = (): Record<string, unknown> => configToJson(config);
  it("reads what configToJson writes", () => expect(parseConfig(json())).toEqual(config));
  it("reads the nested layout", () => {
    const { vision_config, rope_scaling, rope_theta, tie_word_embeddings, ...flat } = json();
    const text_config = {
      ...flat,
      tie_word_embeddings,
      rope_parameters: {
        rope_type: "default",
        rope_theta,
        mrope_section: (rope_scaling as { mrope_section: number[] }).mrope_section,
      },
    };
    const { model_type, image_token_id, video_token_id, vision_start_token_id, vision_end_token_id } = flat;
    expect(
      parseConfig({
        model_type,
        image_token_id,
        video_token_id,
        vision_start_token_id,
        vision_end_token_id,
        vision_config,
        text_config,
      }),
    ).toEqual(config);
  });
  it.each([
    ["hidden_size", 190, /^c\.json: hidden_size \(190\) is not a multiple of num_attention_heads/],
    ["vocab_size", "many", /vocab_size is "many"; expected a positive integer/],
    ["num_hidden_layers", undefined, /num_hidden_layers is missing/],
    ["hidden_act", "gelu", /hidden_act is "gelu"/],
    ["rope_scaling", { type: "yarn" }, /rope_scaling\.rope_type is "yarn"/],
    [
      "rope_scaling",
      { type: "mrope", mrope_section: [1, 2, 3] },
      /mrope_section sums to 6; expected head_dim \/ 2 = 16/,
    ],
    ["use_sliding_window", true, /use_sliding_window/],
    ["vision_config", null, /vision_config is missing/],
    [
      "vision_config",
      { ...(configToJson(config).vision_config as object), out_hidden_size: 64 },
      /out_hidden_size is 64; expected the decoder's hidden_size 192/,
    ],
    ["image_token_id", 100, /image_token_id is 100, outside the vocabulary of 100/],
  ])("refuses a wrong %s (%j)", (field, value, message) =>
    expect(() => parseConfig({ ...json(), [field]: value }, "c.json")).toThrow(message),
  );
  it("counts parameters", () => expect(parameterCount(tinyConfig(2500, tokens))).toBe(3127296));
});

describe("parseGenerationConfig", () => {
  it("takes one or several stop tokens", () => {
    expect(parseGenerationConfig({ eos_token_id: 3, temperature: 0.5, transformers_version: "x" })).toEqual({
      eosTokenIds: [3],
      temperature: 0.5,
    });
    expect(parseGenerationConfig({ eos_token_id: [3, 4] }).eosTokenIds).toEqual([3, 4]);
    expect(() => parseGenerationConfig({ top_p: 2 }, "g.json")).toThrow(/g\.json: top_p is 2/);
  });
});
