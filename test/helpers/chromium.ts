/** A Chromium of this machine for tests that look at pages. */
import { accessSync, constants, existsSync } from "node:fs";
import * as path from "node:path";
import { chromium, type Browser } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

const isExecutable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** Path of the browser: `FINE_R1_CHROMIUM`, else what PATH has; null where there is none. */
export function findChromium(): string | null {
  const named = process.env.FINE_R1_CHROMIUM;
  if (named) return existsSync(named) ? named : null;
  const folders = (process.env.PATH ?? "").split(path.delimiter).filter((folder) => folder !== "");
  const candidates = folders.flatMap((folder) => NAMES.map((name) => path.join(folder, name)));
  return candidates.find(isExecutable) ?? null;
}

/** Starts it without a window. @throws Error where there is none */
export async function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === null)
    throw new Error("no Chromium: install one, or name its program in FINE_R1_CHROMIUM (path of an executable)");
  // containers and CI have no user namespaces for its sandbox; only this project's own pages are opened
  return await chromium.launch({ executablePath, args: ["--no-sandbox"] });
}
