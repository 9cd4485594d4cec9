/** Regular expressions of others: one that backtracks without end would hold the process for ever. */
import isSafe from "safe-regex2";
import { createTimeLimit } from "./time-limit";

const LIMIT_MS = 2000;

/**
 * Tries a regular expression on the texts that it will be used on.
 * @returns what is wrong with it: it is none, or takes longer than 2 s; null where nothing is
 */
export function patternProblem(source: string, texts: readonly string[]): string | null {
  const slow = new Error(
    `takes longer than ${LIMIT_MS / 1000} s on the names of this model; write it without a repetition inside a repetition`,
  );
  try {
    createTimeLimit(LIMIT_MS)(
      () => {
        const pattern = new RegExp(source);
        for (const text of texts) pattern.test(text);
      },
      () => slow,
    );
    return null;
  } catch (error) {
    return error === slow ? slow.message : "is no regular expression that JavaScript knows";
  }
}

/**
 * Whether a regular expression, of JavaScript or Oniguruma, has a repetition of varying length inside another, whose
 * time may double with every letter. Alternatives that match the same, as in `(?:a|a)*`, are not found: whoever uses
 * the pattern needs a time limit besides.
 */
export function hasNestedRepetition(source: string): boolean {
  const plain = source
    .replace(/\(\?(?:[a-z]+:|>)/g, "(?:") // Oniguruma's groups with flags, and those that do not backtrack
    .replace(/\(\?[a-z]+\)/g, "")
    .replace(/(?<!\\)\{\d+\}/g, ""); // so many times and no other
  return !isSafe(plain, { limit: Infinity });
}
