/** A body of `/v1/chat/completions` as what is asked for. */
import { shownValue } from "../util/json-text";
import type { SamplingRequest } from "../rollout/sampling-defaults";
import { ApiError, badField } from "./api-error";
import {
  flagField,
  isObject,
  numberField,
  objectField,
  textField,
  textsField,
  wholeField,
  type Fields,
} from "./fields";
import type { Limits } from "./limits";
import { readMessages, type SentMessages } from "./messages";

/** What is asked for. */
export interface ChatCall extends SentMessages {
  n: number;
  /** Null where the request does not say. */
  maxTokens: number | null;
  sampling: Omit<SamplingRequest, "eosTokenIds">;
  /** Null where any will do. */
  seed: number | null;
  stop: string[];
  /** Go on after the end of an answer. */
  ignoreEos: boolean;
  /** Tokens that end an answer besides. */
  stopTokenIds: number[];
  /** Tokens that are never drawn: those that `logit_bias` gives -100. */
  bannedTokenIds: number[];
  /** Which of several prompts this is: draws are those of the list as one call of the generator. */
  seedIndex: number;
  /** Draws and log-probs as training samples: under the tempered softmax, in place of the model's own. */
  tempered: boolean;
  stream: boolean;
  /** The count of tokens as the stream's last event. */
  streamUsage: boolean;
  /** How many most probable tokens beside the chosen one's log-prob; null for no log-probs. */
  logProbs: number | null;
  /** Token ids of prompt and answers, as vLLM's `return_token_ids`. */
  tokenIds: boolean;
}

/** Read here. */
const READ: ReadonlySet<string> = new Set(
  "model messages n max_tokens max_completion_tokens temperature top_p top_k repetition_penalty seed seed_index stop stop_token_ids logit_bias logprobs_of ignore_eos stream stream_options logprobs top_logprobs return_token_ids".split(
    " ",
  ),
);
/** Without meaning for a server of one model and one user. */
const IGNORED: ReadonlySet<string> = new Set(
  "user store metadata service_tier safety_identifier prompt_cache_key parallel_tool_calls".split(" "),
);
const MOST_TOKEN_IDS = 64;
const isEmpty = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).length === 0;
/** What this server has no way to do, and the values that ask for nothing. */
const NOTHING: Readonly<Record<string, (value: unknown) => boolean>> = {
  frequency_penalty: (value) => value === 0,
  presence_penalty: (value) => value === 0,
  min_p: (value) => value === 0,
  tools: isEmpty,
  functions: isEmpty,
  tool_choice: (value) => value === "none" || value === "auto",
  function_call: (value) => value === "none" || value === "auto",
  response_format: (value) => isObject(value) && value.type === "text",
  modalities: (value) => Array.isArray(value) && value.length === 1 && value[0] === "text",
};

/** @throws ApiError naming a field that asks for what is not done here */
function checkNames(body: Fields): void {
  for (const [name, value] of Object.entries(body)) {
    if (READ.has(name) || IGNORED.has(name) || value === null || value === undefined) continue;
    if (!Object.hasOwn(NOTHING, name))
      throw new ApiError(400, `unknown parameter ${shownValue(name)}`, name.slice(0, 120), "unknown_parameter");
    if (!NOTHING[name](value)) throw badField(name, "is not supported by this server", "unsupported_parameter");
  }
}

/** @throws ApiError naming the option and how it may be given */
function readSampling(body: Fields): ChatCall["sampling"] {
  return {
    temperature: numberField(body, "temperature", (x) => x >= 0, "a number of at least 0 (0 is greedy)"),
    topP: numberField(body, "top_p", (x) => x > 0 && x <= 1, "a number above 0 and at most 1"),
    topK: wholeField(body, "top_k", -1, 1e9),
    repetitionPenalty: numberField(body, "repetition_penalty", (x) => x > 0, "a positive number (1 for none)"),
  };
}

function readLogProbs(body: Fields, limits: Limits): number | null {
  const top = wholeField(body, "top_logprobs", 0, limits.topLogProbs);
  if (flagField(body, "logprobs")) return top ?? 0;
  if (top !== undefined) throw badField("top_logprobs", "needs logprobs: true");
  return null;
}

const isTokenId = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function readStopTokens(body: Fields): number[] {
  const ids = body.stop_token_ids ?? [];
  if (!Array.isArray(ids) || ids.length > MOST_TOKEN_IDS || !ids.every(isTokenId))
    throw badField("stop_token_ids", `expected a list of at most ${MOST_TOKEN_IDS} token ids`, "invalid_value");
  return ids;
}

function readBans(body: Fields): number[] {
  const entries = Object.entries(objectField(body, "logit_bias") ?? {});
  const isBan = ([id, bias]: [string, unknown]): boolean => /^\d{1,9}$/.test(id) && bias === -100;
  if (entries.length > MOST_TOKEN_IDS || !entries.every(isBan))
    throw badField(
      "logit_bias",
      `at most ${MOST_TOKEN_IDS} token ids, each with -100: a token is banned or it is not`,
      "unsupported_parameter",
    );
  return entries.map(([id]) => Number(id));
}

/** @throws ApiError where it is asked for with what training's sampling has not */
function readTempered(body: Fields, { topK, repetitionPenalty, temperature }: ChatCall["sampling"]): boolean {
  const of = textField(body, "logprobs_of") ?? "model";
  if (of !== "model" && of !== "tempered") throw badField("logprobs_of", "expected model or tempered", "invalid_value");
  if (of === "tempered" && (topK !== 0 || repetitionPenalty !== 1 || !temperature))
    throw badField("logprobs_of", "tempered goes with top_k 0, repetition_penalty 1 and a temperature above 0");
  return of === "tempered";
}

/**
 * Reads a body.
 * @param model the name that is served
 * @param checkText throws where a text may not be sent
 * @throws ApiError naming the field that is wrong, and what is expected
 */
export function readRequest(
  body: unknown,
  model: string,
  limits: Limits,
  checkText: (text: string, param: string) => void,
): ChatCall {
  if (!isObject(body)) throw new ApiError(400, "the body is no JSON object");
  checkNames(body);
  const asked = textField(body, "model");
  if (asked === undefined) throw badField("model", `is missing; ${shownValue(model)} is served here`);
  if (asked !== model)
    throw new ApiError(
      404,
      `model ${shownValue(asked)} is not served here; ${shownValue(model)} is`,
      "model",
      "model_not_found",
    );
  const old = wholeField(body, "max_tokens", 1, limits.answerTokens);
  const streamOptions = objectField(body, "stream_options");
  const stream = flagField(body, "stream");
  if (streamOptions !== undefined && !stream) throw badField("stream_options", "needs stream: true");
  const given = readSampling(body);
  const sampling = given.topK === -1 ? { ...given, topK: 0 } : given;
  return {
    ...readMessages(body.messages, limits.images, checkText),
    n: wholeField(body, "n", 1, limits.n) ?? 1,
    maxTokens: wholeField(body, "max_completion_tokens", 1, limits.answerTokens) ?? old ?? null,
    sampling,
    seed: wholeField(body, "seed", Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER) ?? null,
    stop: textsField(body, "stop", limits.stops, limits.stopLength),
    ignoreEos: flagField(body, "ignore_eos"),
    stopTokenIds: readStopTokens(body),
    bannedTokenIds: readBans(body),
    seedIndex: wholeField(body, "seed_index", 0, 2 ** 31 - 1) ?? 0,
    tempered: readTempered(body, sampling),
    stream,
    streamUsage: flagField(streamOptions ?? {}, "include_usage"),
    logProbs: readLogProbs(body, limits),
    tokenIds: flagField(body, "return_token_ids"),
  };
}
