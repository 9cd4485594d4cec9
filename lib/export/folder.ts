/** Folders of exports: whole or not at all, with a note of what they were made from. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { provenance } from "../experiment/identity";
import type { Experiment } from "../experiment/types";

/** In every folder that was written here: what it was made from, as JSON. */
export const MARKER = "export.json";

/** What the exported configurations have trainers leave in the folder of an export. */
const TRAINED = "output";

/** @throws Error where the folder holds something that is no export, or what was trained from an export */
function checkTarget(dir: string): void {
  if (!existsSync(dir)) return;
  const names = readdirSync(dir);
  if (names.length > 0 && !names.includes(MARKER))
    throw new Error(`${dir}: exists and is no export (no ${MARKER}); nothing was written, give another folder`);
  if (names.includes(TRAINED))
    throw new Error(
      `${dir}: holds what was trained there (${TRAINED}); nothing was written, move that away or give another folder`,
    );
}

/**
 * Fills a folder; it appears whole or not at all, and takes the place of an earlier export.
 * @throws Error as `fill` does; what was there stays
 */
export async function replaceExport<T>(dir: string, fill: (folder: string) => Promise<T>): Promise<T> {
  checkTarget(dir);
  const temporary = `${dir}.${process.pid}.tmp`;
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true });
  try {
    const made = await fill(temporary);
    checkTarget(dir); // it took a while
    rmSync(dir, { recursive: true, force: true });
    renameSync(temporary, dir);
    return made;
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
}

/** Writes `export.json`. */
export function writeMarker({ settings, benchmark }: Experiment, folder: string, of: Record<string, unknown>): void {
  const made = { ...of, settings, provenance: provenance(settings, benchmark.fingerprint) };
  writeFileSync(path.join(folder, MARKER), `${JSON.stringify(made, null, 1)}\n`);
}
