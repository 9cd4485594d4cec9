/**
 * The identity of a result: a hash of all that it depends on. Results of equal identity are used again, others are made
 * anew. Comments and formatting of the code are no part of it; native code is.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import * as path from "node:path";
import { hashCode } from "../util/code-hash";
import { fingerprint } from "../util/hash";
import { repositoryRoot } from "../util/root";
import { modelFolder } from "./model-folder";
import type { Settings } from "./settings";

/** Code that results depend on: everything that computes, and the versions of packages. */
const CODE = [
  "lib/util",
  "lib/engine",
  "lib/model",
  "lib/processor",
  "lib/loss",
  "lib/reward",
  "lib/rollout",
  "lib/train",
  "lib/formats",
  "lib/benchmark",
  "lib/cot",
  "lib/eval",
  "lib/experiment",
  "native",
  "package-lock.json",
  "constraints.txt",
];

let code: string | null = null;

/** Hash of the code, taken once in a process: it is loaded, later edits do not change what runs. */
export function codeHash(): string {
  return (code ??= hashCode(CODE));
}

/** What the identity of a stage is made of besides its settings. */
export interface StageSource {
  settings: Settings;
  /** `Benchmark.fingerprint`. */
  data: string;
  /** Whether matrix products run in bfloat16: numbers differ. */
  bf16: boolean;
}

/** Up to this size a file's bytes are hashed, above its size and time. */
const HASHED_BYTES = 2 ** 28;

/** What a file or folder holds, which is what results depend on, not its name. */
function contentOf(place: string): string {
  const { size, mtimeMs } = statSync(place);
  if (statSync(place).isDirectory()) return fingerprint(place);
  const hash = createHash("sha256");
  return hash.update(size > HASHED_BYTES ? `${size} ${mtimeMs}` : readFileSync(place)).digest("hex");
}

/** Settings as results depend on them: paths by their contents, and not how often a run is saved. */
function computed(part: unknown): unknown {
  if (typeof part === "string" && part.includes("/")) {
    const place = path.resolve(repositoryRoot(), part);
    return existsSync(place) ? contentOf(place) : part;
  }
  if (typeof part !== "object" || part === null) return part;
  const { saveSteps: _, saveTotalLimit: __, ...rest } = part as Record<string, unknown>;
  return rest;
}

/** Hashes of a stage. */
export interface StageIdentity {
  /** Of all that its result depends on. */
  whole: string;
  /** Of the same without the code: what was asked for. */
  asked: string;
}

/**
 * SHA-256 of data, model and chosen settings, with the code and without.
 * @param stage its name
 * @param parts groups of settings that it reads
 * @param inputs what else it depends on, as JSON
 */
export function stageIdentity(
  { settings, data, bf16 }: StageSource,
  { stage, parts, inputs = null }: { stage: string; parts: readonly (keyof Settings)[]; inputs?: unknown },
): StageIdentity {
  const chosen = Object.fromEntries(parts.map((part) => [part, computed(settings[part])]));
  const { seed, prompts } = settings;
  const model = fingerprint(modelFolder(settings));
  const hashOf = (code: { code?: string }): string =>
    createHash("sha256")
      .update(JSON.stringify({ stage, ...code, data, model, seed, bf16, prompts, chosen, inputs }))
      .digest("hex");
  return { whole: hashOf({ code: codeHash() }), asked: hashOf({}) };
}

/** SHA-256 of settings, the run's name and place aside. */
export function hashSettings({ run: _, sets: __, memory: ___, ...settings }: Settings): string {
  return createHash("sha256").update(JSON.stringify(settings)).digest("hex");
}

/** Hashes that tables and figures are stamped with. */
export interface Provenance {
  code: string;
  data: string;
  settings: string;
}

/** What the results of a run depend on. @param data the benchmark's fingerprint */
export function provenance(settings: Settings, data: string): Provenance {
  const both = createHash("sha256")
    .update(JSON.stringify([data, fingerprint(modelFolder(settings))]))
    .digest("hex");
  return { code: codeHash(), data: both, settings: hashSettings(settings) };
}
