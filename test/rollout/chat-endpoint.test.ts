import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { createChatEndpoint, retryAfterMs } from "../../lib/rollout/chat-endpoint";
import { requestCache } from "../../lib/rollout/request-cache";
import { chatServer, type Act } from "../helpers/chat-server";
import { KEY, request, scripted } from "../helpers/scripted-endpoint";

const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
const temporary = mkdtempSync(path.join(tmpdir(), "endpoint-"));
afterAll(() => rmSync(temporary, { recursive: true }));

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
