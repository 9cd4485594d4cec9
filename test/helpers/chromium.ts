/** A Chromium of this machine, for tests of what a browser shows. */
import * as fs from "node:fs";
import * as path from "node:path";
import { chromium, type Browser } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

const isProgram = (file: string): boolean => {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
};

/**
 * The path of FINE_R1_CHROMIUM, or of the first chromium, chromium-browser or google-chrome on PATH; null where there
 * is none.
 *
 * @throws {Error} when FINE_R1_CHROMIUM names no program
 */
export function findChromium(): string | null {
  const named = process.env.FINE_R1_CHROMIUM;
  if (named) {
    if (!isProgram(named)) throw new Error(`FINE_R1_CHROMIUM=${named} is no program; name Chromium's, or unset it`);
    return named;
  }
  const folders = (process.env.PATH ?? "").split(path.delimiter).filter((folder) => folder !== "");
  const files = NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  return files.find(isProgram) ?? null;
}

/**
 * Starts it without a window; its sandbox is off where root runs it, which Chromium asks for.
 *
 * @throws {Error} when there is none
 */
export async function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === null)
    throw new Error(`no Chromium: none of ${NAMES.join(", ")} is on PATH; install one or set FINE_R1_CHROMIUM`);
  return await chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
}
