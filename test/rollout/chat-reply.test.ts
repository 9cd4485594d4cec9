import { describe, expect, it } from "vitest";
import { errorIn, MalformedAnswer, parseReply, ServerError } from "../../lib/rollout/chat-reply";

const choice = (message: unknown, finish_reason?: unknown, more: object = {}): unknown => ({
  index: 0,
  message,
  finish_reason,
  ...more,
});
const answerOf = (message: unknown, finish_reason?: unknown) =>
  parseReply({ choices: [choice(message, finish_reason)] }).answers[0];

describe("parseReply: ends", () => {
  it.each([
    ["stop", true],
    ["STOP", true],
    ["eos", true],
    ["eos_token", true],
    ["end_turn", true],
    ["stop_sequence", true],
    [null, true],
    [undefined, true],
    ["length", false],
    ["max_tokens", false],
    ["content_filter", false],
    ["tool_calls", false],
    ["something new", false],
  ])("text that ends with %j: finished %j", (reason, finished) =>
    expect(answerOf({ content: "a fox" }, reason)).toEqual({ text: "a fox", finished }),
  );

  it.each<[string, unknown, unknown, string | undefined]>([
    [
      "a filter",
      { content: "" },
      "content_filter",
      'the server\'s filter withheld the answer (finish_reason "content_filter")',
    ],
    ["nothing", { content: null }, "stop", 'the answer is empty (finish_reason "stop")'],
    ["blanks", { content: " \n" }, null, "the answer is empty (finish_reason null)"],
    ["no field at all", {}, "tool_calls", 'the answer is empty (finish_reason "tool_calls")'],
    ["a refusal", { content: null, refusal: "I can't help." }, "stop", "the model refused: I can't help."],
    ["both fields empty", { content: "", reasoning_content: "" }, "stop", 'the answer is empty (finish_reason "stop")'],
    ["all tokens spent unseen", { content: "" }, "length", undefined],
  ])("no text, %s: not finished, and says why", (_, message, reason, problem) =>
    expect(answerOf(message, reason)).toEqual({ text: "", finished: false, problem }),
  );
});

describe("parseReply: thoughts given apart", () => {
  it.each<[string, Record<string, unknown>, string]>([
    [
      "reasoning_content",
      { reasoning_content: "It has a bushy tail.", content: "<answer>red fox</answer>" },
      "<think>It has a bushy tail.</think><answer>red fox</answer>",
    ],
    ["reasoning", { reasoning: "A\nB", content: "\n\nC" }, "<think>A\nB</think>\n\nC"],
    ["no content", { reasoning_content: "All is here.", content: null }, "<think>All is here.</think>"],
    ["tags of their own", { reasoning: "<think>A</think>\n", content: "B" }, "<think>A</think>B"],
    [
      "parts",
      {
        content: [
          {
            type: "thinking",
            thinking: [
              { type: "text", text: "A" },
              { type: "text", text: "B" },
            ],
          },
          { type: "text", text: "C" },
        ],
      },
      "<think>AB</think>C",
    ],
  ])("%s: put back", (_, message, text) =>
    expect(answerOf(message, "stop")).toEqual({ text, finished: true, thoughtsPutBack: true }),
  );

  it("leaves a content alone that has its own, or where there are none", () => {
    const own = "<think>A</think><answer>B</answer>";
    expect(answerOf({ content: own, reasoning_content: "A" }, "stop")).toEqual({ text: own, finished: true });
    expect(answerOf({ content: "B", reasoning_content: null, reasoning: " " }, "stop")).toEqual({
      text: "B",
      finished: true,
    });
  });

  it("thoughts that were cut off are not finished", () =>
    expect(answerOf({ content: null, reasoning: "A long" }, "length")).toEqual({
      text: "<think>A long</think>",
      finished: false,
      thoughtsPutBack: true,
    }));

  it("joins the parts of a content", () =>
    expect(
      answerOf(
        {
          content: [
            { type: "text", text: "a " },
            { type: "text", text: "fox" },
          ],
        },
        "stop",
      ),
    ).toEqual({
      text: "a fox",
      finished: true,
    }));
});

describe("parseReply: errors with status 200", () => {
  const errorOf = (body: unknown): ServerError => {
    try {
      parseReply(body);
    } catch (error) {
      if (error instanceof ServerError) return error;
      throw error;
    }
    throw new Error("no error");
  };
  it.each<[string, unknown, string, number | undefined]>([
    [
      "a number",
      { error: { message: "No endpoints found that support image input", code: 404 } },
      "No endpoints found that support image input",
      404,
    ],
    ["digits", { error: { message: "slow down", code: "429" } }, "slow down", 429],
    ["words, final", { error: { message: "no", code: "model_not_found" } }, "no", 400],
    ["words, passing", { error: { message: "busy", type: "server_error", code: null } }, "busy", undefined],
    ["a limit in words", { error: { message: "busy", type: "rate_limit_error" } }, "busy", undefined],
    ["no code", { error: { message: "who knows" } }, "who knows", undefined],
    ["a text", { error: "model is loading" }, "model is loading", undefined],
    ["vLLM's older form", { object: "error", message: "too long", code: 400 }, "too long", 400],
    ["FastAPI's", { detail: "Not Found" }, "Not Found", undefined],
    ["in a list", [{ error: { code: 400, message: "Bad image" } }], "Bad image", 400],
    [
      "a router's",
      { error: { message: "Provider returned error", code: 502, metadata: { raw: "CUDA out of memory" } } },
      "Provider returned error: CUDA out of memory",
      502,
    ],
    ["an error beside choices", { error: { message: "x", code: 500 }, choices: [choice({ content: "A" })] }, "x", 500],
    [
      "an answer broken off",
      {
        choices: [
          choice({ content: "The bird has a" }, "error", { error: { message: "Provider disconnected", code: 502 } }),
        ],
      },
      "Provider disconnected",
      502,
    ],
    [
      "one whose end is given as another",
      { choices: [choice({ content: "The bird" }, "stop", { error: { message: "gone", code: 400 } })] },
      "gone",
      400,
    ],
    [
      "one broken off without a word",
      { choices: [choice({ content: "The bird has a" }, "error")] },
      'the server broke choice 0 off (finish_reason "error")',
      undefined,
    ],
  ])("%s", (_, body, message, status) => {
    const error = errorOf(body);
    expect([error.message, error.status]).toEqual([message, status]);
  });

  it("an empty error is none, and whole answers beside a broken one are kept", () => {
    expect(parseReply({ error: null, choices: [choice({ content: "A" }, "stop")] }).answers).toHaveLength(1);
    expect(parseReply({ error: {}, choices: [choice({ content: "A" }, "stop")] }).answers).toHaveLength(1);
    const broken = choice({ content: "B" }, "error");
    expect(parseReply({ choices: [broken, choice({ content: "A" }, "stop")] }).answers).toEqual([
      { text: "A", finished: true },
    ]);
  });

  it("names the field that FastAPI complains of", () => {
    const error = errorIn({
      detail: [{ loc: ["body", "n"], msg: "Extra inputs are not permitted", type: "extra_forbidden" }],
    });
    expect(error).toMatchObject({ message: "n: Extra inputs are not permitted", code: "extra_forbidden", param: "n" });
  });

  it("takes JSON under another content type, and says what makes no sense", () => {
    expect(parseReply('{"choices": [{"message": {"content": "A"}}], "model": "m"}')).toMatchObject({
      answers: [{ text: "A", finished: true }],
      model: "m",
    });
    for (const body of [
      "<html>",
      '{"choices": [',
      null,
      [],
      {},
      { choices: [] },
      { choices: [null] },
      { choices: [choice(null)] },
      { choices: [choice({ content: 5 })] },
      { choices: [choice({ content: ["A"] })] },
    ])
      expect(() => parseReply(body), JSON.stringify(body)).toThrow(MalformedAnswer);
  });
});
