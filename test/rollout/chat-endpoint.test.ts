import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  createChatEndpoint,
  retryAfterMs,
  type ChatRequest,
  type EndpointOptions,
} from "../../lib/rollout/chat-endpoint";
import { hashOf, requestCache } from "../../lib/rollout/request-cache";
import { createGate } from "../../lib/rollout/request-gate";
import { chatServer, type Act } from "../helpers/chat-server";

const KEY = "sk-test-0123456789abcdef";
const request: ChatRequest = {
  messages: [{ role: "user", content: "What is it?" }],
  n: 1,
  maxTokens: 16,
  temperature: 0,
  seed: 5,
};
const temporary = mkdtempSync(path.join(tmpdir(), "endpoint-"));
afterAll(() => rmSync(temporary, { recursive: true }));

/** An endpoint on a server that acts as listed, then answers; waits are noted, not waited. */
async function scripted(acts: readonly Act[], options: Partial<EndpointOptions> = {}) {
  const server = await chatServer((_, before) => acts[before] ?? { texts: ["a fox"] });
  const waits: number[] = [];
  const reasons: string[] = [];
  const endpoint = createChatEndpoint({
    baseUrl: server.baseUrl,
    model: "toy",
    apiKey: KEY,
    timeoutMs: 30_000,
    sleep: (ms) => (waits.push(ms), Promise.resolve()),
    onRetry: (_, __, reason) => reasons.push(reason),
    ...options,
  });
  return { server, endpoint, waits, reasons };
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
    ["a body that is no JSON", { raw: '{"choices": [' }, /JSON/],
    ["another content type", { raw: "<html>proxy</html>", type: "text/html" }, /no JSON object but string/],
    ["no choices", { raw: '{"choices": []}' }, /no choices/],
    ["a choice without text", { raw: '{"choices": [{"message": {"content": 5}}]}' }, /choice 0 has no message/],
  ])("tries again after %s", async (_, act, reason) => {
    const hangs = typeof act === "string" && act.startsWith("hang");
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

  it.each([400, 401, 403, 404])("gives up at once at %d", async (status) => {
    const { server, endpoint } = await scripted([{ status, message: `no: ${KEY}` }]);
    await expect(endpoint.ask(request)).rejects.toThrow(new RegExp(`model toy: ${status} no: \\[key\\]$`));
    expect(server.requests.length).toBe(1);
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
});
