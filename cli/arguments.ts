/** Reading of command-line values that several commands share. */
import type { OnBadRow } from "../lib/util/lines";

/** The number an option holds; undefined where it is not given. @throws Error naming the option */
export function numberOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value))
    throw new Error(`--${option} is ${JSON.stringify(text)}; expected a number`);
  return value;
}

/** A whole number of at least `least`. @throws Error naming the option */
export function countOf(option: string, text: string | undefined, otherwise: number, least = 1): number {
  const value = numberOf(option, text) ?? otherwise;
  if (!Number.isInteger(value) || value < least)
    throw new Error(`--${option} is ${value}; expected an integer of at least ${least}`);
  return value;
}

/** One of some words. @throws Error naming the option */
export function choiceOf<const T extends string>(
  option: string,
  text: string | undefined,
  words: readonly T[],
  otherwise?: T,
): T {
  const value = text ?? otherwise;
  const found = words.find((word) => word === value);
  if (found === undefined)
    throw new Error(
      `--${option} is ${value === undefined ? "missing" : JSON.stringify(value)}; expected ${words.join(words.length > 2 ? ", " : " or ")}`,
    );
  return found;
}

/** Words of `--dtype` (how weights are held) and `--precision` (in what products are computed). */
export const FLOAT_TYPES = ["auto", "float32", "bfloat16"] as const;

/** `--on-bad-row`, `stop` unless given. */
export const onBadRowOf = (text: string | undefined): OnBadRow =>
  choiceOf("on-bad-row", text, ["stop", "skip"], "stop");

/** Options of commands that talk to an endpoint. */
export const ENDPOINT_OPTIONS = {
  retries: { type: "string" },
  timeout: { type: "string" },
  "requests-per-minute": { type: "string" },
  concurrency: { type: "string" },
} as const;

/** `ENDPOINT_OPTIONS` as `createChatEndpoint` takes them, the key from the environment, retries reported on stderr. */
export function endpointOptions(values: Partial<Record<keyof typeof ENDPOINT_OPTIONS, string>>): {
  apiKey: string | undefined;
  retries: number;
  timeoutMs: number;
  requestsPerMinute: number;
  concurrency: number;
  onRetry: (attempt: number, waitMs: number, reason: string) => void;
} {
  return {
    apiKey: process.env.OPENAI_API_KEY,
    retries: countOf("retries", values.retries, 6, 0),
    timeoutMs: 1000 * (numberOf("timeout", values.timeout) ?? 300),
    requestsPerMinute: numberOf("requests-per-minute", values["requests-per-minute"]) ?? 0,
    concurrency: countOf("concurrency", values.concurrency, 4),
    onRetry: (attempt, waitMs, reason) =>
      void process.stderr.write(`again in ${(waitMs / 1000).toFixed(1)} s (attempt ${attempt} failed: ${reason})\n`),
  };
}
