/**
 * The record of looks at the study's test images, `docs/study/looks.json`: one entry for each time that a model was
 * asked about them, written before it is asked.
 */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { readJson, writeText } from "../../util/files";
import { studyRoot } from "./places";

export interface Look {
  /** ISO 8601, UTC */
  at: string;
  /** Hash of the code, and of the study's settings. */
  code: string;
  settings: string;
  seeds: number[];
  /** Why another look after the first; null for the first. */
  reason: string | null;
}

const fileOf = (folder: string): string => path.join(folder, "looks.json");

export function readLooks(folder: string = studyRoot()): Look[] {
  return existsSync(fileOf(folder)) ? (readJson(fileOf(folder)) as Look[]) : [];
}

/**
 * Writes down a look before it is taken. The same code, settings and seeds again are the same look, taken up again.
 * @throws Error where there was another look and no reason is given
 */
export function recordLook(look: Look, folder: string = studyRoot()): void {
  const before = readLooks(folder);
  const same = (one: Look): boolean =>
    one.code === look.code && one.settings === look.settings && one.seeds.join() === look.seeds.join();
  if (before.some(same)) return;
  if (before.length > 0 && look.reason === null)
    throw new Error(
      `study: the test images were looked at on ${before.at(-1)!.at} (${fileOf(folder)}); another look needs --reason, which is written down`,
    );
  writeText(fileOf(folder), `${JSON.stringify([...before, look], null, 2)}\n`);
}
