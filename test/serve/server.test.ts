/** The HTTP side: whom it answers, what it refuses, how it ends. */
import { request } from "node:http";
import { connect } from "node:net";
import { AuthenticationError, RateLimitError } from "openai";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { startServer } from "../../lib/serve/server";
import { DEFAULT_LIMITS } from "../../lib/serve/limits";
import { clientOf, post, served, type Served } from "./served";

const KEY = "sk-serve-0123456789";
const hello = { model: "fixture", messages: [{ role: "user" as const, content: "Hello" }], max_tokens: 4 };
const asJson = { "content-type": "application/json" };

describe("a server with a key and small limits", () => {
  let own: Served;
  beforeAll(async () => {
    own = await served({ apiKey: KEY, slots: 1, limits: { bodyBytes: 2000, waiting: 2, imagePixels: 100 } });
  });
  const withKey = { ...asJson, authorization: `Bearer ${KEY}` };
  const errorOf = async (response: Response): Promise<{ message: string; type: string; code: string | null }> =>
    ((await response.json()) as { error: { message: string; type: string; code: string | null } }).error;

  it("listens on 127.0.0.1", () => expect(own.server.baseUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/v1$/));

  it("answers those who have the key, and does not repeat it", async () => {
    expect((await own.client.chat.completions.create(hello)).choices).toHaveLength(1);
    for (const key of ["wrong", `${KEY}x`, KEY.slice(1)])
      await expect(clientOf(own.server.baseUrl, key).chat.completions.create(hello)).rejects.toThrow(
        AuthenticationError,
      );
    const refused = await post(own.server.baseUrl, JSON.stringify(hello));
    expect(refused.status).toBe(401);
    const error = await errorOf(refused);
    expect(error).toMatchObject({ type: "authentication_error", code: "invalid_api_key" });
    expect(JSON.stringify(error)).not.toContain(KEY);
    expect((await fetch(`${own.server.baseUrl}/models`)).status).toBe(401);
  });

  it("answers to this machine's names alone", async () => {
    const { port } = new URL(own.server.baseUrl);
    const statusFor = (host: string): Promise<number | undefined> =>
      new Promise((resolve, reject) =>
        request({ port, host: "127.0.0.1", path: "/health", headers: { ...withKey, host } }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .on("error", reject)
          .end(),
      );
    expect(await statusFor("attacker.example")).toBe(403);
    expect(await statusFor(`127.0.0.1.attacker.example:${port}`)).toBe(403);
    expect(await statusFor(`localhost:${port}`)).toBe(200);
  });

  it.each([
    ["no JSON", "{", withKey, 400, "invalid_json"],
    ["a form, as a page of another site may send it", "a=b", { ...withKey, "content-type": "text/plain" }, 415, null],
    ["nested too deep", `{"a":${"[".repeat(600)}${"]".repeat(600)}}`, withKey, 400, "invalid_json"],
    ["a list", "[]", withKey, 400, null],
    ["too large", JSON.stringify({ ...hello, user: "x".repeat(3000) }), withKey, 413, "body_too_large"],
  ] as const)("refuses a body: %s", async (_, body, headers, status, code) => {
    const response = await post(own.server.baseUrl, body, headers);
    expect(response.status).toBe(status);
    expect(await errorOf(response)).toMatchObject({ type: "invalid_request_error", code });
  });

  it("refuses a body that does not say how large it is, once it is too large", async () => {
    const parts = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(1000).fill(32)),
    });
    const options = { method: "POST", body: parts, headers: withKey, duplex: "half" } as RequestInit;
    const status = await fetch(`${own.server.baseUrl}/chat/completions`, options).then(
      (response) => response.status,
      () => "closed", // the connection may end before the reply is read
    );
    expect([413, "closed"]).toContain(status);
    expect(own.completions.load).toBe(0);
  });

  it("refuses an image of more pixels than it takes", async () => {
    const { default: sharp } = await import("sharp");
    const bytes = await sharp({ create: { width: 20, height: 20, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    const url = `data:image/png;base64,${bytes.toString("base64")}`;
    const messages = [{ role: "user" as const, content: [{ type: "image_url" as const, image_url: { url } }] }];
    await expect(own.client.chat.completions.create({ ...hello, messages })).rejects.toMatchObject({
      status: 400,
      code: "image_too_large",
      message: expect.stringMatching(/20 x 20 pixels; at most 100 are taken/) as string,
    });
  });

  it("knows its addresses and their methods", async () => {
    const { origin } = new URL(own.server.baseUrl);
    const statusOf = async (path: string, method = "GET"): Promise<number> =>
      (await fetch(`${origin}${path}`, { method, headers: withKey })).status;
    expect(await statusOf("/v1/chat/completions")).toBe(405);
    expect(await statusOf("/v1/models", "POST")).toBe(405);
    expect(await statusOf("/v1/embeddings", "POST")).toBe(404);
    expect(await statusOf("/v1/models/../../etc/passwd")).toBe(404);
    expect(await statusOf("/health")).toBe(200);
  });

  it("tells those beyond the queue to come again", async () => {
    const slow = { ...hello, max_tokens: 1500, ignore_eos: true } as typeof hello;
    const replies = await Promise.allSettled([1, 2, 3].map(() => own.client.chat.completions.create(slow)));
    const refused = replies.flatMap((reply) => (reply.status === "rejected" ? [reply.reason as unknown] : []));
    expect(refused).toHaveLength(1);
    expect(refused[0]).toBeInstanceOf(RateLimitError);
    expect(refused[0]).toMatchObject({ code: "queue_full" });
  });

  it("says which port is taken", async () => {
    const port = Number(new URL(own.server.baseUrl).port);
    await expect(startServer(own.completions, { port, apiKey: null, limits: DEFAULT_LIMITS })).rejects.toThrow(
      `port ${port} of 127.0.0.1 is taken; give another by --port`,
    );
  });
});

describe("images that are none of those it takes", () => {
  /** 10^9 rectangles in 2 kB: seconds of work for what only asks for its size. */
  const uses = Array.from({ length: 9 }, (_, i) => `<g id="a${i + 1}">${`<use href="#a${i}"/>`.repeat(10)}</g>`);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg"><defs><rect id="a0" width="1" height="1"/>${uses.join("")}</defs><use href="#a9"/></svg>`;

  it("are refused by their first bytes, whatever they are called", async () => {
    const { client } = await served();
    const url = `data:image/png;base64,${Buffer.from(svg).toString("base64")}`;
    const messages = [{ role: "user" as const, content: [{ type: "image_url" as const, image_url: { url } }] }];
    await expect(client.chat.completions.create({ ...hello, messages })).rejects.toMatchObject({
      status: 400,
      code: "invalid_image",
      message: expect.stringContaining("its bytes are no JPEG, PNG, WebP, GIF or BMP") as string,
    });
  });

  it.each(["jpeg", "png", "webp", "gif"] as const)("%s is taken", async (format) => {
    const { completions, client } = await served();
    const image = await sharp({ create: { width: 32, height: 32, channels: 3, background: "red" } })
      .toFormat(format)
      .toBuffer();
    const url = `data:image/${format};base64,${image.toString("base64")}`;
    const messages = [{ role: "user" as const, content: [{ type: "image_url" as const, image_url: { url } }] }];
    expect((await client.chat.completions.create({ ...hello, messages })).choices).toHaveLength(1);
    expect(completions.load).toBe(0);
  });
});

describe("the bodies of all requests together", () => {
  const filled = { ...hello, user: "x".repeat(60_000) };
  const slow = { ...filled, max_tokens: 1900, ignore_eos: true } as typeof hello;

  it("have a limit: a further one gets a 503, before it is sent too, and there is room again after an answer", async () => {
    const { client, server, completions } = await served({ limits: { heldBytes: 100_000 } });
    const first = client.chat.completions.create(slow);
    await expect.poll(() => completions.load).toBe(1);
    const refused = await post(server.baseUrl, JSON.stringify(filled));
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    const { error } = (await refused.json()) as { error: { message: string; type: string; code: string } };
    expect(error).toMatchObject({ type: "server_error", code: "memory_full" });
    expect(error.message).toMatch(/^requests under way hold 60\d\d\d of 100000 bytes, .*; send it again later$/);
    const parts = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(1000).fill(32)),
    });
    const endless = { method: "POST", body: parts, headers: asJson, duplex: "half" } as RequestInit;
    const status = await fetch(`${server.baseUrl}/chat/completions`, endless).then(
      (response) => response.status,
      () => "closed", // the connection may end before the reply is read
    );
    expect([503, "closed"]).toContain(status);
    expect((await client.chat.completions.create(hello)).choices).toHaveLength(1); // a small one has room beside it
    expect((await first).choices).toHaveLength(1);
    expect((await client.chat.completions.create(filled)).choices).toHaveLength(1);
  });

  it("are free again after requests that were refused or dropped", async () => {
    const { client, server, completions } = await served({ limits: { heldBytes: 100_000 } });
    expect((await post(server.baseUrl, JSON.stringify({ ...filled, n: -1 }))).status).toBe(400);
    expect((await post(server.baseUrl, `${JSON.stringify(filled)}}`)).status).toBe(400);
    const gone = new AbortController();
    const dropped = client.chat.completions.create(slow, { signal: gone.signal });
    await expect.poll(() => completions.load).toBe(1);
    gone.abort();
    await expect(dropped).rejects.toThrow(/abort/i);
    await expect.poll(() => completions.load).toBe(0);
    expect((await client.chat.completions.create(filled)).choices).toHaveLength(1);
    expect((await post(server.baseUrl, JSON.stringify({ ...hello, user: "x".repeat(100_000) }))).status).toBe(413);
  });
});

describe("a client that does not read", () => {
  it("is cut off, and its request dropped", async () => {
    const { server, completions } = await served({ limits: { unreadBytes: 2 ** 20 } });
    const much = { ...hello, n: 32, max_tokens: 400, ignore_eos: true, stream: true, logprobs: true, top_logprobs: 20 };
    const body = JSON.stringify(much);
    const { port } = new URL(server.baseUrl);
    const socket = connect(Number(port), "127.0.0.1");
    const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.on("error", () => undefined); // it may be reset
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await expect.poll(() => completions.load, { timeout: 10_000 }).toBe(1);
    await expect.poll(() => completions.load, { timeout: 30_000 }).toBe(0);
    let last = "";
    socket.on("data", (piece: Buffer) => (last = (last + piece.toString("latin1")).slice(-100)));
    await ended;
    expect(last).not.toBe("");
    expect(last).not.toContain("[DONE]");
  }, 60_000);
});

describe("the end of a server", () => {
  it("takes no other weights after it", async () => {
    const { server, completions, params } = await served();
    await server.close();
    const reloaded = completions.reload("late", () => ({ params, release: () => undefined }));
    await expect(reloaded).rejects.toMatchObject({ status: 503 });
  });

  it("tells what is under way, streams too, and what waits", async () => {
    const { client, server, completions } = await served({ slots: 2 });
    const long = { ...hello, max_tokens: 1900, ignore_eos: true } as typeof hello;
    const stream = await client.chat.completions.create({ ...long, stream: true });
    const streamed = (async () => {
      let pieces = 0;
      try {
        for await (const event of stream) pieces += event.choices.length;
        return "whole";
      } catch (error) {
        return `${pieces > 0 ? "begun" : "empty"}: ${(error as Error).message}`;
      }
    })();
    const whole = [1, 2, 3].map(() =>
      client.chat.completions.create(long).catch((error: { status: number; message: string }) => error),
    );
    await expect.poll(() => completions.load).toBe(4);
    const start = Date.now();
    await server.close();
    expect(Date.now() - start).toBeLessThan(5000);
    expect(await streamed).toMatch(/^begun: .*the server is being shut down/);
    for (const reply of await Promise.all(whole))
      expect(reply).toMatchObject({ status: 503, message: expect.stringMatching(/being shut down/) as string });
    await expect(client.chat.completions.create(hello)).rejects.toThrow(/connection/i);
    expect(completions.load).toBe(0);
  });
});
