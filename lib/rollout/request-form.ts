/**
 * The form in which an endpoint takes a request. All have the protocol, but some models want `max_completion_tokens`,
 * and some servers refuse `temperature`, `top_p`, `seed` or several answers at once; they say so in a 400.
 */
import type OpenAI from "openai";
import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";

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

/** A request as it goes over the wire. */
export type ChatBody = OpenAI.ChatCompletionCreateParamsNonStreaming;

/** A field that an endpoint may refuse, and that there is another way for. */
export type FormField = "max_tokens" | "temperature" | "top_p" | "seed" | "n";

/** What an endpoint has refused so far. */
export type RefusedFields = ReadonlySet<FormField>;

const FIELDS: readonly FormField[] = ["max_tokens", "temperature", "top_p", "seed", "n"];

/** What is done in place of sending a field, for people to read. */
export const INSTEAD: Readonly<Record<FormField, string>> = {
  max_tokens: "max_completion_tokens is sent from now on",
  temperature: "left out from now on: answers are sampled at the server's own temperature",
  top_p: "left out from now on: the server's own is used",
  seed: "left out from now on: another run's answers may differ",
  n: "answers are asked for one at a time from now on",
};

/** Of the refused fields, those whose default the server uses in place of what was asked for. */
export const leftOut = (body: ChatBody, refused: RefusedFields): string[] =>
  (["temperature", "top_p", "seed"] as const).filter((field) => refused.has(field) && body[field] !== undefined);

/**
 * A request in the protocol's common form.
 * @param n answers of this request
 * @param round requests for answers to the same question before it: each has a seed of its own
 */
export function requestBody(model: string, request: ChatRequest, n: number, round: number): ChatBody {
  return {
    model,
    messages: request.messages as ChatCompletionMessageParam[],
    n,
    max_tokens: request.maxTokens,
    temperature: request.temperature,
    ...(request.topP === undefined ? {} : { top_p: request.topP }),
    ...(request.seed === undefined ? {} : { seed: request.seed + round }),
  };
}

/** The same request without what was refused: `max_completion_tokens` for `max_tokens`, the rest left out. */
export function inForm(body: ChatBody, refused: RefusedFields): ChatBody {
  const kept = { ...body };
  for (const field of refused) delete kept[field];
  if (refused.has("max_tokens")) kept.max_completion_tokens = body.max_tokens;
  return kept;
}

const CODES = /^(?:unsupported_(?:parameter|value)|unknown_parameter|extra_forbidden)$/;
const REFUSED =
  /unsupported|(?:not|n't|cannot|can't|no longer) (?:both )?(?:be )?(?:support|allow|permit|accept|implement|available|specified|set|used|recogni|compatible)|unknown|unrecogni[sz]ed|unexpected|extra (?:input|field)|deprecated|incompatible|only (?:the default|be set|[\d.]+ is)/i;
/** Words that a refusal of several answers is told by. */
const REFUSED_N = /\bmust be\b|\bonly\b|\bat most\b|less than|greater than|[<≤]=?|\bone\b|\b1\b/i;
const ONE_CHOICE =
  /\b(?:one|single|1|multiple|several) (?:completion |response )?(?:choice|candidate|completion|sample)s?\b/i;

const QUOTE = "[`'\"‘’“”]";

/**
 * Where a text names a field; -1 where it does not. `n` is a letter of prose too: it stands in quotes or as a field
 * does.
 */
function placeOf(text: string, field: FormField): number {
  if (field !== "n") return text.search(new RegExp(`(?<![\\w-])${field}(?![\\w-])`));
  return text.search(
    new RegExp(
      `${QUOTE}n${QUOTE}|(?<![\\w'’])n\\s*(?:[=><≤:]|(?:parameter|must|is|should|has|can|greater|above|larger|more|other)\\b)|(?<=\\b(?:parameter|field|property|argument|value|option)s?:? )n(?![\\w'’])`,
    ),
  );
}

/**
 * The field that a refusal is about, where the request can be made without it; null for every other refusal, such as a
 * value that is too large.
 * @param sent the request that was refused
 */
export function refusedField(
  refusal: { status?: number; message: string; code?: string | null; param?: string | null },
  sent: ChatBody,
): FormField | null {
  const { status, message } = refusal;
  if (status !== 400 && status !== 422) return null;
  const candidates = FIELDS.filter((field) => sent[field] !== undefined && sent[field] !== null);
  const param = refusal.param?.split(".").at(-1);
  const several = (sent.n ?? 1) > 1;
  const isRefusal = CODES.test(refusal.code ?? "") || REFUSED.test(message);
  const byParam = candidates.find((field) => field === param);
  if (byParam !== undefined) return isRefusal || (byParam === "n" && several) ? byParam : null;
  if (param) return null; // about another field
  if (several && ONE_CHOICE.test(message)) return "n";
  const named = candidates
    .map((field) => ({ field, place: placeOf(message, field) }))
    .filter(({ field, place }) => place >= 0 && (isRefusal || (field === "n" && several && REFUSED_N.test(message))))
    .sort((a, b) => a.place - b.place)
    .map(({ field }) => field);
  // "temperature and top_p cannot both be given": one of them can
  if (/\bboth\b/.test(message) && named.includes("temperature") && named.includes("top_p")) return "top_p";
  return named[0] ?? null;
}
