/** `generation_config.json` in camelCase, and back. */
import { shownValue } from "../util/json-text";

/** How a checkpoint asks to be sampled; what is absent is left to the caller. */
export interface GenerationConfig {
  bosTokenId?: number;
  /** Tokens that end a response. */
  eosTokenIds?: number[];
  padTokenId?: number;
  doSample?: boolean;
  temperature?: number;
  topP?: number;
  topK?: number;
  repetitionPenalty?: number;
}

const isToken = (x: unknown): x is number => Number.isInteger(x) && (x as number) >= 0;

/**
 * Parses the content of a `generation_config.json`; unknown fields are left alone.
 * @throws Error naming file and field
 */
export function parseGenerationConfig(json: unknown, file = "generation_config.json"): GenerationConfig {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new Error(`${file}: expected a JSON object`);
  const source = json as Record<string, unknown>;
  const config: GenerationConfig = {};
  const take = (field: string, ok: (x: unknown) => boolean, what: string, set: (x: never) => void): void => {
    const value = source[field];
    if (value === undefined || value === null) return;
    if (!ok(value)) throw new Error(`${file}: ${field} is ${shownValue(value)}; expected ${what}`);
    set(value as never);
  };
  const number = (low: number, high: number) => (x: unknown) => typeof x === "number" && x >= low && x <= high;
  take("bos_token_id", isToken, "a token id", (x) => (config.bosTokenId = x));
  take("pad_token_id", isToken, "a token id", (x) => (config.padTokenId = x));
  take(
    "eos_token_id",
    (x) => isToken(x) || (Array.isArray(x) && x.every(isToken)),
    "a token id or a list of them",
    (x) => (config.eosTokenIds = [x].flat()),
  );
  take(
    "do_sample",
    (x) => typeof x === "boolean",
    "true or false",
    (x) => (config.doSample = x),
  );
  take("temperature", number(0, Infinity), "a number >= 0", (x) => (config.temperature = x));
  take("top_p", number(0, 1), "a number from 0 to 1", (x) => (config.topP = x));
  take("top_k", isToken, "an integer >= 0", (x) => (config.topK = x));
  take(
    "repetition_penalty",
    number(Number.MIN_VALUE, Infinity),
    "a positive number",
    (x) => (config.repetitionPenalty = x),
  );
  return config;
}

/** The content of `generation_config.json`. */
export function generationConfigToJson(config: GenerationConfig): Record<string, unknown> {
  const json: Record<string, unknown> = {
    bos_token_id: config.bosTokenId,
    eos_token_id: config.eosTokenIds,
    pad_token_id: config.padTokenId,
    do_sample: config.doSample,
    temperature: config.temperature,
    top_p: config.topP,
    top_k: config.topK,
    repetition_penalty: config.repetitionPenalty,
  };
  return Object.fromEntries(Object.entries(json).filter(([, value]) => value !== undefined));
}
