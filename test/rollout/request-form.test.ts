import { describe, expect, it } from "vitest";
import { inForm, leftOut, refusedField, requestBody, type FormField } from "../../lib/rollout/request-form";
import { isSameModel } from "../../lib/rollout/same-model";

const body = requestBody("m", { messages: [], n: 4, maxTokens: 16, temperature: 0, topP: 0.9, seed: 5 }, 4, 2);

describe("inForm", () => {
  it("leaves out what is refused, and says max_tokens in the other word", () => {
    expect(body).toEqual({ model: "m", messages: [], n: 4, max_tokens: 16, temperature: 0, top_p: 0.9, seed: 7 });
    const refused = new Set<FormField>(["max_tokens", "temperature", "n", "seed"]);
    expect(inForm(body, refused)).toEqual({ model: "m", messages: [], max_completion_tokens: 16, top_p: 0.9 });
    expect(leftOut(body, refused)).toEqual(["temperature", "seed"]);
    expect(inForm(body, new Set())).toEqual(body);
    const bare = requestBody("m", { messages: [], n: 1, maxTokens: 16, temperature: 0 }, 1, 0);
    expect(leftOut(bare, new Set<FormField>(["seed", "top_p"]))).toEqual([]); // nothing was asked for
  });
});

describe("refusedField", () => {
  const unsupported = { code: "unsupported_parameter" };
  it.each<[FormField | null, string, { code?: string; param?: string | null; status?: number }]>([
    [
      "max_tokens",
      "400 Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
      { ...unsupported, param: "max_tokens" },
    ],
    [
      "max_tokens",
      "400 Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.",
      {},
    ],
    [
      "temperature",
      "400 Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported.",
      { code: "unsupported_value", param: "temperature" },
    ],
    ["temperature", "400 invalid temperature: only 1 is allowed for this model", {}],
    ["temperature", "400 `temperature` is deprecated for this model.", {}],
    ["top_p", "400 `temperature` and `top_p` cannot both be specified for this model. Please use only one.", {}],
    ["top_p", "400 top_p is not supported", {}],
    ["seed", "400 Unrecognized request argument supplied: seed", {}],
    ["seed", "422 seed: Extra inputs are not permitted", { code: "extra_forbidden", param: "seed", status: 422 }],
    ["n", "400 does not support the n parameter with values above 1. Send n separate requests instead.", {}],
    ["n", "400 n must be 1 when using greedy sampling, got 4.", {}],
    ["n", "400 Only one completion choice is allowed", {}],
    ["n", "400 'n' : number must be at most 1", { code: "invalid_value" }],
    ["n", "400 Invalid value", { param: "n" }],
    ["n", "400 Unknown name n", { param: "body.n" }],
    // every other refusal is one
    [null, "400 max_tokens is too large: 5000. This model supports at most 4096.", { param: "max_tokens" }],
    [
      null,
      "400 Invalid 'temperature': expected a value at most 2",
      { param: "temperature", code: "decimal_above_max_value" },
    ],
    [null, "400 This model's maximum context length is 4096 tokens", {}],
    [null, "400 max_tokens must be at least 1, got 0.", {}],
    [null, "400 image type not supported; it isn't a PNG", {}],
    [null, "400 Unknown parameter", { ...unsupported, param: "messages[0].content" }],
    [null, "400 presence_penalty is not supported", {}],
    [null, "401 temperature is not supported", { status: 401 }],
    [null, "500 temperature is not supported", { status: 500 }],
  ])("%s: %s", (field, message, more) => expect(refusedField({ status: 400, message, ...more }, body)).toBe(field));

  it("is never one that was not sent", () => {
    const sent = inForm(body, new Set<FormField>(["max_tokens", "n"]));
    for (const message of ["max_tokens is not supported", "n must be 1", "max_completion_tokens is not supported"])
      expect(refusedField({ status: 400, message }, sent)).toBe(null);
  });
});

describe("isSameModel", () => {
  it.each<[string, string, boolean]>([
    ["gpt-4o", "gpt-4o-2024-08-06", true],
    ["gpt-4", "gpt-4-0613", true],
    ["gpt-4o", "gpt-4o-mini", false],
    ["gpt-4", "gpt-4-32k", false],
    ["gpt-4o", "gpt-4", false],
    ["Qwen/Qwen2.5-VL-7B-Instruct", "/models/qwen2.5-vl-7b-instruct/", true],
    ["Qwen/Qwen2.5-VL-7B-Instruct", "Qwen2.5-VL-3B-Instruct", false],
    ["Qwen2.5-VL-7B", "Qwen2.5-VL-7B-Instruct", false],
    ["qwen/qwen2.5-vl:free", "qwen/qwen2.5-vl", true],
    ["qwen2.5vl:3b", "qwen2.5vl:7b", false],
    ["claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022", true],
    ["toy", "toy", true],
  ])("%s, %s: %s", (asked, answered, expected) => expect(isSameModel(asked, answered)).toBe(expected));
});
