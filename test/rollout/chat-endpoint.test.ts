import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, it, vi } from "vitest";
import {
  createChatEndpoint,
  retryAfterMs,
  type ChatRequest,
  type EndpointOptions,
} from "../../lib/rollout/chat-endpoint";
import { isLoopback } from "../../lib/rollout/endpoint-fetch";
import { hashOf, requestCache } from "../../lib/rollout/request-cache";
import { createGate, waitMs } from "../../lib/rollout/request-gate";
import { chatServer, type Act } from "../helpers/chat-server";

const KEY = "sk-test-0123456789abcdef";
const request: ChatRequest = {
  messages: [{ role: "user", content: "What is it?" }],
  n: 1,
  maxTokens: 16,
  temperature: 0,
  seed: 5,
};
const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
const temporary = mkdtempSync(path.join(tmpdir(), "endpoint-"));
afterAll(() => rmSync(temporary, { recursive: true }));

/** An endpoint on a server that acts as listed, then answers; waits are noted, not waited. */
async function scripted(acts: readonly Act[], options: Partial<EndpointOptions> = {}) {
  const server = await chatServer((_, before) => acts[before] ?? { texts: ["a fox"] });
  const waits: number[] = [];
  const reasons: string[] = [];
  const warnings: string[] = [];
  const endpoint = createChatEndpoint({
    baseUrl: server.baseUrl,
    model: "toy",
    apiKey: KEY,
    timeoutMs: 30_000,
    sleep: (ms) => (waits.push(ms), Promise.resolve()),
    onRetry: (_, __, reason) => reasons.push(reason),
    onWarning: (message) => warnings.push(message),
    ...options,
  });
  return { server, endpoint, waits, reasons, warnings };
}

describe("createChatEndpoint", () => {
  it("sends the request in the protocol's words and counts tokens", async () => {
    const { server, endpoint } = await scripted([]);
    expect(await endpoint.ask({ ...request, topP: 0.9 })).toEqual([{ text: "a fox", finished: true }]);
    expect(server.requests[0].body).toEqual({
      model: "toy",
      messages: request.messages,
      n: 1,
      max_tokens: 16,
      temperature: 0,
      top_p: 0.9,
      seed: 5,
    });
    expect(server.requests[0].headers.authorization).toBe(`Bearer ${KEY}`);
    expect(endpoint.usage).toMatchObject({
      requests: 1,
      retries: 0,
      cached: 0,
      promptTokens: 100,
      completionTokens: 10,
    });
  });

  it.each<[string, Act, RegExp]>([
    ["429", { status: 429 }, /429 injected/],
    ["500", { status: 500 }, /500 injected/],
    ["408", { status: 408 }, /408/],
    ["no answer in time", "hang", /no answer within 1 s/],
    ["a body that stops coming", "hang in the body", /no answer within 1 s/],
    ["a body cut off", "cut", /terminated|closed|Connection/],
    ["a connection reset", "reset", /Connection error\. \(/],
    ["a connection cut in the headers", "cut in the headers", /Connection error\. \(/],
    ["a body that drips", { drip: 100 }, /no answer within 1 s/],
    [
      "a server's error with status 200",
      { raw: '{"error": {"message": "overloaded", "code": 503}}' },
      /^503 overloaded$/,
    ],
    ["a limit with status 200", { raw: '{"error": {"message": "slow down", "code": 429}}' }, /^429 slow down$/],
    [
      "an answer that an error broke off",
      {
        choices: [
          {
            finish_reason: "error",
            message: { content: "The bird has a" },
            error: { message: "Provider disconnected", code: 502 },
          },
        ],
      },
      /^502 Provider disconnected$/,
    ],
    ["a body that is no JSON", { raw: '{"choices": [' }, /JSON/],
    ["another content type", { raw: "<html>proxy</html>", type: "text/html" }, /no JSON object but string/],
    ["no choices", { raw: '{"choices": []}' }, /no choices/],
    [
      "a body that is cut off though it says how long it is",
      { wire: `${HEAD}content-length: 900\r\n\r\n{"cho` },
      /terminated|closed/,
    ],
    [
      "chunks that are none",
      { wire: `${HEAD}transfer-encoding: chunked\r\n\r\nzz\r\n{"choices": []}\r\n` },
      /terminated/,
    ],
    [
      "a chunk that is shorter than it says",
      { wire: `${HEAD}transfer-encoding: chunked\r\n\r\nff\r\n{"cho\r\n0\r\n\r\n` },
      /terminated/,
    ],
    [
      "packed bytes that are not packed",
      { wire: `${HEAD}content-encoding: gzip\r\ncontent-length: 9\r\n\r\nnot gzip!` },
      /terminated|incorrect header/,
    ],
    ["a head that is none", { wire: "what?\r\n\r\n" }, /Connection error/],
    ["a body without end", { megabytes: 100 }, /^the body is larger than 64 MiB/],
    ["a list of models", { raw: '{"object": "list", "data": [{"id": "toy"}]}' }, /no choices/],
    ["embeddings", { raw: '{"object": "list", "data": [{"embedding": [0.5]}], "model": "toy"}' }, /no choices/],
    [
      "a completion of text",
      { raw: '{"object": "text_completion", "choices": [{"text": "a fox", "index": 0}]}' },
      /choice 0 has no message/,
    ],
    [
      "a part of a stream",
      { raw: '{"object": "chat.completion.chunk", "choices": [{"delta": {"content": "a"}}]}' },
      /choice 0 has no message/,
    ],
    ["a choice without text", { raw: '{"choices": [{"message": {"content": 5}}]}' }, /choice 0 has no message/],
  ])("tries again after %s", async (_, act, reason) => {
    const hangs = typeof act === "string" ? act.startsWith("hang") : "drip" in act;
    const { server, endpoint, waits, reasons } = await scripted([act, act], hangs ? { timeoutMs: 1000 } : {});
    expect(await endpoint.ask(request)).toEqual([{ text: "a fox", finished: true }]);
    expect(server.requests.length).toBe(3);
    expect(endpoint.usage).toMatchObject({ requests: 3, retries: 2, promptTokens: 100 });
    expect(reasons).toHaveLength(2);
    expect(reasons[0]).toMatch(reason);
    expect([waits[0] >= 500 && waits[0] <= 1000, waits[1] >= 1000 && waits[1] <= 2000]).toEqual([true, true]); // 1 s and 2 s, half of it jitter
  });

  it("waits as long as Retry-After says, and the others with it", async () => {
    const { endpoint, waits } = await scripted([{ status: 429, headers: { "retry-after": "7" } }]);
    await endpoint.ask(request);
    expect(waits[0]).toBe(7000);
    expect(waits[1]).toBeGreaterThan(6000); // the gate is closed: this sleep takes no time
    expect([
      retryAfterMs("2.5"),
      retryAfterMs(null),
      retryAfterMs("soon"),
      retryAfterMs("99999999"),
      retryAfterMs("Thu, 01 Jan 1970 00:00:09 GMT", 4000),
    ]).toEqual([2500, null, null, 600_000, 5000]);
  });

  it.each<[string, Record<string, string>, number, number]>([
    ["a date to come", { "retry-after": new Date(Date.now() + 60_000).toUTCString() }, 30_000, 60_000],
    ["a date that has passed", { "retry-after": new Date(Date.now() - 60_000).toUTCString() }, 500, 1000],
    ["nothing", {}, 500, 1000],
    ["no number", { "retry-after": "soon" }, 500, 1000],
    ["less than none", { "retry-after": "-5" }, 500, 1000],
    ["milliseconds", { "retry-after-ms": "2500" }, 2500, 2500],
    ["a day", { "retry-after": "86400" }, 600_000, 600_000],
  ])("a 429 whose Retry-After is %s: waits sensibly, then asks again", async (_, headers, least, most) => {
    const { endpoint, waits } = await scripted([{ status: 429, headers }]);
    expect(await endpoint.ask(request)).toEqual([{ text: "a fox", finished: true }]);
    expect([waits[0] >= least, waits[0] <= most]).toEqual([true, true]);
  });

  it("of more answers than it asked for it takes as many as that", async () => {
    const { server, endpoint } = await scripted([{ texts: ["one", "two", "three"] }]);
    expect((await endpoint.ask({ ...request, n: 2 })).map(({ text }) => text)).toEqual(["one", "two"]);
    expect(server.requests).toHaveLength(1);
  });

  it.each([400, 401, 403, 404])("gives up at once at %d", async (status) => {
    const { server, endpoint } = await scripted([{ status, message: `no: ${KEY}` }]);
    await expect(endpoint.ask(request)).rejects.toThrow(new RegExp(`model toy: ${status} no: \\[key\\]$`));
    expect(server.requests.length).toBe(1);
  });

  it.each<[string, unknown, RegExp]>([
    [
      "404 with status 200",
      { error: { message: "No endpoints found that support image input", code: 404 } },
      /404 No endpoints found that support image input$/,
    ],
    [
      "words with status 200",
      { error: { message: "who are you?", type: "authentication_error" } },
      /400 who are you\?$/,
    ],
  ])("gives up at once at %s, in the server's words", async (_, body, message) => {
    const { server, endpoint } = await scripted([{ raw: JSON.stringify(body) }]);
    await expect(endpoint.ask(request)).rejects.toThrow(message);
    expect(server.requests.length).toBe(1);
  });

  it.each<[unknown, RegExp]>([
    [{ error: "no such model" }, /400 no such model$/],
    [{ object: "error", message: "too\nlong" }, /400 too long$/],
    [{ detail: "no image taken" }, /400 no image taken$/],
    [
      { detail: [{ loc: ["body", "messages"], msg: "Field required", type: "missing" }] },
      /400 messages: Field required$/,
    ],
  ])("finds the server's message in %j", async (body, message) => {
    const { endpoint } = await scripted([{ status: 400, body }]);
    await expect(endpoint.ask(request)).rejects.toThrow(message);
  });

  it("cuts a long message, but never a key in half", async () => {
    for (let padding = 480; padding <= 500; padding += 5) {
      const { endpoint } = await scripted([{ status: 400, message: `${"x".repeat(padding)}${KEY}` }]);
      const message = await endpoint.ask(request).then(String, (error: Error) => error.message);
      expect(message).not.toContain(KEY.slice(0, 5));
      expect(message.length).toBeLessThan(600);
    }
  });

  it("gives up after the last attempt, with how many there were", async () => {
    const { server, endpoint } = await scripted([{ status: 503 }, { status: 503 }, { status: 503 }], { retries: 2 });
    await expect(endpoint.ask(request)).rejects.toThrow(/503 injected \(3 attempts\)/);
    expect(server.requests.length).toBe(3);
  });

  it("asks again for the answers that a server leaves out, under another seed", async () => {
    const { server, endpoint } = await scripted([
      { texts: ["one", "two"] },
      { texts: ["three"], finish: "length" },
      { texts: ["four", "five"] },
    ]);
    const answers = await endpoint.ask({ ...request, n: 4 });
    expect(answers).toEqual([
      { text: "one", finished: true },
      { text: "two", finished: true },
      { text: "three", finished: false },
      { text: "four", finished: true },
    ]);
    expect(server.requests.map(({ body }) => [body.n, body.seed])).toEqual([
      [4, 5],
      [2, 6],
      [1, 7],
    ]);
  });

  it("an answer without text is an error with its reason, at once, and not cached", async () => {
    const cache = requestCache(path.join(temporary, "empty"));
    const filtered: Act = { choices: [{ finish_reason: "content_filter", message: { content: "" } }] };
    const { server, endpoint } = await scripted(
      [filtered, { choices: [{ finish_reason: "stop", message: { content: null } }] }],
      { cache },
    );
    await expect(endpoint.ask(request)).rejects.toThrow(/model toy: the server's filter withheld the answer/);
    await expect(endpoint.ask(request)).rejects.toThrow(/model toy: the answer is empty \(finish_reason "stop"\)$/);
    expect(await endpoint.ask(request)).toEqual([{ text: "a fox", finished: true }]);
    expect(server.requests.length).toBe(3);
  });

  it("keeps whole answers beside empty ones and beside broken ones, and asks for what broke off", async () => {
    const whole = (content: string) => ({ finish_reason: "stop", message: { content } });
    const { server, endpoint } = await scripted([
      { choices: [whole("one"), { finish_reason: "error", message: { content: "tor" } }, whole("")] },
      { choices: [whole("four")] },
    ]);
    expect(await endpoint.ask({ ...request, n: 3 })).toEqual([
      { text: "one", finished: true },
      { text: "", finished: false, problem: 'the answer is empty (finish_reason "stop")' },
      { text: "four", finished: true },
    ]);
    expect(server.requests.map(({ body }) => [body.n, body.seed])).toEqual([
      [3, 5],
      [1, 6],
    ]);
  });

  it("puts thoughts back, from the cache too, and counts them", async () => {
    const cache = requestCache(path.join(temporary, "thoughts"));
    const message = { content: "<answer>red fox</answer>", reasoning_content: `A bushy tail. ${KEY}` };
    const { server, endpoint } = await scripted([{ choices: [{ finish_reason: "stop", message }] }], { cache });
    const expected = {
      text: "<think>A bushy tail. [key]</think><answer>red fox</answer>",
      finished: true,
      thoughtsPutBack: true,
    };
    expect(await endpoint.ask(request)).toEqual([expected]);
    expect(await endpoint.ask(request)).toEqual([expected]);
    expect([server.requests.length, endpoint.usage.thoughtsPutBack]).toEqual([1, 2]);
  });

  it("takes from the cache what was asked before; another request, model or server is another one", async () => {
    const cache = requestCache(path.join(temporary, "a"));
    const { server, endpoint } = await scripted([{ texts: [`it is ${KEY}`] }], { cache });
    const first = await endpoint.ask(request);
    expect(first).toEqual([{ text: "it is [key]", finished: true }]);
    expect(await endpoint.ask(request)).toEqual(first);
    expect(endpoint.usage).toMatchObject({
      requests: 1,
      cached: 1,
      promptTokens: 100,
      cachedPromptTokens: 100,
      cachedCompletionTokens: 10,
    });
    const again = createChatEndpoint({ baseUrl: server.baseUrl, model: "toy", cache }); // another process, without the key
    expect(await again.ask(request)).toEqual(first);
    await again.ask({ ...request, maxTokens: 17 });
    await createChatEndpoint({ baseUrl: server.baseUrl, model: "other", cache }).ask(request);
    expect(server.requests.length).toBe(3);
    for (const file of readdirSync(path.join(temporary, "a"), { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".json"),
    ))
      expect(readFileSync(path.join(temporary, "a", file), "utf8")).not.toContain(KEY);
  });

  it("a failed request is not cached, and a cut cache file is asked for again", async () => {
    const folder = path.join(temporary, "b");
    const { server, endpoint } = await scripted([{ status: 400 }], { cache: requestCache(folder) });
    await expect(endpoint.ask(request)).rejects.toThrow(/400/);
    await endpoint.ask(request);
    const [file] = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".json"));
    truncateSync(path.join(folder, file), 40);
    await endpoint.ask(request);
    await endpoint.ask(request);
    expect([server.requests.length, endpoint.usage.cached]).toEqual([3, 1]);
  });

  it("an empty answer that an older version cached as finished is asked for again", async () => {
    const cache = {
      get: () => ({ answers: [{ text: "", finished: true }], promptTokens: 1, completionTokens: 0 }),
      set: () => undefined,
    };
    const { server, endpoint } = await scripted([], { cache });
    expect(await endpoint.ask(request)).toEqual([{ text: "a fox", finished: true }]);
    expect(server.requests.length).toBe(1);
  });

  it("says once that another model answered than was asked", async () => {
    const other: Act = { choices: [{ finish_reason: "stop", message: { content: "a cat" } }], model: "other-7b" };
    const { endpoint, warnings } = await scripted([other, other, { ...other, model: null }]);
    for (let i = 0; i < 4; i++) await endpoint.ask(request);
    expect(warnings).toEqual([
      expect.stringMatching(/model toy: the server says that another model answered: other-7b$/),
    ]);
  });

  it("waits past Node's own limit for an answer that begins late", async () => {
    await fetch("data:,");
    const place = Symbol.for("undici.globalDispatcher.1");
    const held = globalThis as unknown as Record<symbol, object>;
    const before = held[place];
    const Connections = before.constructor as new (limits: object) => object;
    held[place] = new Connections({ headersTimeout: 500, bodyTimeout: 500 }); // in place of 300 s
    try {
      const late: Act = { after: 2500 };
      const patient = await scripted([late], { timeoutMs: 400_000 });
      expect(await patient.endpoint.ask(request)).toEqual([{ text: "never whole", finished: true }]);
      expect(patient.endpoint.usage.requests).toBe(1);
      const short = await scripted([late], { timeoutMs: 10_000, retries: 0 }); // Node's, as it is
      await expect(short.endpoint.ask(request)).rejects.toThrow(/timed out/);
    } finally {
      held[place] = before;
    }
  });

  it("does not show the key to another host that the server sends it on to, and says where that was", async () => {
    const elsewhere = await chatServer((_, before) =>
      before === 0 ? { texts: ["a fox"] } : { status: 401, message: "no key" },
    );
    const location = `${elsewhere.baseUrl}/chat/completions?token=1`;
    const { server, endpoint } = await scripted([307, 308, 307].map((status) => ({ status, headers: { location } })));
    expect(await endpoint.ask(request)).toEqual([{ text: "a fox", finished: true }]);
    await expect(endpoint.ask(request)).rejects.toThrow(
      new RegExp(
        `401 no key; the server sent the request on to ${elsewhere.baseUrl}/chat/completions, which is not shown the key`,
      ),
    );
    expect(server.requests[0].headers.authorization).toBe(`Bearer ${KEY}`);
    expect(elsewhere.requests.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
    expect(JSON.stringify(elsewhere.requests)).not.toContain(KEY);
  });

  it.each([301, 302, 303])(
    "%d to another host: a question is not a page, and the key does not travel",
    async (status) => {
      const elsewhere = await chatServer(() => ({ raw: "<html>log in</html>", type: "text/html" }));
      const location = `${elsewhere.baseUrl}/login`;
      const { endpoint } = await scripted([{ status, headers: { location } }], { retries: 0 });
      await expect(endpoint.ask(request)).rejects.toThrow(
        /no JSON object but string .*; the server sent the request on to http:.*\/login, which is not shown the key/,
      );
      expect(elsewhere.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
      expect(await endpoint.ask(request)).toEqual([{ text: "a fox", finished: true }]);
    },
  );

  it("a server that sends on to itself for ever is an error", async () => {
    const server = await chatServer(() => ({ status: 307, headers: { location: "/v1/again" } }));
    const endpoint = createChatEndpoint({ baseUrl: server.baseUrl, model: "toy", retries: 0 });
    await expect(endpoint.ask(request)).rejects.toThrow(/Connection error.*redirect/);
    expect(server.requests.length).toBeLessThan(30);
  });

  it("a local server is asked itself, whatever proxy there is", async () => {
    const proxy = await chatServer(() => ({ status: 502, message: "proxy" }));
    const server = await chatServer(() => ({ texts: ["a fox"] }));
    const code = `
      const { createChatEndpoint } = require("./lib/rollout/chat-endpoint");
      createChatEndpoint({ baseUrl: ${JSON.stringify(server.baseUrl)}, model: "toy", retries: 0 })
        .ask(${JSON.stringify(request)})
        .then((answers) => console.log(answers[0].text), (error) => console.log(error.message));`;
    const address = proxy.baseUrl.replace("/v1", "");
    const names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"];
    // Node 22.21 and 24 send everything to a proxy under NODE_USE_ENV_PROXY, this machine too.
    const env = {
      ...process.env,
      NODE_USE_ENV_PROXY: "1",
      ...Object.fromEntries(names.map((name) => [name, address])),
    };
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", "-e", code], { env });
    expect(stdout).toBe("a fox\n");
    expect([proxy.requests.length, server.requests.length]).toEqual([0, 1]);
  });

  it.each([
    ["127.0.0.1", true],
    ["127.8.9.1", true],
    ["localhost", true],
    ["[::1]", true],
    ["127.0.0.1.example.org", false],
    ["localhost.example.org", false],
    ["10.0.0.1", false],
    ["example.org", false],
  ])("%s is this machine: %s", (host, local) => expect(isLoopback(host)).toBe(local));

  it("takes a placeholder for no secret: answers keep their letters", async () => {
    const { endpoint } = await scripted([], { apiKey: "fox" });
    expect(await endpoint.ask(request)).toEqual([{ text: "a fox", finished: true }]);
  });

  it("refuses a key that can't stand in a header, without showing it", () => {
    for (const apiKey of ["sk-secret\nX-Evil: 1", "sk-secret key", "sk-sécret"]) {
      const open = () => createChatEndpoint({ baseUrl: "http://127.0.0.1:1/v1", model: "toy", apiKey });
      expect(open).toThrow(/the key has spaces, line breaks/);
      expect(open).not.toThrow(/cret/);
    }
  });

  it.each([
    ["ftp://x/v1", /expected http/],
    ["nowhere", /no URL/],
    ["http://user:secret@127.0.0.1/v1", /no user, password or query/],
    ["http://127.0.0.1/v1?key=1", /no user, password or query/],
  ])("refuses the base URL %s", (baseUrl, message) => {
    expect(() => createChatEndpoint({ baseUrl, model: "toy" })).toThrow(message);
    try {
      createChatEndpoint({ baseUrl, model: "toy" });
    } catch (error) {
      expect((error as Error).message).not.toContain("secret");
    }
  });
});

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

describe("createChatEndpoint: a signal", () => {
  it("gives up a request under way, and asks nothing more", async () => {
    const { server, endpoint } = await scripted(["hang"]);
    const stop = new AbortController();
    const asked = endpoint.ask(request, stop.signal);
    await vi.waitFor(() => expect(server.requests).toHaveLength(1));
    stop.abort(new Error("stopped by hand"));
    await expect(asked).rejects.toThrow("stopped by hand");
    await expect(endpoint.ask(request, stop.signal)).rejects.toThrow("stopped by hand");
    expect([server.requests.length, endpoint.usage.retries]).toEqual([1, 0]);
    expect(await endpoint.ask(request)).toEqual([{ text: "a fox", finished: true }]); // the place is free again
  });

  it("ends a wait, the gate's too", async () => {
    const stop = new AbortController();
    const server = await chatServer(() => ({ status: 429, headers: { "retry-after": "500" } }));
    const endpoint = createChatEndpoint({
      baseUrl: server.baseUrl,
      model: "toy",
      concurrency: 1,
      onRetry: () => setTimeout(() => stop.abort(new Error("enough")), 50),
    });
    const before = Date.now();
    const ends = await Promise.allSettled([1, 2, 3].map((seed) => endpoint.ask({ ...request, seed }, stop.signal)));
    expect(ends.map((end) => end.status === "rejected" && (end.reason as Error).message)).toEqual([
      "enough",
      "enough",
      "enough",
    ]);
    expect(Date.now() - before).toBeLessThan(5000);
    expect(server.requests.length).toBe(1);
  });
});

describe("hashOf", () => {
  it("does not depend on the order of fields, but on their values", () => {
    expect(hashOf({ a: 1, b: { c: [1, 2], d: undefined } })).toBe(hashOf({ b: { c: [1, 2] }, a: 1 }));
    expect(hashOf({ a: [1, 2] })).not.toBe(hashOf({ a: [2, 1] }));
  });
});

describe("createGate", () => {
  it("runs so many tasks at once and spaces their starts, in order", async () => {
    const started: number[] = [];
    const slept: number[] = [];
    let running = 0;
    let most = 0;
    const gate = createGate({
      concurrency: 2,
      requestsPerMinute: 120,
      now: () => 0,
      sleep: (ms) => (slept.push(ms), Promise.resolve()),
    }); // the clock stands still
    const task = (i: number) => async (): Promise<void> => {
      started.push(i);
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    };
    await Promise.all([0, 1, 2, 3].map((i) => gate.run(task(i))));
    expect(started).toEqual([0, 1, 2, 3]);
    expect(slept).toEqual([500, 1000, 1500]);
    gate.pause(10_000);
    await gate.run(task(4));
    expect(slept[3]).toBe(10_000);
    expect(most).toBe(2);
    expect(() => createGate({ concurrency: 0, requestsPerMinute: 0, sleep: () => Promise.resolve() })).toThrow(
      /concurrency is 0/,
    );
    expect(() => createGate({ concurrency: 1, requestsPerMinute: -1, sleep: () => Promise.resolve() })).toThrow(
      /requests per minute is -1/,
    );
  });

  it("holds tasks back that wait for their time already, in order and spaced", async () => {
    let clock = 0;
    const started: [number, number][] = [];
    const sleepers: { until: number; wake: () => void }[] = [];
    const gate = createGate({
      concurrency: 4,
      requestsPerMinute: 60,
      now: () => clock,
      sleep: (ms) => new Promise((wake) => sleepers.push({ until: clock + ms, wake })),
    });
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    const advance = async (to: number): Promise<void> => {
      for (; clock <= to; clock += 250) {
        for (const due of sleepers.filter(({ until }) => until <= clock))
          sleepers.splice(sleepers.indexOf(due), 1)[0].wake();
        await turn();
      }
    };
    const run = (i: number): Promise<void> => gate.run(() => Promise.resolve(void started.push([i, clock])));
    const tasks = [0, 1, 2].map(run); // at 0, 1000 and 2000
    await advance(500);
    gate.pause(5000 - clock);
    tasks.push(run(3));
    await advance(10_000);
    await Promise.all(tasks);
    expect(started).toEqual([
      [0, 0],
      [1, 5000],
      [2, 6000],
      [3, 7000],
    ]);
  });

  it("ends a task that waits for its time as soon as its signal aborts", async () => {
    const controller = new AbortController();
    const gate = createGate({ concurrency: 2, requestsPerMinute: 1, sleep: waitMs });
    await gate.run(() => Promise.resolve());
    const waiting = gate.run(() => Promise.resolve("ran"), controller.signal);
    gate.pause(60_000);
    controller.abort(new Error("stopped"));
    await expect(waiting).rejects.toThrow("stopped");
  });
});
