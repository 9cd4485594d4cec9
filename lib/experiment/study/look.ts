/**
 * The record of looks at the study's test images, `docs/study/looks.json`: one entry for each time that a model was
 * asked about them, written before it is asked.
 */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { readJson, writeText } from "../../util/files";
import { shownValue } from "../../util/json-text";
import { studyRoot } from "./places";
import { STUDY_PARTS, type StudyPart } from "./variants";

export interface Look {
  /** ISO 8601, UTC */
  at: string;
  /** Hash of the code, and of the study's settings. */
  code: string;
  settings: string;
  seeds: number[];
  /** What was asked. Entries without one are of the main part: they were written before there was this field. */
  part?: StudyPart;
  /** Why another look after the first; null for the first. */
  reason: string | null;
}

const fileOf = (folder: string): string => path.join(folder, "looks.json");

const isText = (value: unknown): boolean => typeof value === "string" && value !== "";
const isTime = (value: unknown): boolean =>
  typeof value === "string" && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value) && !Number.isNaN(Date.parse(value));
const isSeed = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

/** What each field of an entry must be, and that in words. */
const FIELDS: Readonly<Record<keyof Look, readonly [is: (value: unknown) => boolean, expected: string]>> = {
  at: [isTime, "a time like 2026-01-02T03:04:05.000Z"],
  code: [isText, "a hash"],
  settings: [isText, "a hash"],
  seeds: [(value) => Array.isArray(value) && value.length > 0 && value.every(isSeed), "a list of whole numbers"],
  part: [
    (value) => value === undefined || (STUDY_PARTS as readonly unknown[]).includes(value),
    `one of ${STUDY_PARTS.join(", ")}`,
  ],
  reason: [(value) => value === null || isText(value), "null or a text"],
};

/** @throws Error naming file, entry and field */
function checkedLook(file: string, entry: unknown, index: number): Look {
  const where = `${file}, entry ${index + 1}`;
  const mend = "mend the record from version control";
  if (typeof entry !== "object" || entry === null || Array.isArray(entry))
    throw new Error(`${where}: ${shownValue(entry)}; expected an object; ${mend}`);
  for (const [field, [is, expected]] of Object.entries(FIELDS)) {
    const value = (entry as Record<string, unknown>)[field];
    if (!is(value)) throw new Error(`${where}: ${field} is ${shownValue(value)}; expected ${expected}; ${mend}`);
  }
  return entry as Look;
}

/** The record, in its order; of none, no looks. @throws Error naming file, entry and field that cannot be used */
export function readLooks(folder: string = studyRoot()): Look[] {
  const file = fileOf(folder);
  if (!existsSync(file)) return [];
  const entries = readJson(file);
  if (!Array.isArray(entries)) throw new Error(`${file}: expected a list of looks; mend it from version control`);
  return entries.map((entry: unknown, i) => checkedLook(file, entry, i));
}

const partOf = ({ part = "main" }: Look): StudyPart => part;

/**
 * Writes down a look before it is taken. The same code, settings, seeds and part again are the same look, taken up
 * again.
 * @throws Error where there was another look and no reason is given, or the record cannot be used
 */
export function recordLook(look: Look, folder: string = studyRoot()): void {
  const before = readLooks(folder);
  const same = (one: Look): boolean =>
    one.code === look.code &&
    one.settings === look.settings &&
    one.seeds.join() === look.seeds.join() &&
    partOf(one) === partOf(look);
  if (before.some(same)) return;
  if (before.length > 0 && look.reason === null)
    throw new Error(
      `study: the test images were looked at on ${before.at(-1)!.at}, part ${partOf(before.at(-1)!)} (${fileOf(folder)}); this look, part ${partOf(look)}, is another and needs --reason, which is written down`,
    );
  writeText(fileOf(folder), `${JSON.stringify([...before, look], null, 2)}\n`);
}
