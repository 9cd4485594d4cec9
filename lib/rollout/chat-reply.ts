/** What a server of the OpenAI protocol replied: answers, or its own error, which may come with status 200 too. */
import { parseJsonText, shortened, shownValue } from "../util/json-text";
import { redactedJson } from "../util/secrets";

/** One answer. */
export interface ChatAnswer {
  /** With the thoughts before it as `<think>…</think>`, where the server gave them apart. */
  text: string;
  /** True where the model ended it itself, false where a limit of tokens, a filter or anything unknown did. */
  finished: boolean;
  /** Why there is no text, where there is none though there was room for one: filtered, refused, empty. */
  problem?: string;
  /** True where the server gave the thoughts apart and they were put back before the content. */
  thoughtsPutBack?: boolean;
  /**
   * What was asked for and could not be said to this server, which used its own default: `temperature`, `top_p`,
   * `seed`.
   */
  leftOut?: readonly string[];
}

/** A body that makes sense. */
export interface ParsedReply {
  /** In the server's order, without those that an error broke off. */
  answers: ChatAnswer[];
  /** As the server counts them; 0 where it does not. */
  promptTokens: number;
  completionTokens: number;
  /** The model that the server says answered; null where it does not say. */
  model: string | null;
}

/** A body that makes no sense. */
export class MalformedAnswer extends Error {}

/** Longest message of a server that is passed on, characters. */
const LONGEST_MESSAGE = 1000;

/** The server's own error, in its own words. */
export class ServerError extends Error {
  /**
   * @param status its code where that is one of HTTP's from 400 to 599, 400 where its words say that asking again is no
   * use
   * @param code its code in words, such as `unsupported_parameter`
   * @param param the field of the request that it is about
   */
  constructor(
    message: string,
    readonly status?: number,
    readonly code?: string,
    readonly param?: string,
  ) {
    super(shortened(message, LONGEST_MESSAGE));
  }
}

/** Ends that are the model's own. */
const ENDED: ReadonlySet<string> = new Set(["stop", "eos", "eos_token", "end_turn", "stop_sequence"]);
/** Ends at a limit of tokens. */
const CUT: ReadonlySet<string> = new Set(["length", "max_tokens", "model_length"]);

type Fields = Record<string, unknown>;

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const textIn = (value: unknown): string | undefined =>
  typeof value === "string" && value.trim() !== "" ? value : undefined;
const count = (value: unknown): number =>
  typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : 0;

/** HTTP's status that an error's code or type stands for; undefined where that can't be said. */
function statusOf(code: unknown, type: unknown): number | undefined {
  const number = typeof code === "number" || (typeof code === "string" && /^\d{3}$/.test(code)) ? Number(code) : NaN;
  if (number >= 400 && number <= 599) return number;
  const words = [code, type].filter((word) => typeof word === "string").join(" ");
  if (/rate.?limit|too.?many|overload|unavailable|time.?out|server|internal/i.test(words)) return undefined;
  return /invalid|unsupported|unknown_|not_?found|authenti|permission|forbidden|context_length|policy|quota|billing/i.test(
    words,
  )
    ? 400
    : undefined;
}

/** FastAPI's list of what is wrong with a request: the first entry, its field before it. */
function validationError(detail: readonly unknown[]): ServerError | null {
  const [first] = detail;
  if (!isObject(first) || textIn(first.msg) === undefined) return null;
  const last = Array.isArray(first.loc) ? (first.loc as unknown[]).at(-1) : undefined;
  const field = typeof last === "string" || typeof last === "number" ? String(last) : undefined; // a name or a place
  return new ServerError(
    `${field === undefined ? "" : `${field}: `}${first.msg as string}`,
    422,
    textIn(first.type),
    field,
  );
}

/**
 * The error in a body, whichever way servers write it: `{error: {message, code, type, param}}`, `{error: "…"}`, vLLM's
 * older `{object: "error", message}`, FastAPI's `{detail}`, or the first of a list of these. Null where there is none.
 */
export function errorIn(received: unknown): ServerError | null {
  const body = Array.isArray(received) ? (received as unknown[])[0] : received;
  if (!isObject(body)) return null;
  const { error } = body;
  if (textIn(error) !== undefined) return new ServerError(error as string, statusOf(body.code, body.type));
  if (isObject(error) && Object.keys(error).length > 0) {
    const raw = isObject(error.metadata) ? textIn(error.metadata.raw) : undefined; // a router's: what the provider said
    const message = textIn(error.message) ?? shownValue(error, 500);
    return new ServerError(
      raw === undefined ? message : `${message}: ${raw}`,
      statusOf(error.code, error.type),
      textIn(error.code) ?? textIn(error.type),
      textIn(error.param),
    );
  }
  if (Array.isArray(body.choices)) return null;
  if (Array.isArray(body.detail)) return validationError(body.detail);
  const message = textIn(body.message) ?? textIn(body.detail);
  return message === undefined
    ? null
    : new ServerError(
        message,
        statusOf(body.code, body.type),
        textIn(body.code) ?? textIn(body.type),
        textIn(body.param),
      );
}

/** Text and thoughts of a content: a string, nothing, or a list of parts. Null where it is none of these. */
function contentOf(content: unknown): { text: string; thoughts: string } | null {
  if (content === null || content === undefined) return { text: "", thoughts: "" };
  if (typeof content === "string") return { text: content, thoughts: "" };
  if (!Array.isArray(content)) return null;
  const parts = content.filter(isObject);
  if (parts.length < content.length) return null;
  const joined = (list: readonly Fields[]): string =>
    list.map(({ text }) => (typeof text === "string" ? text : "")).join("");
  const thoughts = parts
    .filter(({ type }) => type === "thinking" || type === "reasoning")
    .map(({ thinking, text }) => (Array.isArray(thinking) ? joined(thinking.filter(isObject)) : (thinking ?? text)))
    .filter((thought) => typeof thought === "string")
    .join("");
  return { text: joined(parts.filter(({ type }) => type !== "thinking" && type !== "reasoning")), thoughts };
}

/** The thoughts before the text, as the model wrote them before the server took them apart. */
function withThoughts(text: string, thoughts: string): { text: string; thoughtsPutBack?: true } {
  if (thoughts.trim() === "" || text.includes("<think>")) return { text };
  const bare = thoughts.replace(/^\s*<think>/, "").replace(/<\/think>\s*$/, "");
  return { text: `<think>${bare}</think>${text}`, thoughtsPutBack: true };
}

function problemOf(reason: string | null, refusal: string | undefined): string {
  if (refusal !== undefined) return `the model refused: ${refusal}`;
  if (reason === "content_filter") return 'the server\'s filter withheld the answer (finish_reason "content_filter")';
  return `the answer is empty (finish_reason ${shownValue(reason)})`;
}

/** The answer of one choice, or the error that broke it off. @throws MalformedAnswer saying what is wrong */
function parseChoice(choice: unknown, i: number): ChatAnswer | ServerError {
  if (!isObject(choice)) throw new MalformedAnswer(`choice ${i} is no JSON object`);
  const { message, finish_reason } = choice;
  const reason = typeof finish_reason === "string" ? finish_reason.toLowerCase() : null;
  const failure = errorIn({ error: choice.error });
  if (failure !== null || reason === "error")
    return failure ?? new ServerError(`the server broke choice ${i} off (finish_reason "error")`);
  const content = isObject(message) ? contentOf(message.content) : null;
  if (!isObject(message) || content === null) throw new MalformedAnswer(`choice ${i} has no message with text`);
  const thoughts = textIn(message.reasoning_content) ?? textIn(message.reasoning) ?? content.thoughts;
  const whole = withThoughts(content.text, thoughts);
  if (whole.text.trim() !== "") return { ...whole, finished: reason === null || ENDED.has(reason) };
  if (reason !== null && CUT.has(reason)) return { text: "", finished: false };
  return { text: "", finished: false, problem: problemOf(reason, textIn(message.refusal)) };
}

/**
 * The answers of a body that came with status 200. An answer is finished where it has text and its `finish_reason` is
 * `stop`, `eos`, `eos_token`, `end_turn` or `stop_sequence` (in any case), or null or missing: some servers never give
 * one. What an error broke off is left out, however much text there is of it. Thoughts that a server's reasoning parser
 * took apart (`reasoning_content`, `reasoning`, or parts of the content) are put back as `<think>…</think>` before the
 * content, unless it has a `<think>` of its own.
 * @param redact takes the key out of every text of the body before errors cut it
 * @throws ServerError where the body is an error, or an error broke off every answer
 * @throws MalformedAnswer saying what is wrong
 */
export function parseReply(received: unknown, redact: (text: string) => string = (text) => text): ParsedReply {
  let body = received;
  if (typeof received === "string" && /^\s*[{[]/.test(received))
    try {
      body = parseJsonText(received); // JSON under another content type
    } catch {
      throw new MalformedAnswer("the body is cut-off JSON, or none");
    }
  body = redactedJson(body, redact);
  const failure = errorIn(body);
  if (failure !== null) throw failure;
  if (!isObject(body))
    throw new MalformedAnswer(`the body is no JSON object but ${typeof body} (is the base URL right?)`);
  const { choices, usage } = body;
  if (!Array.isArray(choices) || choices.length === 0) throw new MalformedAnswer("the body has no choices");
  const parsed = choices.map(parseChoice);
  const answers = parsed.filter((one): one is ChatAnswer => !(one instanceof ServerError));
  if (answers.length === 0) throw parsed[0] as ServerError;
  const counts = isObject(usage) ? usage : {};
  return {
    answers,
    promptTokens: count(counts.prompt_tokens),
    completionTokens: count(counts.completion_tokens),
    model: textIn(body.model) ?? null,
  };
}
