/** What a request may say, and what it is told where it says something else. */
import { describe, expect, it } from "vitest";
import { ApiError } from "../../lib/serve/api-error";
import { DEFAULT_LIMITS } from "../../lib/serve/limits";
import { readRequest, type ChatCall } from "../../lib/serve/request";

const hello = [{ role: "user", content: "Hello" }];
const read = (over: object, limits = {}): ChatCall =>
  readRequest({ model: "m", messages: hello, ...over }, "m", { ...DEFAULT_LIMITS, ...limits }, () => undefined);
const image = (url: unknown): object => ({ type: "image_url", image_url: { url } });
const png = "data:image/png;base64,iVBORw0KGgo=";

describe("readRequest", () => {
  it("fills what is left open, and takes null for absent", () => {
    const open = read({});
    expect(open).toEqual({
      messages: hello,
      images: [],
      n: 1,
      maxTokens: null,
      sampling: { temperature: undefined, topP: undefined, topK: undefined, repetitionPenalty: undefined },
      seed: null,
      stop: [],
      ignoreEos: false,
      stopTokenIds: [],
      bannedTokenIds: [],
      seedIndex: 0,
      tempered: false,
      stream: false,
      streamUsage: false,
      logProbs: null,
      tokenIds: false,
    });
    const nothing = {
      n: null,
      stop: null,
      tools: [],
      frequency_penalty: 0,
      response_format: { type: "text" },
      user: "x",
    };
    expect(read(nothing)).toEqual(open);
  });

  it("keeps the order of parts, and names images by their place", () => {
    const content = [{ type: "text", text: "Which?" }, image(png), { type: "text", text: "This?" }];
    const { messages, images } = read({
      messages: [
        { role: "developer", content: "Be brief." },
        { role: "user", content },
      ],
    });
    expect(messages).toEqual([
      { role: "system", content: "Be brief." },
      {
        role: "user",
        content: [
          { type: "text", text: "Which?" },
          { type: "image", image: "image 0" },
          { type: "text", text: "This?" },
        ],
      },
    ]);
    expect(images.map(({ bytes, param }) => [bytes.length, param])).toEqual([[8, "messages[1].content[1]"]]);
  });

  it("max_completion_tokens is the newer name of max_tokens, a single stop is a list, top_k -1 is all", () => {
    expect(read({ max_tokens: 5 }).maxTokens).toBe(5);
    expect(read({ max_tokens: 5, max_completion_tokens: 6 }).maxTokens).toBe(6);
    expect(read({ stop: "a" }).stop).toEqual(["a"]);
    expect(read({ top_k: -1 }).sampling.topK).toBe(0);
  });

  it.each([
    [{ model: undefined }, 400, "model", /"m" is served here/],
    [{ model: "other" }, 404, "model", /"other" is not served here; "m" is/],
    [{ messages: [] }, 400, "messages", /a list of messages/],
    [{ messages: [{ role: "tool", content: "x" }] }, 400, "messages[0].role", /"tool"; expected system/],
    [{ messages: [{ role: "__proto__", content: "x" }] }, 400, "messages[0].role", /expected system/],
    [{ messages: [{ role: "assistant", content: null }] }, 400, "messages[0].content", /a text or a list of parts/],
    [
      { messages: [{ role: "user", content: [{ type: "audio" }] }] },
      400,
      "messages[0].content[0]",
      /expected \{type: "text"/,
    ],
    [
      { messages: [{ role: "system", content: [image(png)] }] },
      400,
      "messages[0].content[0]",
      /images belong to the user/,
    ],
    [
      { messages: [{ role: "user", content: [image("https://example.org/a.png")] }] },
      400,
      "messages[0].content[0].image_url.url",
      /nothing is fetched/,
    ],
    [
      { messages: [{ role: "user", content: [image("file:///etc/passwd")] }] },
      400,
      "messages[0].content[0].image_url.url",
      /no file is opened/,
    ],
    [
      { messages: [{ role: "user", content: [image("data:image/svg+xml;base64,PHN2Zz4=")] }] },
      400,
      "messages[0].content[0].image_url.url",
      /svg\+xml is not read/,
    ],
    [
      { messages: [{ role: "user", content: [image("data:image/png;base64,a b")] }] },
      400,
      "messages[0].content[0].image_url.url",
      /no base64/,
    ],
    [
      { messages: [{ role: "user", content: Array.from({ length: 17 }, () => image(png)) }] },
      400,
      "messages[0].content[16]",
      /more than 16 images/,
    ],
    [{ n: 0 }, 400, "n", /is 0; expected a whole number from 1 to 128/],
    [{ n: 1.5 }, 400, "n", /is 1\.5/],
    [{ max_tokens: 4096 }, 400, "max_tokens", /is 4096; expected a whole number from 1 to 2048/],
    [{ temperature: -1 }, 400, "temperature", /at least 0/],
    [{ temperature: "hot" }, 400, "temperature", /is "hot"/],
    [{ top_p: 0 }, 400, "top_p", /above 0/],
    [{ seed: 1.5 }, 400, "seed", /whole number/],
    [{ stop: ["a", ""] }, 400, "stop", /1 to 256 characters/],
    [{ stop: ["a", "b", "c", "d", "e"] }, 400, "stop", /at most 4/],
    [{ top_logprobs: 2 }, 400, "top_logprobs", /needs logprobs: true/],
    [{ logprobs: true, top_logprobs: 21 }, 400, "top_logprobs", /from 0 to 20/],
    [{ logprobs: 3 }, 400, "logprobs", /true or false/],
    [{ stream_options: { include_usage: true } }, 400, "stream_options", /needs stream: true/],
    [{ tools: [{}] }, 400, "tools", /not supported/],
    [{ frequency_penalty: 1 }, 400, "frequency_penalty", /not supported/],
    [{ response_format: { type: "json_object" } }, 400, "response_format", /not supported/],
    [{ best_of: 2 }, 400, "best_of", /unknown parameter "best_of"/],
  ])("%j is refused: %i, %s", (over, status, param, message) => {
    let thrown: unknown;
    try {
      read(over);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ApiError);
    expect(thrown).toMatchObject({ status, param });
    expect((thrown as ApiError).message).toMatch(message);
  });

  it("a body that is no object is refused", () => {
    for (const body of [null, [], "x", 3])
      expect(() => readRequest(body, "m", DEFAULT_LIMITS, () => undefined)).toThrow("no JSON object");
  });
});
