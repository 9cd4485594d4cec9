/**
 * Python's notion of white space, so that the released scoring rules (written in Python) hold to the letter:
 * `str.strip`, `str.split` and `\s` there know a few characters that JavaScript does not, and the reverse (U+FEFF).
 */

/** The inside of a character class: what Python's `\s` matches in a `str`. */
export const PYTHON_SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

const ENDS = new RegExp(`^[${PYTHON_SPACE}]+|[${PYTHON_SPACE}]+$`, "g");
const RUNS = new RegExp(`[${PYTHON_SPACE}]+`);

/** Python's `text.strip()`. */
export function strip(text: string): string {
  return text.replace(ENDS, "");
}

/** Python's `text.split()`: the words, no empty ones. */
export function words(text: string): string[] {
  return text.split(RUNS).filter((word) => word !== "");
}
