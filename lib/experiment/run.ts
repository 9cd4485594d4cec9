/** A run: its folder `data/runs/<run>`, and what its results depend on. */
import { createHash } from "node:crypto";
import * as path from "node:path";
import { hashTree } from "../util/hash";
import { repositoryRoot } from "../util/root";
import type { Settings } from "./settings";

/** Folder of a run, absolute. The name was checked by `loadSettings`. */
export function runFolder(settings: Pick<Settings, "run">): string {
  return path.join(repositoryRoot(), "data/runs", settings.run);
}

/** SHA-256 of settings. */
export function hashSettings(settings: Settings): string {
  return createHash("sha256").update(JSON.stringify(settings)).digest("hex");
}

/** What the results depend on: the code that computes them, the committed data and base model, the settings. */
export function provenance(settings: Settings): { code: string; data: string; settings: string } {
  return {
    code: hashTree(["lib", "package-lock.json"]),
    data: hashTree(["data/emoji-fgvr", ...(settings.model.startsWith("data/") ? [settings.model] : [])]),
    settings: hashSettings(settings),
  };
}
