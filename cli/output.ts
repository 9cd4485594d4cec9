/** What commands print. */

/** A line on stdout. */
export const print = (text = ""): void => void process.stdout.write(`${text}\n`);

/** A line on stderr: what was skipped, warnings. */
export const note = (text: string): void => void process.stderr.write(`${text}\n`);

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
