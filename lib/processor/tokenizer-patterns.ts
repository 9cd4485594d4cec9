/**
 * The regular expressions of a `tokenizer.json`. They come from whoever made the file, and JavaScript backtracks: a bad
 * one is refused when the file is read, and what is not known to be fast works under a time limit.
 */
import { shownValue } from "../util/json-text";
import { hasNestedRepetition } from "../util/safe-pattern";
import { createTimeLimit } from "../util/time-limit";
import { QWEN2_PATTERN } from "./byte-level";

/** The parts of the file that hold patterns; the vocabulary has none. */
const PARTS = ["normalizer", "pre_tokenizer", "post_processor", "decoder"] as const;

/** A pattern and its place in the file. */
interface FoundPattern {
  /** As `pre_tokenizer.pretokenizers[0].pattern.Regex`. */
  field: string;
  source: string;
}

function patternsIn(value: unknown, field: string): FoundPattern[] {
  if (typeof value !== "object" || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((one, i) => patternsIn(one, `${field}[${i}]`));
  return Object.entries(value).flatMap(([name, inner]: [string, unknown]) =>
    name === "Regex" && typeof inner === "string"
      ? [{ field: `${field}.Regex`, source: inner }]
      : patternsIn(inner, `${field}.${name}`),
  );
}

/** Longest pattern, characters: those of published tokenizers have some hundred. */
const LONGEST = 10_000;

const ADVICE = "take the tokenizer as its publisher has it, or write the pattern anew";

/** @throws Error naming file and field */
function check(file: string, { field, source }: FoundPattern): void {
  if (source.length > LONGEST)
    throw new Error(
      `${file}: ${field} is a pattern of ${source.length} characters; at most ${LONGEST} are taken: ${ADVICE}`,
    );
  if (hasNestedRepetition(source))
    throw new Error(
      `${file}: ${field} is ${shownValue(source)}; it can't be parsed, or has a repetition inside a repetition, which may take for ever: ${ADVICE}`,
    );
}

/** Milliseconds that one text may take under patterns that are not known. */
const LIMIT_MS = 10_000;

/** Runs a tokenizer's work on a text of so many characters or tokens. */
export type Watched = <T>(length: number, work: () => T) => T;

/**
 * Checks the patterns of a file.
 * @returns what runs its tokenizer's work: under a time limit, unless Qwen2's pattern is its only one. It throws an
 * Error naming file and fields where the time is over
 * @throws Error naming file and field of a pattern that may take for ever
 */
export function watchedPatterns(json: Record<string, unknown>, file: string): Watched {
  const unknown = PARTS.flatMap((part) => patternsIn(json[part], part)).filter(
    ({ source }) => source !== QWEN2_PATTERN,
  );
  if (unknown.length === 0) return (_, work) => work();
  unknown.forEach((pattern) => check(file, pattern));
  const limited = createTimeLimit(LIMIT_MS);
  const fields = unknown.map(({ field }) => field).join(", ");
  return (length, work) =>
    limited(
      work,
      () =>
        new Error(
          `${file}: ${fields}: these patterns took longer than ${LIMIT_MS / 1000} s on a text of ${length} characters or tokens; ${ADVICE}`,
        ),
    );
}
