/** A server on this machine that speaks as much of the OpenAI protocol as the tests need, and fails as told. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll } from "vitest";

/** What it was sent. */
export interface SeenRequest {
  headers: IncomingHttpHeaders;
  body: {
    model: string;
    n: number;
    max_tokens: number;
    temperature: number;
    seed?: number;
    messages: { role: string; content: string | { type: string; text?: string; image_url?: { url: string } }[] }[];
  };
}

/** What it does with one request. */
export type Act =
  | { texts: readonly string[]; finish?: string; promptTokens?: number; completionTokens?: number }
  | { status: number; headers?: Record<string, string>; message?: string }
  | { raw: string; type?: string }
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

/** Starts a server on the loopback address; it is closed after the tests of the file. `act` is asked with how many requests came before. */
export async function chatServer(act: (request: SeenRequest, before: number) => Act): Promise<ChatServer> {
  const requests: SeenRequest[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const seen = {
        headers: request.headers,
        body: JSON.parse(Buffer.concat(chunks).toString("utf8")) as SeenRequest["body"],
      };
      requests.push(seen);
      const what = act(seen, requests.length - 1);
      if (what === "hang") return;
      if (what === "reset") return void request.socket.destroy();
      if (typeof what === "object" && "status" in what) {
        response.writeHead(what.status, { "content-type": "application/json", ...what.headers });
        return void response.end(JSON.stringify({ error: { message: what.message ?? "injected" } }));
      }
      const texts = typeof what === "object" && "texts" in what ? what : { texts: ["never whole"] };
      const body =
        typeof what === "object" && "raw" in what
          ? what.raw
          : JSON.stringify({
              id: "x",
              object: "chat.completion",
              created: 0,
              model: seen.body.model,
              choices: texts.texts.map((content, index) => ({
                index,
                message: { role: "assistant", content },
                finish_reason: texts.finish ?? "stop",
              })),
              usage: {
                prompt_tokens: texts.promptTokens ?? 100,
                completion_tokens: texts.completionTokens ?? 10 * texts.texts.length,
                total_tokens: 0,
              },
            });
      response.writeHead(200, {
        "content-type":
          typeof what === "object" && "raw" in what ? (what.type ?? "application/json") : "application/json",
      });
      if (what === "cut" || what === "hang in the body") {
        response.write(body.slice(0, body.length / 2));
        if (what === "cut") setTimeout(() => request.socket.destroy(), 20);
        return;
      }
      response.end(body);
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
