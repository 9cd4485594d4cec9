/** A JSON list of records with the line each begins on, so that a bad record is named as one finds it in an editor. */
import { numberedLines, parseJson, readBytes } from "../util/lines";

/** One element of the list. */
export interface JsonRecord {
  value: unknown;
  /** From 1. */
  line: number;
  /** The first of its lines that is not UTF-8; null where all are. */
  spoilt: number | null;
}

/**
 * First and last line of every element of the list that `text` is; the text is JSON, Python's `NaN` and `Infinity` in
 * it or not.
 */
function elementLines(text: string): [first: number, last: number][] {
  const spans: [number, number][] = [];
  let depth = 0;
  let line = 1;
  let inString = false;
  let inElement = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === "\n") line++;
    if (inString) {
      if (c === "\\") i++;
      else if (c === '"') inString = false;
      continue;
    }
    if (depth === 1 && !inElement && !/[\s,\]]/.test(c)) {
      spans.push([line, line]);
      inElement = true;
    }
    if (c === '"') inString = true;
    else if (c === "[" || c === "{") depth++;
    else if (c === "]" || c === "}") depth--;
    if (inElement) {
      if (depth >= 1 && c !== ",") spans[spans.length - 1][1] = line;
      if (depth < 1 || (depth === 1 && c === ",")) inElement = false;
    }
  }
  return spans;
}

/**
 * Reads a file that is a JSON list (`parseJson`).
 * @throws Error naming the file where it is missing, no JSON or no list
 */
export function readJsonRecords(file: string): JsonRecord[] {
  const bytes = readBytes(file);
  let json: unknown;
  try {
    json = parseJson(bytes.toString("utf8").replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new Error(`${file}: no valid JSON (${(error as Error).message.split("\n")[0]})`);
  }
  if (!Array.isArray(json)) throw new Error(`${file}: expected a JSON list of records`);
  const spans = elementLines(bytes.toString("utf8"));
  const spoilt = numberedLines(bytes).flatMap(({ line, text }) => (text === null ? [line] : []));
  return (json as unknown[]).map((value, i) => {
    const [first, last] = spans[i];
    return { value, line: first, spoilt: spoilt.find((line) => line >= first && line <= last) ?? null };
  });
}
