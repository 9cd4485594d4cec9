/** What commands print: text of data among it is shown, never obeyed by the terminal. */
import { visibleText } from "../lib/util/visible-text";

/** A line on stdout. */
export const print = (text = ""): void => void process.stdout.write(`${visibleText(text)}\n`);

/** A line on stderr: what was skipped, warnings. */
export { warn as note } from "../lib/util/say";

/** Text that is no whole line, on stdout. */
export const printPiece = (text: string): void => void process.stdout.write(visibleText(text));

/** A value as JSON on one line, the last that `--json` prints. */
export const printJson = (value: unknown): void => print(JSON.stringify(value));

const snake = (key: string): string => key.replace(/[a-z\d](?=[A-Z])/g, "$&_").toLowerCase();

/**
 * A report with the keys of its fields in snake_case, at every depth. For reports whose keys are all fields: names of
 * data are no keys of it.
 */
export function snakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [snake(key), snakeCase(inner)]));
}
