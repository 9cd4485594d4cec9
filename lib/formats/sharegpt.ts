/** Stage-1 records as LLaMA-Factory's "sharegpt" JSON: the format of the released file. */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { IMAGE_MARKER } from "../processor/conversation";
import { specialTokenIn } from "../processor/special-tokens";
import { SPECIAL_TOKENS } from "../processor/tokenizer-files";
import { readJsonRecords } from "./json-records";
import { shownValue } from "../util/json-text";
import type { BadRow, OnBadRow } from "../util/lines";
import { occurrences } from "../util/text";

/** One record: optional system message, a user turn about one image, the assistant's response. */
export interface SftRecord {
  system: string | null;
  /** The image stands where the text has `<image>`; without a marker it stands in front, as in the released file. */
  user: string;
  assistant: string;
  image: string;
}

type Role = "system" | "user" | "assistant";

/** What a turn's `role` or `from` is called, and whose turn it is: OpenAI's names, and sharegpt's own. */
const ROLES: Readonly<Record<string, Role>> = {
  system: "system",
  user: "user",
  human: "user",
  assistant: "assistant",
  gpt: "assistant",
};

/** @throws Error that begins with the field */
function fail(field: string, problem: string): never {
  throw new Error(`${field} ${problem}`);
}

/** The text of each role in a list of turns `{role, content}` or `{from, value}`. @throws Error naming the field */
function parseTurns(turns: unknown, field: string): Partial<Record<Role, string>> {
  if (!Array.isArray(turns)) return fail(field, "is not a list");
  const found: Partial<Record<Role, string>> = {};
  for (const turn of turns as unknown[]) {
    const { role, from, content, value } = (turn ?? {}) as Record<string, unknown>;
    const name = role ?? from;
    const whose = typeof name === "string" && Object.hasOwn(ROLES, name) ? ROLES[name] : null;
    if (whose === null)
      return fail(
        field,
        `has a turn of role ${name === undefined ? "nothing" : shownValue(name)}; ${Object.keys(ROLES).join(", ")} expected`,
      );
    if (found[whose] !== undefined) {
      const n = (turns as Record<string, unknown>[]).filter((t) => ROLES[String(t?.role ?? t?.from)] === whose).length;
      return fail(field, `has ${n} ${whose} turns; one expected`);
    }
    if (whose === "user" && found.assistant !== undefined)
      return fail(field, "has the assistant's turn before the user's");
    if (whose === "system" && Object.keys(found).length > 0)
      return fail(field, "has a system turn that is not the first");
    const text = content ?? value;
    if (typeof text !== "string")
      return fail(`${field} (${whose}).${from === undefined ? "content" : "value"}`, "is not text");
    found[whose] = text;
  }
  return found;
}

/** The one path of `images` (a list of one, or the path itself). @throws Error naming the field */
function parseImage(images: unknown, field: string): string {
  const list = typeof images === "string" ? [images] : images;
  if (!Array.isArray(list) || list.length !== 1 || typeof list[0] !== "string" || list[0].trim() === "")
    return fail(field, "is not a list of one path, nor a path");
  return list[0];
}

/**
 * Reads one record as LLaMA-Factory takes it: `messages` of `{role: user|assistant|system, content}` or `conversations`
 * of `{from: human|gpt|system, value}`; `images` (or `image`) a list of one path or the path; the system message the
 * first turn or, where there is none, the field `system`; `<image>` once, anywhere in the user's turn: the image stands
 * there.
 * @throws Error naming the field
 */
function parseRecord(value: unknown, specialTokens: readonly string[]): SftRecord {
  if (typeof value !== "object" || value === null) return fail("record", "is not an object");
  const fields = value as Record<string, unknown>;
  const field = fields.messages === undefined && fields.conversations !== undefined ? "conversations" : "messages";
  const turns = parseTurns(fields[field], field);
  const imageField = fields.images === undefined && fields.image !== undefined ? "image" : "images";
  const image = parseImage(fields[imageField], imageField);
  const system = turns.system ?? fields.system ?? null;
  if (system !== null && typeof system !== "string") return fail("system", "is not text");
  const { user, assistant } = turns;
  if (user === undefined) return fail(field, "has no user turn");
  if (assistant === undefined) return fail(field, "has no assistant turn");
  const [asked, answered] = [user, assistant].map((text) => occurrences(text, IMAGE_MARKER));
  if (asked + answered === 0)
    return fail(
      `${field} (user)`,
      `has 0 ${IMAGE_MARKER} markers for 1 image; add ${IMAGE_MARKER} where the image stands, in front of the question as a rule`,
    );
  if (asked + answered > 1)
    return fail(field, `has ${asked + answered} ${IMAGE_MARKER} markers for 1 image; one expected`);
  if (answered > 0)
    return fail(`${field} (assistant)`, `has the ${IMAGE_MARKER} marker; it belongs to the user's turn`);
  for (const [name, text] of Object.entries({ system: system ?? "", user, assistant })) {
    const token = specialTokenIn(text, specialTokens);
    if (token !== null) return fail(`${field} (${name})`, `has the special token ${token} in its text; take it out`);
  }
  return {
    // an empty field is none, as in LLaMA-Factory; an empty system turn is one
    system: turns.system === undefined && system === "" ? null : system,
    user: user.startsWith(IMAGE_MARKER) ? user.slice(IMAGE_MARKER.length) : user,
    assistant,
    image,
  };
}

/** Records of a file, and those that are none. */
export interface SharegptFile {
  records: SftRecord[];
  /** The line on which each record begins. */
  lines: number[];
  skipped: BadRow[];
}

/** How records are read. */
export interface SharegptOptions {
  /** No text of a record may have one of these; default Qwen's (`specialTokensOf` gives another tokenizer's). */
  specialTokens?: readonly string[];
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
  { specialTokens = SPECIAL_TOKENS }: SharegptOptions = {},
): SharegptFile {
  const records: SftRecord[] = [];
  const lines: number[] = [];
  const skipped: BadRow[] = [];
  readJsonRecords(file).forEach(({ value, line, spoilt }, i) => {
    let reason: string | null = spoilt === null ? null : `line ${spoilt} is not UTF-8`;
    try {
      const record = reason === null ? parseRecord(value, specialTokens) : null;
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
export function readSharegpt(file: string, options: SharegptOptions = {}): SftRecord[] {
  return readSharegptFile(file, "stop", undefined, options).records;
}

/** The user's turn with its marker: where the text has it, else in front. */
const marked = (user: string): string => (user.includes(IMAGE_MARKER) ? user : `${IMAGE_MARKER}${user}`);

/** Writes records under a temporary name, then renames. */
export function writeSharegpt(file: string, records: readonly SftRecord[]): void {
  const json = records.map(({ system, user, assistant, image }) => ({
    messages: [
      ...(system === null ? [] : [{ role: "system", content: system }]),
      { role: "user", content: marked(user) },
      { role: "assistant", content: assistant },
    ],
    images: [image],
  }));
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(`${file}.tmp`, `${JSON.stringify(json, null, 1)}\n`);
  renameSync(`${file}.tmp`, file);
}
