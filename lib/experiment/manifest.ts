/** A run's manifest: `manifest.json` beside what it left, with all that the results depend on. */
import { existsSync, readFileSync } from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { useBf16 } from "../engine/precision";
import { provenance } from "./identity";
import { writeText } from "../util/files";
import type { StageHome } from "./stage";

const manifestFile = (folder: string): string => path.join(folder, "manifest.json");

/** Writes settings, hashes, versions and machine, and what else is to be told, as `manifest.json` of a folder. */
export function writeManifest(
  { settings, benchmark, folder }: Pick<StageHome, "settings" | "benchmark" | "folder">,
  more: Record<string, unknown>,
): void {
  const { node, v8 } = process.versions;
  const manifest = {
    settings,
    benchmark: { name: benchmark.name, split: benchmark.splitSource },
    provenance: provenance(settings, benchmark.fingerprint),
    versions: { node, v8 },
    machine: { processor: os.cpus()[0]?.model ?? "unknown", bf16: useBf16(settings.precision) },
    ...more,
    finished: new Date().toISOString(),
  };
  writeText(manifestFile(folder), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** What a manifest says of its making; null where there is none. @throws Error where it is no JSON, naming the file */
export function readManifest(
  folder: string,
): { provenance?: Record<string, string>; seconds?: number | null; finished?: string } | null {
  const file = manifestFile(folder);
  if (!existsSync(file)) return null;
  try {
    return JSON.parse(readFileSync(file, "utf8")) as ReturnType<typeof readManifest>;
  } catch (error) {
    throw new Error(`${file}: no valid JSON (${(error as Error).message}); remove it, and the run makes it anew`);
  }
}
