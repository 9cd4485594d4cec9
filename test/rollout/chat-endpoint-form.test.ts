/** What an endpoint's server refuses is left out or put otherwise, once and for all requests. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createChatEndpoint, type EndpointOptions } from "../../lib/rollout/chat-endpoint";
import { requestCache } from "../../lib/rollout/request-cache";
import { chatServer, type Act } from "../helpers/chat-server";
import { KEY, request, scripted } from "../helpers/scripted-endpoint";

const temporary = mkdtempSync(path.join(tmpdir(), "endpoint-"));
afterAll(() => rmSync(temporary, { recursive: true }));

describe("createChatEndpoint: the form a server takes", () => {
  /** A server that takes what newer models take: no max_tokens, temperature, seed or n above 1. */
  async function picky(options: Partial<EndpointOptions> = {}) {
    const refusal = (param: string, message: string, code = "unsupported_parameter"): Act => ({
      status: 400,
      body: { error: { message: `${message} ${KEY}`, type: "invalid_request_error", param, code } },
    });
    let answers = 0;
    const server = await chatServer(({ body }) => {
      if (body.max_tokens !== undefined)
        return refusal(
          "max_tokens",
          "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        );
      if (body.temperature !== undefined)
        return refusal("temperature", "Unsupported value: 'temperature' does not support 0.", "unsupported_value");
      if ((body.n ?? 1) > 1)
        return refusal("n", "This model does not support the n parameter. Send n separate requests instead.");
      return { texts: [`answer ${answers++}`] };
    });
    const warnings: string[] = [];
    const open = (more: Partial<EndpointOptions> = {}) =>
      createChatEndpoint({
        baseUrl: server.baseUrl,
        model: "toy",
        apiKey: KEY,
        onWarning: (text) => warnings.push(text),
        ...options,
        ...more,
      });
    return { server, endpoint: open(), open, warnings };
  }

  it("asks again without what is refused, remembers it, and says and counts it", async () => {
    const { server, endpoint, warnings } = await picky();
    expect(await endpoint.ask({ ...request, n: 3 })).toEqual(
      [0, 1, 2].map((i) => ({ text: `answer ${i}`, finished: true, leftOut: ["temperature"] })),
    );
    expect(server.requests).toHaveLength(3 + 3);
    expect(server.requests.slice(3).map(({ body }) => body)).toEqual(
      [5, 6, 7].map((seed) => ({ model: "toy", messages: request.messages, max_completion_tokens: 16, seed })),
    );
    expect(endpoint.usage).toMatchObject({ requests: 6, reshaped: 3, retries: 0, leftOut: ["temperature"] });
    await endpoint.ask({ ...request, seed: 50 });
    expect(server.requests).toHaveLength(7);
    expect(warnings).toHaveLength(3);
    expect(warnings[0]).toMatch(
      /model toy: the server does not take max_tokens as asked \(400 .*instead. \[key\]\); max_completion_tokens is sent from now on$/,
    );
    expect(warnings[1]).toMatch(/temperature as asked .*sampled at the server's own temperature$/);
    expect(warnings.join()).not.toContain(KEY);
  });

  it("a later run finds the answers in the cache without asking at all, and goes on after those that are there", async () => {
    const cache = requestCache(path.join(temporary, "singly"));
    let fails = true;
    const { server, endpoint, open } = await picky({
      cache: {
        get: cache.get,
        set: (key, value) => {
          if (fails && JSON.stringify(value).includes("answer 2")) throw new Error("disk full");
          cache.set(key, value);
        },
      },
    });
    await expect(endpoint.ask({ ...request, n: 3 })).rejects.toThrow("disk full");
    fails = false;
    const again = open();
    const answers = await again.ask({ ...request, n: 3 });
    expect(answers.map(({ text }) => text)).toEqual(["answer 0", "answer 1", "answer 3"]);
    expect(again.usage.cached).toBe(2);
    const sent = server.requests.length;
    const last = open();
    expect(await last.ask({ ...request, n: 3 })).toEqual(answers);
    expect([server.requests.length, last.usage.requests, last.usage.leftOut]).toEqual([sent, 0, ["temperature"]]);
    for (const file of readdirSync(path.join(temporary, "singly"), { recursive: true, encoding: "utf8" }).filter(
      (name) => name.endsWith(".json"),
    ))
      expect(readFileSync(path.join(temporary, "singly", file), "utf8")).not.toContain(KEY);
  });

  it("requests that were under way in the old form are asked again too; all that come later have the new one", async () => {
    const { server, endpoint, warnings } = await picky({ concurrency: 4 });
    const texts = await Promise.all(
      Array.from({ length: 12 }, async (_, i) => (await endpoint.ask({ ...request, seed: i }))[0].text),
    );
    expect(new Set(texts).size).toBe(12);
    expect(server.requests.length).toBe(12 + endpoint.usage.reshaped);
    expect(endpoint.usage.reshaped).toBeLessThanOrEqual(2 * 4);
    expect(warnings).toHaveLength(2);
  });

  it.each<[string, Act, "seed" | "top_p"]>([
    [
      "422 by FastAPI",
      {
        status: 422,
        body: { detail: [{ loc: ["body", "seed"], msg: "Extra inputs are not permitted", type: "extra_forbidden" }] },
      },
      "seed",
    ],
    ["text alone", { status: 400, message: "Unrecognized request argument supplied: seed" }, "seed"],
    ["status 200", { raw: '{"error": {"message": "top_p is not supported", "code": 400}}' }, "top_p"],
  ])("understands a refusal by %s", async (_, act, field) => {
    const { server, endpoint } = await scripted([act]);
    expect(await endpoint.ask({ ...request, topP: 0.9 })).toEqual([
      { text: "a fox", finished: true, leftOut: [field] },
    ]);
    expect(server.requests.map(({ body }) => field in body)).toEqual([true, false]);
  });

  it("any other 400 is an error at once, in the server's words; so is one that has no other form", async () => {
    const tooLarge = {
      message: "max_tokens is too large: 16. This model supports at most 8.",
      param: "max_tokens",
      code: "invalid_value",
    };
    const { server, endpoint } = await scripted([{ status: 400, body: { error: tooLarge } }]);
    await expect(endpoint.ask(request)).rejects.toThrow(
      /400 max_tokens is too large: 16\. This model supports at most 8\.$/,
    );
    expect([server.requests.length, endpoint.usage.reshaped]).toEqual([1, 0]);
    const never = await chatServer(({ body }) => ({
      status: 400,
      message: `${"max_tokens" in body ? "max_tokens" : "max_completion_tokens"} is not supported`,
    }));
    const hopeless = createChatEndpoint({ baseUrl: never.baseUrl, model: "toy", onWarning: () => undefined });
    await expect(hopeless.ask(request)).rejects.toThrow(/400 max_completion_tokens is not supported$/);
    expect(never.requests).toHaveLength(2);
  });
});
