/** The lines of a UTF-8 file with their numbers, each decoded on its own: one bad line spoils no other. */
import { fileReason } from "./file-errors";
import { parseJsonText } from "./json-text";
import { readRegular } from "./regular-file";

/** A line, trimmed; null where its bytes are not UTF-8. Lines count from 1. */
export interface NumberedLine {
  line: number;
  text: string | null;
}

/** A row that cannot be used: where it is, and why. */
export interface BadRow {
  file: string;
  line: number;
  reason: string;
}

/** What happens at a row that cannot be used: end with an error that names it, or go on and report it. */
export type OnBadRow = "stop" | "skip";

/** Splits bytes at newlines; blank lines are left out. A byte order mark at the start is passed over. */
export function numberedLines(bytes: Uint8Array): NumberedLine[] {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lines: NumberedLine[] = [];
  for (let start = 0, line = 1; start < buffer.length; line++) {
    const newline = buffer.indexOf(10, start);
    const end = newline < 0 ? buffer.length : newline;
    let text: string | null;
    try {
      text = decoder.decode(buffer.subarray(start, end)).trim();
    } catch {
      text = null;
    }
    if (text !== "") lines.push({ line, text });
    start = end + 1;
  }
  return lines;
}

/** A file's bytes. @throws Error naming the file */
export function readBytes(file: string): Buffer {
  try {
    return readRegular(file);
  } catch (error) {
    throw new Error(`${file}: cannot be read: ${fileReason(error)}`);
  }
}

/** Python's number without a JSON form, where one begins at `i`: it, and what is read for it; or null. */
function pythonNumberAt(text: string, i: number): { name: string; value: string } | null {
  // 1e999 is how JSON writes a number that is read as infinite; a minus before it stands where it stood
  const numbers = { NaN: "null", Infinity: "1e999" };
  for (const [name, value] of Object.entries(numbers)) {
    const apart = !/[\w.]/.test(text[i - 1] ?? "") && !/[\w.]/.test(text[i + name.length] ?? "");
    if (text.startsWith(name, i) && apart) return { name, value };
  }
  return null;
}

/** Text of JSON with Python's `NaN` and `Infinity`, outside of strings, put into JSON's words. */
function withoutPythonNumbers(text: string): string {
  const parts: string[] = [];
  let [start, inString] = [0, false];
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (inString) {
      if (c === "\\") i++;
      else if (c === '"') inString = false;
    } else if (c === '"') inString = true;
    else if (c === "N" || c === "I") {
      const found = pythonNumberAt(text, i);
      if (!found) continue;
      parts.push(text.slice(start, i), found.value);
      i += found.name.length - 1;
      start = i + 1;
    }
  }
  return parts.join("") + text.slice(start);
}

/**
 * `JSON.parse` that also takes what Python's `json.dumps` writes for numbers that JSON lacks, as `json.loads` does:
 * `NaN` is read as null, `Infinity` and `-Infinity` as themselves. In strings they stay text.
 * @throws SyntaxError where the text is no JSON
 */
export function parseJson(text: string): unknown {
  try {
    return parseJsonText(text);
  } catch (error) {
    const mended = withoutPythonNumbers(text);
    if (mended === text) throw error;
    try {
      return parseJsonText(mended);
    } catch {
      throw error; // where something else is wrong too, what the reader of the file sees
    }
  }
}

/** The value of a line of JSON (`parseJson`), or the reason why there is none. */
export function parseLine({ text }: NumberedLine): { value: unknown } | { reason: string } {
  if (text === null) return { reason: "not UTF-8" };
  try {
    return { value: parseJson(text) };
  } catch (error) {
    return { reason: `not JSON (${(error as Error).message})` };
  }
}

/** Collects bad rows, or throws at the first one. */
export function badRows(onBadRow: OnBadRow): { skipped: BadRow[]; add(bad: BadRow): void } {
  const skipped: BadRow[] = [];
  return {
    skipped,
    add: (bad) => {
      if (onBadRow === "stop")
        throw new Error(`${bad.file}, line ${bad.line}: ${bad.reason}; mend the line, or skip bad rows`);
      skipped.push(bad);
    },
  };
}
