/**
 * A model behind the OpenAI protocol (OpenAI itself, vLLM, SGLang, llama.cpp …): retries, limits, the form that the
 * server takes, and a cache.
 */
import { setMaxListeners } from "node:events";
import { foldIn, random } from "../util/random";
import { warn } from "../util/say";
import { createChatClient } from "./chat-client";
import type { ChatAnswer, ParsedReply } from "./chat-reply";
import type { Failure } from "./openai-client";
import { hashOf, type RequestCache } from "./request-cache";
import { inForm, INSTEAD, leftOut, refusedField, requestBody } from "./request-form";
import type { ChatBody, ChatRequest, FormField } from "./request-form";
import { createGate, waitMs } from "./request-gate";
import { isSameModel } from "./same-model";

export { retryAfterMs } from "./openai-client";
export type { ChatAnswer } from "./chat-reply";
export type { ChatMessage, ChatPart, ChatRequest } from "./request-form";

/** What an endpoint has done so far. Tokens as the server counts them; those of cached answers apart. */
export interface ChatUsage {
  /** All that were sent, those of `retries` and `reshaped` too. */
  requests: number;
  retries: number;
  /** Requests made again in another form, after the server had refused a field. */
  reshaped: number;
  cached: number;
  promptTokens: number;
  completionTokens: number;
  cachedPromptTokens: number;
  cachedCompletionTokens: number;
  /** Answers, cached ones too, whose thoughts the server gave apart: put back as `<think>…</think>`. */
  thoughtsPutBack: number;
  /**
   * Fields that answers, cached ones too, were asked for without, as the server refuses them: `temperature` and the
   * like.
   */
  leftOut: string[];
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
  /** Hears once of each field that the server refuses, and of another model than asked; default: a line on stderr. */
  onWarning?: (message: string) => void;
  /** Waits, until the signal aborts at most; replaced in tests. */
  sleep?: (ms: number, signal?: AbortSignal) => Promise<void>;
}

/** Asks one model. */
export interface ChatEndpoint {
  readonly model: string;
  readonly usage: Readonly<ChatUsage>;
  /**
   * `n` answers, from the cache where it has them; each reply is cached before the next is asked for. An answer without
   * text has its `problem`, or was cut off at the limit of tokens.
   * @param signal stops asking: requests under way are given up
   * @throws Error without the key in it: a refusal (400, 401, 403, 404 …) at once, all else after the last attempt; and
   * where no answer has text for another reason than the limit of tokens. The signal's reason where it aborts.
   */
  ask(request: ChatRequest, signal?: AbortSignal): Promise<ChatAnswer[]>;
}

/** As it is cached; fields of `ParsedReply` that later runs don't need are left out. */
type Reply = Omit<ParsedReply, "model">;

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;

const isWorthwhile = ({ status }: Failure): boolean =>
  status === undefined || status === 408 || status === 409 || status === 429 || status >= 500;

/** Whether a cached value is a reply; an empty answer that counts as finished is an older version's mistake. */
const isReply = (value: unknown): value is Reply =>
  typeof value === "object" &&
  value !== null &&
  Array.isArray((value as Partial<Reply>).answers) &&
  (value as Reply).answers.every(
    (answer) => typeof answer?.text === "string" && !(answer.finished && answer.text.trim() === ""),
  );

/**
 * Opens an endpoint.
 * @throws Error where the base URL is none or has a password in it, the key can't be one, or a limit is no sensible
 * number
 */
export function createChatEndpoint(options: EndpointOptions): ChatEndpoint {
  const {
    baseUrl,
    model,
    apiKey,
    retries = 6,
    timeoutMs = 300_000,
    requestsPerMinute = 0,
    concurrency = 4,
    cache,
    onRetry,
    onWarning = warn,
    sleep = waitMs,
  } = options;
  const client = createChatClient({ baseUrl, apiKey, timeoutMs });
  const { redact } = client;
  const usage: ChatUsage = {
    requests: 0,
    retries: 0,
    reshaped: 0,
    cached: 0,
    promptTokens: 0,
    completionTokens: 0,
    cachedPromptTokens: 0,
    cachedCompletionTokens: 0,
    thoughtsPutBack: 0,
    leftOut: [],
  };
  const gate = createGate({ concurrency, requestsPerMinute, sleep });
  const here = `${redact(baseUrl)}, model ${model}`;
  const refused = new Set<FormField>();
  const warned = new Set<string>();
  const warnOnce = (about: string, message: string): void => {
    if (warned.has(about)) return;
    warned.add(about);
    onWarning(`${here}: ${redact(message)}`);
  };

  /** Notes a refusal that asking in another form mends. @returns whether it is one */
  function learn(failure: Failure, sent: ChatBody): boolean {
    const field = refusedField(failure, sent);
    if (field === null) return false;
    usage.reshaped++;
    refused.add(field);
    warnOnce(field, `the server does not take ${field} as asked (${failure.message}); ${INSTEAD[field]}`);
    return true;
  }

  /** Waits before the next attempt. */
  async function backOff(failure: Failure, tried: number, key: string, signal?: AbortSignal): Promise<void> {
    const own =
      Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** tried) * (0.5 + 0.5 * random(foldIn(0, key, tried)).uniform());
    const pause = Math.max(own, failure.retryAfterMs ?? 0);
    onRetry?.(tried + 1, pause, failure.message);
    if (failure.retryAfterMs !== null) gate.pause(failure.retryAfterMs); // the server means all of us
    await sleep(pause, signal);
  }

  /** The reply, asked for again where that may help, and in another form where the server wants one. */
  async function withRetries(body: ChatBody, key: string, signal?: AbortSignal): Promise<ParsedReply> {
    for (let tried = 0; ;) {
      let sent = body;
      try {
        return await gate.run(() => {
          sent = inForm(body, refused);
          usage.requests++;
          return client.attempt(sent, signal);
        }, signal);
      } catch (error) {
        signal?.throwIfAborted();
        const failure = client.failureOf(error);
        if (learn(failure, sent)) continue; // is not sent so again
        const again = isWorthwhile(failure);
        if (!again || tried >= retries)
          throw new Error(`${here}: ${failure.message}${again ? ` (${tried + 1} attempts)` : ""}`);
        usage.retries++;
        await backOff(failure, tried++, key, signal);
      }
    }
  }

  /** Counts what the answers of a reply were asked without, and their thoughts. */
  function note({ answers }: Reply): void {
    for (const { thoughtsPutBack, leftOut: fields = [] } of answers) {
      if (thoughtsPutBack) usage.thoughtsPutBack++;
      usage.leftOut.push(...fields.filter((field) => !usage.leftOut.includes(field)));
    }
  }

  /** A reply from the cache. */
  function takeStored(keys: readonly string[]): Reply | undefined {
    const stored = keys.map((key) => cache?.get(key)).find(isReply);
    if (stored === undefined) return undefined;
    usage.cached++;
    usage.cachedPromptTokens += stored.promptTokens;
    usage.cachedCompletionTokens += stored.completionTokens;
    note(stored);
    return stored;
  }

  /** A reply as it is kept: without the key, and with what was not said to the server. */
  function cleanReply({ answers, promptTokens, completionTokens }: ParsedReply, body: ChatBody): Reply {
    const without = leftOut(body, refused);
    return {
      answers: answers.map((answer) => ({
        ...answer,
        text: redact(answer.text),
        ...(answer.problem === undefined ? {} : { problem: redact(answer.problem) }),
        ...(without.length > 0 ? { leftOut: without } : {}),
      })),
      promptTokens,
      completionTokens,
    };
  }

  /** The answers of one request, at least one. */
  async function askOnce(request: ChatRequest, n: number, round: number, signal?: AbortSignal): Promise<Reply> {
    const body = requestBody(model, request, n, round);
    const key = hashOf({ baseUrl, round, body });
    // Where several are asked for one at a time: a later run, which does not know that yet, finds each under a key of
    // its own.
    const singleKey = hashOf({ baseUrl, round, of: request.n, body: { ...body, n: 1 } });
    const stored = takeStored(request.n > 1 ? [key, singleKey] : [key]);
    if (stored !== undefined) return stored;
    const received = await withRetries(body, key, signal);
    if (received.model !== null && !isSameModel(redact(model), received.model))
      warnOnce("model", `the server says that another model answered: ${received.model.slice(0, 200)}`);
    usage.promptTokens += received.promptTokens;
    usage.completionTokens += received.completionTokens;
    const reply = cleanReply(received, body);
    note(reply);
    if (reply.answers.some(({ problem }) => problem === undefined))
      cache?.set(refused.has("n") && request.n > 1 ? singleKey : key, reply);
    return reply;
  }

  return {
    model,
    usage,
    ask: async (request, signal) => {
      if (!(Number.isInteger(request.n) && request.n >= 1))
        throw new Error(`ask: n is ${request.n}; expected a positive integer`);
      if (signal) setMaxListeners(0, signal); // many requests listen to one signal
      const answers: ChatAnswer[] = [];
      for (let round = 0; answers.length < request.n; round++) {
        signal?.throwIfAborted();
        answers.push(...(await askOnce(request, request.n - answers.length, round, signal)).answers);
      }
      answers.length = request.n;
      const problems = answers.flatMap(({ problem }) => problem ?? []);
      if (problems.length === request.n) throw new Error(`${here}: ${problems[0]}`);
      return answers;
    },
  };
}
