/** Regular expressions of others: one that backtracks without end would hold the process for ever. */
import { createContext, Script } from "node:vm";

const LIMIT_MS = 2000;

const TEST = new Script("const pattern = new RegExp(source); for (const text of texts) pattern.test(text);");

/**
 * Tries a regular expression on the texts that it will be used on.
 * @returns what is wrong with it: it is none, or takes longer than 2 s; null where nothing is
 */
export function patternProblem(source: string, texts: readonly string[]): string | null {
  try {
    TEST.runInContext(createContext({ source, texts }), { timeout: LIMIT_MS });
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ERR_SCRIPT_EXECUTION_TIMEOUT"
      ? `takes longer than ${LIMIT_MS / 1000} s on the names of this model; write it without a repetition inside a repetition`
      : "is no regular expression that JavaScript knows";
  }
}
