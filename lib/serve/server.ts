/** The HTTP side: OpenAI's protocol on 127.0.0.1. */
import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { isLoopback } from "../rollout/endpoint-fetch";
import { ApiError, asApiError } from "./api-error";
import { readBody } from "./body";
import type { Completions, Weights } from "./completions";
import { isObject } from "./fields";
import { createHeldBytes, type HeldBytes } from "./held-bytes";
import type { Limits } from "./limits";

/** Where it listens, and for whom. */
export interface ServerOptions {
  /** 0 for one that is free. */
  port: number;
  /** Requests need it as `Authorization: Bearer KEY`; null for none. */
  apiKey: string | null;
  limits: Limits;
  /** Loads the weights of a name in the folder that was named at start; null where none was. */
  loadWeights?: ((name: string) => Weights) | null;
}

/** A running server. */
export interface ChatServer {
  /** Up to and with `/v1`. */
  baseUrl: string;
  /** Tells what is under way that it ends, and takes no more. */
  close(): Promise<void>;
}

const HOST = "127.0.0.1";
/** Answers are written within this after `close`, or cut off. */
const GRACE_MS = 2_000;

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** @throws ApiError where the request is not for this machine's server, or lacks the key */
function checkSender({ headers }: IncomingMessage, apiKey: string | null): void {
  // a name that leads to this machine by a trick (DNS rebinding) stays in the Host header
  const host = (headers.host ?? "").replace(/:\d+$/, "");
  if (!isLoopback(host)) throw new ApiError(403, "the server answers to 127.0.0.1 and localhost alone");
  if (apiKey === null) return;
  const given = /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1] ?? "";
  if (!timingSafeEqual(digest(given), digest(apiKey)))
    throw new ApiError(401, "the API key is missing or wrong", null, "invalid_api_key");
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  if (response.headersSent || response.destroyed) return;
  const text = JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

/** An error as the reply, or as the last event of a stream that has begun. The rest of the body is not waited for. */
function sendError(request: IncomingMessage, response: ServerResponse, error: ApiError): void {
  if (response.headersSent) return void response.end(`data: ${JSON.stringify(error.body())}\n\n`);
  if (!request.complete) response.setHeader("connection", "close");
  if (error.status === 429 || error.status === 503) response.setHeader("retry-after", "1");
  sendJson(response, error.status, error.body());
}

/**
 * A stream's events as they come; its head is sent with the first, so that errors before it have their status. A client
 * that does not read is cut off, which drops its request.
 */
function eventWriter(response: ServerResponse, mostUnread: number): (data: string) => void {
  return (data) => {
    if (response.destroyed) return;
    if (!response.headersSent)
      response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
    response.write(`data: ${data}\n\n`);
    if (response.writableLength > mostUnread) response.destroy();
  };
}

/** Reads a body and answers it; its bytes count as held until then. */
async function withBody(
  request: IncomingMessage,
  { bodyBytes, heldBytes }: Limits,
  held: HeldBytes,
  answer: (body: unknown) => Promise<void>,
): Promise<void> {
  const share = held.share();
  try {
    await answer(await readBody(request, Math.min(bodyBytes, heldBytes), share));
  } finally {
    share.release();
  }
}

async function answerChat(
  completions: Completions,
  limits: Limits,
  body: unknown,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => response.writableFinished || gone.abort(new ApiError(499, "the client has gone")));
  const call = completions.read(body);
  if (!call.stream) return sendJson(response, 200, await completions.complete(call, gone.signal));
  const write = eventWriter(response, limits.unreadBytes);
  await completions.stream(call, (event) => write(JSON.stringify(event)), gone.signal);
  write("[DONE]");
  response.end();
}

/** Puts other weights in place: `{weights: NAME}`. */
async function reload(
  completions: Completions,
  { loadWeights }: ServerOptions,
  body: unknown,
  response: ServerResponse,
): Promise<void> {
  if (!loadWeights) throw new ApiError(404, "no folder of weights was named at start (--weights DIR)");
  const name = isObject(body) ? body.weights : undefined;
  // one folder below the one named at start, and nothing above it
  if (typeof name !== "string" || !/^[A-Za-z0-9][\w.-]{0,99}$/.test(name))
    throw new ApiError(400, "weights: expected the name of a folder: letters, digits, _, - and .", "weights");
  try {
    await completions.reload(name, () => loadWeights(name));
  } catch (error) {
    if (error instanceof ApiError) throw error; // it is being shut down
    throw new ApiError(400, `weights: ${(error as Error).message}`, "weights");
  }
  sendJson(response, 200, { weights: name });
}

/** The reply to a request. @throws ApiError */
async function route(
  completions: Completions,
  options: ServerOptions,
  held: HeldBytes,
  started: number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  checkSender(request, options.apiKey);
  const path = (request.url ?? "/").split("?")[0];
  const allow = (method: string): void => {
    if (request.method !== method) throw new ApiError(405, `${path} takes ${method}, not ${request.method}`);
  };
  const model = { id: completions.model, object: "model", created: started, owned_by: "fine-r1" };
  if (path === "/v1/chat/completions") {
    allow("POST");
    return withBody(request, options.limits, held, (body) => answerChat(completions, options.limits, body, response));
  }
  if (path === "/v1/reload") {
    allow("POST");
    return withBody(request, options.limits, held, (body) => reload(completions, options, body, response));
  }
  if (path === "/health") {
    allow("GET");
    return sendJson(response, 200, { status: "ok", requests: completions.load });
  }
  if (path === "/v1/models") {
    allow("GET");
    return sendJson(response, 200, { object: "list", data: [model] });
  }
  if (path === `/v1/models/${encodeURIComponent(completions.model)}`) {
    allow("GET");
    return sendJson(response, 200, model);
  }
  throw new ApiError(404, "there are /v1/chat/completions, /v1/models, /v1/reload and /health", null, "unknown_url");
}

/**
 * Starts the server.
 * @throws Error where the port is taken
 */
export async function startServer(completions: Completions, options: ServerOptions): Promise<ChatServer> {
  const started = Math.floor(Date.now() / 1000);
  const held = createHeldBytes(options.limits.heldBytes);
  const server = createServer((request, response) => {
    route(completions, options, held, started, request, response).catch((error: unknown) =>
      sendError(request, response, asApiError(error)),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "EADDRINUSE"
          ? new Error(`port ${options.port} of ${HOST} is taken; give another by --port, or 0 for one that is free`)
          : error,
      ),
    );
    server.listen(options.port, HOST, resolve);
  });
  return {
    baseUrl: `http://${HOST}:${(server.address() as AddressInfo).port}/v1`,
    close: async () => {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      await completions.close();
      server.closeIdleConnections();
      const late = setTimeout(() => server.closeAllConnections(), GRACE_MS);
      await closed;
      clearTimeout(late);
    },
  };
}
