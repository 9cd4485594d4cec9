/** Stage-1 records as LLaMA-Factory's "sharegpt" JSON: the format of the released file. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import * as path from "node:path";

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

/** Reads one record. @throws Error naming file, record and field */
function parseRecord(value: unknown, where: string): SftRecord {
  const fail = (field: string, problem: string): never => {
    throw new Error(`${where}: ${field} ${problem}`);
  };
  if (typeof value !== "object" || value === null) return fail("record", "is not an object");
  const { messages, images } = value as { messages?: unknown; images?: unknown };
  if (!Array.isArray(messages)) return fail("messages", "is not a list");
  if (!Array.isArray(images) || images.length !== 1 || typeof images[0] !== "string") return fail("images", "is not a list of one path");
  const turn = (role: string): string | null => {
    const found = (messages as Turn[]).filter((m) => m?.role === role);
    if (found.length > 1) fail("messages", `has ${found.length} ${role} turns; one expected`);
    if (found.length === 1 && typeof found[0].content !== "string") fail(`messages (${role}).content`, "is not text");
    return found[0]?.content ?? null;
  };
  const [user, assistant] = [turn("user"), turn("assistant")];
  if (user === null || !user.startsWith(MARKER)) return fail("messages (user).content", `does not start with ${MARKER}`);
  if (assistant === null) return fail("messages", "has no assistant turn");
  return { system: turn("system"), user: user.slice(MARKER.length), assistant, image: images[0] };
}

/** Reads a file of records. @throws Error naming file, record and field */
export function readSharegpt(file: string): SftRecord[] {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new Error(`${file}: can't be read as JSON (${(error as Error).message.split("\n")[0]})`);
  }
  if (!Array.isArray(json)) throw new Error(`${file}: expected a JSON list of records`);
  return json.map((value, i) => parseRecord(value, `${file}: record ${i}`));
}

/** Writes records under a temporary name, then renames. */
export function writeSharegpt(file: string, records: readonly SftRecord[]): void {
  const json = records.map(({ system, user, assistant, image }) => ({
    messages: [...(system === null ? [] : [{ role: "system", content: system }]), { role: "user", content: `${MARKER}${user}` }, { role: "assistant", content: assistant }],
    images: [image],
  }));
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(`${file}.tmp`, `${JSON.stringify(json, null, 1)}\n`);
  renameSync(`${file}.tmp`, file);
}
