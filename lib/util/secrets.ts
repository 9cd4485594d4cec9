/** Takes a secret out of texts. */

/** Shorter ones are placeholders, such as `x` or `none` for a server that asks for no key: they stand in real words. */
const SHORTEST = 8;

/**
 * The middle of a text's base64 that does not depend on what stands before and after it.
 * @param before bytes before the text, 0 to 2: how base64's groups of three fall
 */
function base64Core(text: string, before: number): string {
  const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(text)]);
  const whole = Math.floor((8 * bytes.length) / 6);
  return bytes.toString("base64").slice(Math.ceil((8 * before) / 6), whole);
}

/** A secret as it may stand in a text: itself, in JSON, encoded for an address, in base64 of either alphabet. */
export function formsOf(secret: string): string[] {
  const base64 = [0, 1, 2].map((before) => base64Core(secret, before));
  const forms = [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    ...base64,
    ...base64.map((text) => text.replace(/\+/g, "-").replace(/\//g, "_")),
  ];
  return [...new Set(forms)].sort((a, b) => b.length - a.length);
}

/**
 * A function that puts `mark` in place of every form of a secret.
 * @param secret of fewer than 8 characters, or null: texts stay as they are
 */
export function redactor(secret: string | null, mark: string): (text: string) => string {
  if (secret === null || secret.length < SHORTEST) return (text) => text;
  const forms = formsOf(secret);
  return (text) => forms.reduce((rest, form) => rest.split(form).join(mark), text);
}

/** Nothing that is read of a reply stands deeper. */
const DEEPEST = 500;

/**
 * A value of JSON whose texts and names of fields have gone through `redact`: what is cut or changed in case later has
 * no part of the secret left. Values deeper than 500 are null.
 */
export function redactedJson(value: unknown, redact: (text: string) => string, depth = 0): unknown {
  if (typeof value === "string") return redact(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth === DEEPEST) return null;
  if (Array.isArray(value)) return value.map((entry) => redactedJson(entry, redact, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => [redact(name), redactedJson(entry, redact, depth + 1)]),
  );
}
