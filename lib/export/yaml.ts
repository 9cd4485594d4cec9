/** Plain values as YAML: what configuration files of other engines need, no more. */

/** A value of a configuration. */
export type Yaml = string | number | boolean | null | readonly Yaml[] | { readonly [key: string]: Yaml };

const PLAIN = /^[A-Za-z_./][A-Za-z0-9_./:-]*$/;
const WORDS = /^(true|false|null|yes|no|on|off|y|n|~|\.inf|\.nan)$/i;

/** A number that YAML 1.1's readers take for one: with an exponent they want a point. */
function numberText(value: number): string {
  const text = String(value);
  return /^-?\d+e/.test(text) ? text.replace("e", ".0e") : text;
}

function scalar(value: string | number | boolean | null): string {
  if (typeof value === "number") return numberText(value);
  if (typeof value !== "string") return String(value);
  return PLAIN.test(value) && !WORDS.test(value) && !value.endsWith(":") ? value : JSON.stringify(value);
}

const inline = (value: Yaml): string => {
  if (value === null || typeof value !== "object") return scalar(value);
  if (Array.isArray(value)) return `[${(value as readonly Yaml[]).map(inline).join(", ")}]`;
  return `{${Object.entries(value as Record<string, Yaml>)
    .map(([key, of]) => `${scalar(key)}: ${inline(of)}`)
    .join(", ")}}`;
};

/** YAML of a record: one key a line, records indented, lists in one line. */
export function toYaml(record: { readonly [key: string]: Yaml }, indent = ""): string {
  return Object.entries(record)
    .map(([key, value]) => {
      const isRecord = value !== null && typeof value === "object" && !Array.isArray(value);
      return isRecord && Object.keys(value).length > 0
        ? `${indent}${scalar(key)}:\n${toYaml(value as Record<string, Yaml>, `${indent}  `)}`
        : `${indent}${scalar(key)}: ${inline(value)}\n`;
    })
    .join("");
}
