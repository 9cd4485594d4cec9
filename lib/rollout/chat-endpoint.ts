/**
 * A model behind the OpenAI protocol (OpenAI itself, vLLM, SGLang, llama.cpp …), through the official `openai` client, whose
 * own retries are off: they cover neither a body that is cut off nor one that makes no sense, and count nothing.
 */
import OpenAI from "openai";
import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";
import { foldIn, random } from "../util/random";
import { createGate } from "./request-gate";
import { hashOf, type RequestCache } from "./request-cache";

/** A part of a user turn; images are data URIs. */
export type ChatPart = { type: "text"; text: string } | { type: "image_url"; image_url: { url: string } };

/** A message in the protocol's form. */
export interface ChatMessage {
  role: "system" | "user" | "assistant";
  content: string | ChatPart[];
}

/** What is asked for. */
export interface ChatRequest {
  messages: readonly ChatMessage[];
  /** Answers wanted; where a server gives fewer it is asked again. */
  n: number;
  maxTokens: number;
  temperature: number;
  topP?: number;
  seed?: number;
}

/** One answer. */
export interface ChatAnswer {
  text: string;
  /** False where the limit of tokens cut it off. */
  finished: boolean;
}

/** What an endpoint has done so far. Tokens as the server counts them; those of cached answers apart. */
export interface ChatUsage {
  requests: number;
  retries: number;
  cached: number;
  promptTokens: number;
  completionTokens: number;
  cachedPromptTokens: number;
  cachedCompletionTokens: number;
}

/** How an endpoint is reached. */
export interface EndpointOptions {
  /** Up to and with `/v1`. */
  baseUrl: string;
  model: string;
  /** From the environment alone; servers without one ignore it. Never written, printed or cached. */
  apiKey?: string;
  /** Attempts after the first, default 6. */
  retries?: number;
  /** For one attempt, body included; default 300,000. */
  timeoutMs?: number;
  /** 0 (default) for no limit. */
  requestsPerMinute?: number;
  /** Requests under way at once, default 4. */
  concurrency?: number;
  cache?: RequestCache;
  /** Called before each wait. */
  onRetry?: (attempt: number, waitMs: number, reason: string) => void;
  /** Waits; replaced in tests. */
  sleep?: (ms: number) => Promise<void>;
}

/** Asks one model. */
export interface ChatEndpoint {
  readonly model: string;
  readonly usage: Readonly<ChatUsage>;
  /**
   * `n` answers, from the cache where it has them.
   * @throws Error without the key in it: a refusal (400, 401, 403, 404 …) at once, all else after the last attempt
   */
  ask(request: ChatRequest): Promise<ChatAnswer[]>;
}

/** An answer that makes no sense. */
class MalformedAnswer extends Error {}

interface Reply {
  answers: ChatAnswer[];
  promptTokens: number;
  completionTokens: number;
}

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
/** A server may ask for a longer wait than the back-off's; not for more than this. */
const LONGEST_RETRY_AFTER_MS = 600_000;
const NO_KEY = "EMPTY";

const count = (value: unknown): number =>
  typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : 0;

/** The answers of a body. @throws MalformedAnswer saying what is wrong */
function parseReply(body: unknown): Reply {
  if (typeof body !== "object" || body === null)
    throw new MalformedAnswer(`the body is no JSON object but ${typeof body} (is the base URL right?)`);
  const { choices, usage } = body as { choices?: unknown; usage?: Record<string, unknown> | null };
  if (!Array.isArray(choices) || choices.length === 0) throw new MalformedAnswer("the body has no choices");
  const answers = (choices as ({ message?: { content?: unknown } | null; finish_reason?: unknown } | null)[]).map(
    (choice, i): ChatAnswer => {
      const content = choice?.message?.content;
      if (typeof content !== "string" && !(choice?.message && content === null))
        throw new MalformedAnswer(`choice ${i} has no message with text`);
      return { text: content ?? "", finished: choice?.finish_reason !== "length" };
    },
  );
  return { answers, promptTokens: count(usage?.prompt_tokens), completionTokens: count(usage?.completion_tokens) };
}

/** What `Retry-After` asks for, ms: seconds or a date; null where there is none. */
export function retryAfterMs(header: string | null | undefined, now = Date.now()): number | null {
  if (header === null || header === undefined || header.trim() === "") return null;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.min(LONGEST_RETRY_AFTER_MS, Math.max(0, ms)) : null;
}

/** An error in one line, with what is behind a failed connection. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause =
    error.cause instanceof Error
      ? ` (${((error.cause as NodeJS.ErrnoException).code ?? error.cause.message).slice(0, 100)})`
      : "";
  return `${error.message.split("\n")[0].slice(0, 300)}${cause}`;
}

const isReply = (value: unknown): value is Reply =>
  typeof value === "object" && value !== null && Array.isArray((value as Partial<Reply>).answers);

/** Opens an endpoint. @throws Error where the base URL is none, or has a password in it */
export function createChatEndpoint(options: EndpointOptions): ChatEndpoint {
  const {
    baseUrl,
    model,
    retries = 6,
    timeoutMs = 300_000,
    requestsPerMinute = 0,
    concurrency = 4,
    cache,
    onRetry,
    sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  } = options;
  let url: URL;
  try {
    url = new URL(baseUrl);
  } catch {
    throw new Error(`base URL ${JSON.stringify(baseUrl)}: no URL; expected one like http://127.0.0.1:8000/v1`);
  }
  if (!/^https?:$/.test(url.protocol)) throw new Error(`base URL ${baseUrl}: expected http or https`);
  if (url.username !== "" || url.password !== "" || url.search !== "")
    throw new Error(
      "base URL: no user, password or query may stand in it; the key comes from the environment (OPENAI_API_KEY)",
    );
  const apiKey = options.apiKey?.trim() || NO_KEY;
  const redact = (text: string): string => (apiKey === NO_KEY ? text : text.split(apiKey).join("[key]"));
  const client = new OpenAI({
    apiKey,
    baseURL: baseUrl,
    maxRetries: 0,
    organization: null,
    project: null,
    logLevel: "off",
    timeout: timeoutMs,
  });
  const usage: ChatUsage = {
    requests: 0,
    retries: 0,
    cached: 0,
    promptTokens: 0,
    completionTokens: 0,
    cachedPromptTokens: 0,
    cachedCompletionTokens: 0,
  };
  const gate = createGate({ concurrency, requestsPerMinute, sleep });

  /** One attempt; the deadline holds for the body too, which the client's own does not. */
  async function attempt(body: OpenAI.ChatCompletionCreateParamsNonStreaming): Promise<Reply> {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), timeoutMs);
    try {
      usage.requests++;
      return parseReply(await client.chat.completions.create(body, { signal: deadline.signal }));
    } catch (error) {
      if (deadline.signal.aborted) throw new Error(`no answer within ${timeoutMs / 1000} s`);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async function withRetries(body: OpenAI.ChatCompletionCreateParamsNonStreaming, key: string): Promise<Reply> {
    for (let tried = 0; ; tried++) {
      try {
        return await gate.run(() => attempt(body));
      } catch (error) {
        const status = error instanceof OpenAI.APIError ? (error.status as number | undefined) : undefined;
        const reason = redact(describe(error));
        const worthwhile = status === undefined || status === 408 || status === 409 || status === 429 || status >= 500;
        if (!worthwhile || tried >= retries)
          throw new Error(
            `${redact(baseUrl)}, model ${model}: ${reason}${worthwhile ? ` (${tried + 1} attempts)` : ""}`,
          );
        usage.retries++;
        const backOff =
          Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** tried) * (0.5 + 0.5 * random(foldIn(0, key, tried)).uniform());
        const asked =
          error instanceof OpenAI.APIError
            ? retryAfterMs((error.headers as Headers | undefined)?.get("retry-after"))
            : null;
        const wait = Math.max(backOff, asked ?? 0);
        onRetry?.(tried + 1, wait, reason);
        if (asked !== null) gate.pause(asked); // the server means all of us
        await sleep(wait);
      }
    }
  }

  async function askOnce(request: ChatRequest, n: number, round: number): Promise<Reply> {
    const body: OpenAI.ChatCompletionCreateParamsNonStreaming = {
      model,
      messages: request.messages as ChatCompletionMessageParam[],
      n,
      max_tokens: request.maxTokens,
      temperature: request.temperature,
      ...(request.topP === undefined ? {} : { top_p: request.topP }),
      ...(request.seed === undefined ? {} : { seed: request.seed + round }),
    };
    const key = hashOf({ baseUrl, round, body });
    const stored = cache?.get(key);
    if (isReply(stored)) {
      usage.cached++;
      usage.cachedPromptTokens += stored.promptTokens;
      usage.cachedCompletionTokens += stored.completionTokens;
      return stored;
    }
    const reply = await withRetries(body, key);
    usage.promptTokens += reply.promptTokens;
    usage.completionTokens += reply.completionTokens;
    const clean = { ...reply, answers: reply.answers.map((answer) => ({ ...answer, text: redact(answer.text) })) };
    cache?.set(key, clean);
    return clean;
  }

  return {
    model,
    usage,
    ask: async (request) => {
      if (!(Number.isInteger(request.n) && request.n >= 1))
        throw new Error(`ask: n is ${request.n}; expected a positive integer`);
      const answers: ChatAnswer[] = [];
      for (let round = 0; answers.length < request.n; round++)
        answers.push(...(await askOnce(request, request.n - answers.length, round)).answers);
      return answers.slice(0, request.n);
    },
  };
}
