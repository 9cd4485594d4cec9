/** Stage-1 records as LLaMA-Factory's "sharegpt" JSON: the format of the released file. */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { readJsonRecords } from "./json-records";
import type { BadRow, OnBadRow } from "../util/lines";

/** One record: optional system message, a user turn that starts with `<image>`, the assistant's response. */
export interface SftRecord {
  system: string | null;
  /** Without the `<image>` marker. */
  user: string;
  assistant: string;
  image: string;
}

interface Turn {
  role: string;
  content: string;
}

const MARKER = "<image>";

/** Reads one record. @throws Error naming the field */
function parseRecord(value: unknown): SftRecord {
  const fail = (field: string, problem: string): never => {
    throw new Error(`${field} ${problem}`);
  };
  if (typeof value !== "object" || value === null) return fail("record", "is not an object");
  const { messages, images } = value as { messages?: unknown; images?: unknown };
  if (!Array.isArray(messages)) return fail("messages", "is not a list");
  if (!Array.isArray(images) || images.length !== 1 || typeof images[0] !== "string")
    return fail("images", "is not a list of one path");
  const turn = (role: string): string | null => {
    const found = (messages as Turn[]).filter((m) => m?.role === role);
    if (found.length > 1) fail("messages", `has ${found.length} ${role} turns; one expected`);
    if (found.length === 1 && typeof found[0].content !== "string") fail(`messages (${role}).content`, "is not text");
    return found[0]?.content ?? null;
  };
  const [user, assistant] = [turn("user"), turn("assistant")];
  if (user === null || !user.startsWith(MARKER))
    return fail("messages (user).content", `does not start with ${MARKER}`);
  if (assistant === null) return fail("messages", "has no assistant turn");
  return { system: turn("system"), user: user.slice(MARKER.length), assistant, image: images[0] };
}

/** Records of a file, and those that are none. */
export interface SharegptFile {
  records: SftRecord[];
  /** The line on which each record begins. */
  lines: number[];
  skipped: BadRow[];
}

/**
 * Reads a file of records.
 * @param onBadRow `stop` throws at the first bad record; `skip` goes on and returns all of them
 * @param problem a further check: what is wrong with a record, or null
 * @throws Error naming file, line, record and field
 */
export function readSharegptFile(
  file: string,
  onBadRow: OnBadRow,
  problem: (record: SftRecord, line: number) => string | null = () => null,
): SharegptFile {
  const records: SftRecord[] = [];
  const lines: number[] = [];
  const skipped: BadRow[] = [];
  readJsonRecords(file).forEach(({ value, line, spoilt }, i) => {
    let reason: string | null = spoilt === null ? null : `line ${spoilt} is not UTF-8`;
    try {
      const record = reason === null ? parseRecord(value) : null;
      reason ??= record && problem(record, line);
      if (record && reason === null) {
        records.push(record);
        lines.push(line);
      }
    } catch (error) {
      reason = (error as Error).message;
    }
    if (reason === null) return;
    if (onBadRow === "stop") throw new Error(`${file}, line ${line}: record ${i}: ${reason}`);
    skipped.push({ file, line, reason: `record ${i}: ${reason}` });
  });
  return { records, lines, skipped };
}

/** Reads a file of which every record must be good. @throws Error naming file, line, record and field */
export function readSharegpt(file: string): SftRecord[] {
  return readSharegptFile(file, "stop").records;
}

/** Writes records under a temporary name, then renames. */
export function writeSharegpt(file: string, records: readonly SftRecord[]): void {
  const json = records.map(({ system, user, assistant, image }) => ({
    messages: [
      ...(system === null ? [] : [{ role: "system", content: system }]),
      { role: "user", content: `${MARKER}${user}` },
      { role: "assistant", content: assistant },
    ],
    images: [image],
  }));
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(`${file}.tmp`, `${JSON.stringify(json, null, 1)}\n`);
  renameSync(`${file}.tmp`, file);
}
