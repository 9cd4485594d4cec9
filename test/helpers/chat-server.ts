/** A server on this machine that speaks as much of the OpenAI protocol as the tests need, and fails as told. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { afterAll } from "vitest";

/** What it was sent. */
export interface SeenRequest {
  /** Path and query. */
  url: string;
  headers: IncomingHttpHeaders;
  body: {
    model: string;
    n: number;
    max_tokens: number;
    max_completion_tokens?: number;
    top_p?: number;
    temperature: number;
    seed?: number;
    messages: { role: string; content: string | { type: string; text?: string; image_url?: { url: string } }[] }[];
  };
}

/** What it does with one request. */
export type Act =
  | { texts: readonly string[]; finish?: string; promptTokens?: number; completionTokens?: number }
  /** Choices as they stand in the body; `model` in place of the one asked. */
  | { choices: readonly unknown[]; model?: string | null }
  /** `body` in place of `{error: {message}}`. */
  | { status: number; headers?: Record<string, string>; message?: string; body?: unknown }
  | { raw: string; type?: string }
  /** Bytes on the connection, the head too; the connection is closed after them. */
  | { wire: string }
  /** So many MiB of a body that begins as JSON does. */
  | { megabytes: number }
  /** An answer of which a few bytes come at a time, so many ms apart. */
  | { drip: number }
  /** An answer that comes after so many ms. */
  | { after: number }
  | "cut in the headers"
  | "hang"
  | "hang in the body"
  | "cut"
  | "reset";

/** A running server. */
export interface ChatServer {
  baseUrl: string;
  requests: SeenRequest[];
  close(): Promise<void>;
}

/** The text parts of a request, joined. */
export const textOf = ({ body }: SeenRequest): string =>
  body.messages
    .map(({ content }) => (typeof content === "string" ? content : content.map((part) => part.text ?? "").join("")))
    .join("\n");

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The body of an answer. */
function bodyOf(what: Act, asked: SeenRequest["body"]): string {
  if (typeof what === "object" && "raw" in what) return what.raw;
  const texts = typeof what === "object" && "texts" in what ? what : { texts: ["never whole"] };
  const choices =
    typeof what === "object" && "choices" in what
      ? what.choices
      : texts.texts.map((content, index) => ({
          index,
          message: { role: "assistant", content },
          finish_reason: texts.finish ?? "stop",
        }));
  const model = typeof what === "object" && "model" in what ? what.model : asked.model;
  return JSON.stringify({
    id: "x",
    object: "chat.completion",
    created: 0,
    ...(model === null ? {} : { model }),
    choices,
    usage: {
      prompt_tokens: texts.promptTokens ?? 100,
      completion_tokens: texts.completionTokens ?? 10 * choices.length,
      total_tokens: 0,
    },
  });
}

/** Sends so many MiB, as fast as they are taken. */
async function endless(megabytes: number, response: ServerResponse): Promise<void> {
  response.writeHead(200, { "content-type": "application/json" });
  const parts = (function* () {
    yield '{"choices": "';
    for (let i = 0; i < megabytes; i++) yield "x".repeat(2 ** 20);
    yield '"}';
  })();
  await pipeline(Readable.from(parts), response).catch(() => undefined); // the other side has had enough
}

/** Sends what was decided on. */
async function perform(what: Act, seen: SeenRequest, response: ServerResponse): Promise<void> {
  const socket = response.socket!;
  if (what === "hang") return;
  if (what === "reset") return void socket.destroy();
  if (what === "cut in the headers") {
    socket.write("HTTP/1.1 200 OK\r\ncontent-type: applic");
    await wait(20);
    return void socket.destroy();
  }
  if (typeof what === "object" && "status" in what) {
    response.writeHead(what.status, { "content-type": "application/json", ...what.headers });
    return void response.end(JSON.stringify(what.body ?? { error: { message: what.message ?? "injected" } }));
  }
  if (typeof what === "object" && "wire" in what) return void socket.end(what.wire, "latin1");
  if (typeof what === "object" && "megabytes" in what) return endless(what.megabytes, response);
  const body = bodyOf(what, seen.body);
  if (typeof what === "object" && "after" in what) await wait(what.after);
  const type = typeof what === "object" && "raw" in what ? what.type : undefined;
  response.writeHead(200, { "content-type": type ?? "application/json" });
  if (typeof what === "object" && "drip" in what) {
    for (let i = 0; i < body.length && !response.destroyed; i += 8) {
      response.write(body.slice(i, i + 8));
      await wait(what.drip);
    }
    return void response.end();
  }
  if (what === "cut" || what === "hang in the body") {
    response.write(body.slice(0, body.length / 2));
    if (what === "cut") setTimeout(() => socket.destroy(), 20);
    return;
  }
  response.end(body);
}

/**
 * Starts a server on the loopback address; it is closed after the tests of the file. `act` is asked with how many
 * requests came before.
 */
export async function chatServer(act: (request: SeenRequest, before: number) => Act): Promise<ChatServer> {
  const requests: SeenRequest[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const seen = {
        url: request.url ?? "",
        headers: request.headers,
        body: JSON.parse(Buffer.concat(chunks).toString("utf8") || "{}") as SeenRequest["body"],
      };
      requests.push(seen);
      void perform(act(seen, requests.length - 1), seen, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  afterAll(close);
  return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, requests, close };
}
