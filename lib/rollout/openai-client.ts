/**
 * The official `openai` client for a server of that protocol, as all modules open it: base URL and key are checked, the
 * key is shown to no other host and stands in no error, and what goes wrong is told in one form.
 */
import OpenAI from "openai";
import { redactedJson, redactor } from "../util/secrets";
import { errorIn, ServerError } from "./chat-reply";
import { endpointFetch } from "./endpoint-fetch";

/** What went wrong with an attempt, whoever says so. */
export interface Failure {
  /** In one line, without the key. */
  message: string;
  status?: number;
  code?: string | null;
  param?: string | null;
  retryAfterMs: number | null;
}

/** A client and what its errors say. */
export interface OpenedClient {
  client: OpenAI;
  /** A text without the key, in no form (`redactor`). */
  redact(text: string): string;
  /** What a call of the client threw. */
  failureOf(error: unknown): Failure;
}

/** A server may ask for a longer wait than ours; not for more than this. */
const LONGEST_RETRY_AFTER_MS = 600_000;
const LONGEST_MESSAGE = 500;
const NO_KEY = "EMPTY";
const NO_JSON = "the body is cut-off JSON, or none";

/** What `Retry-After` asks for, ms: seconds or a date; null where there is none. */
export function retryAfterMs(header: string | null | undefined, now = Date.now()): number | null {
  if (header === null || header === undefined || header.trim() === "") return null;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.min(LONGEST_RETRY_AFTER_MS, Math.max(0, ms)) : null;
}

/** `Retry-After` of a failed request, or the milliseconds of `retry-after-ms`. */
function askedToWait(headers: Headers | undefined): number | null {
  const ms = Number(headers?.get("retry-after-ms") || NaN);
  return ms >= 0 ? Math.min(LONGEST_RETRY_AFTER_MS, ms) : retryAfterMs(headers?.get("retry-after"));
}

/** What an error goes back to. */
function firstCause(error: Error): Error {
  let first = error;
  while (first.cause instanceof Error) first = first.cause;
  return first;
}

/** An error in one line, with what is behind a failed connection. Redacted before it is cut, lest half a key stay. */
function failureOf(error: unknown, redact: (text: string) => string): Failure {
  const line = (text: string): string => redact(text).replace(/\s+/g, " ").trim().slice(0, LONGEST_MESSAGE);
  if (error instanceof ServerError) {
    const { message, status, code, param } = error;
    const number = status === undefined || message.includes(String(status)) ? "" : `${status} `;
    return { message: line(`${number}${message}`), status, code, param, retryAfterMs: null };
  }
  if (!(error instanceof Error)) return { message: line(String(error)), retryAfterMs: null };
  if (error instanceof SyntaxError) return { message: NO_JSON, retryAfterMs: null }; // its own message quotes the body
  const behind = firstCause(error);
  const cause =
    behind === error ? "" : ` (${line((behind as NodeJS.ErrnoException).code ?? behind.message).slice(0, 100)})`;
  const message = `${line(error.message)}${cause}`;
  if (!(error instanceof OpenAI.APIError)) return { message, retryAfterMs: null };
  const { status, code, param, headers } = error as InstanceType<typeof OpenAI.APIError>;
  return { message, status, code, param, retryAfterMs: askedToWait(headers) };
}

/**
 * Refusals in every server's way of writing them, not only in `{error: {…}}`, without the key: it is taken out before
 * anything is cut.
 */
class Client extends OpenAI {
  redact: (text: string) => string = (text) => text;

  protected override makeStatusError(status: number, received: object, message: string | undefined, headers: Headers) {
    const body = redactedJson(received, this.redact) as object;
    const found = errorIn(body);
    const { code, param } = found ?? {};
    const error = found === null ? body : { error: { message: found.message, code, param } };
    return super.makeStatusError(status, error, message, headers);
  }
}

/** @throws Error where the base URL is none, or has a password in it */
function checkBaseUrl(baseUrl: string): void {
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
}

/** The key, trimmed. @throws Error, without the key in it, where it can't stand in a header */
function checkedKey(apiKey: string | undefined): string {
  const key = apiKey?.trim() || NO_KEY;
  if (!/^[\x21-\x7e]+$/.test(key))
    throw new Error("the key has spaces, line breaks or other characters that no key has; look at OPENAI_API_KEY");
  return key;
}

/**
 * @param options.timeoutMs for one attempt
 * @throws Error where the base URL is none or has a password in it, or the key can't be one
 */
export function openClient(options: {
  baseUrl: string;
  apiKey?: string;
  timeoutMs: number;
  maxRetries: number;
}): OpenedClient {
  const { baseUrl, timeoutMs, maxRetries } = options;
  checkBaseUrl(baseUrl);
  const apiKey = checkedKey(options.apiKey);
  const redact = redactor(apiKey === NO_KEY ? null : apiKey, "[key]");
  let sentOnTo: string | null = null;
  const client = new Client({
    apiKey,
    baseURL: baseUrl,
    maxRetries,
    organization: null,
    project: null,
    logLevel: "off",
    timeout: timeoutMs,
    fetch: endpointFetch(timeoutMs, (to) => (sentOnTo = to)),
  });
  client.redact = redact;
  return {
    client,
    redact,
    failureOf: (error) => {
      const failure = failureOf(error, redact);
      if (sentOnTo === null) return failure;
      const away = `; the server sent the request on to ${redact(sentOnTo)}, which is not shown the key: is that the base URL?`;
      return { ...failure, message: `${failure.message}${away}` };
    },
  };
}
