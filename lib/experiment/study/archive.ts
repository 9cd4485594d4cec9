/**
 * The study's predictions as they are committed: `docs/study/<group>/predictions/<variant>-seed-<n>.jsonl.gz`, with
 * `index.json` beside them. A study takes hours, so it goes on from them on another day and another machine.
 *
 * A result is used again where it was asked for in the same way: its settings, and the benchmark and base that they
 * name. The code may have changed since; the index says which made it.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync } from "node:fs";
import * as path from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import type { Products } from "../../engine/precision";
import { parsePredictions, type PredictionRow } from "../../eval/rows";
import { readJson, writeBytes, writeText } from "../../util/files";

/** Where the answers of one variant and seed come from. */
export interface ResultSource {
  variant: string;
  seed: number;
  /** Hashes (`provenance`, `hashSettings`): the code that made it, benchmark and base, and the variant's settings. */
  code: string;
  data: string;
  settings: string;
  /** What matrix products were computed in; absent where it was not recorded. */
  products?: Products;
}

/** Answers of one variant and seed. */
export interface StudyResult extends ResultSource {
  rows: PredictionRow[];
}

/** As the index has it. */
interface Entry extends ResultSource {
  /** SHA-256 of the uncompressed rows. */
  sha256: string;
}

const INDEX = "index.json";
const PRODUCTS: readonly Products[] = ["bfloat16", "float32"];
const NAME = /^[a-z0-9][a-z0-9.-]*$/;
/** Uncompressed; a seed of the study has some 2 MB. */
const MOST_BYTES = 64 * 2 ** 20;

const keyOf = ({ variant, seed }: Pick<ResultSource, "variant" | "seed">): string => `${variant}-seed-${seed}`;
const fileOf = (folder: string, of: Pick<ResultSource, "variant" | "seed">): string =>
  path.join(folder, `${keyOf(of)}.jsonl.gz`);
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** What is wrong with an entry; null for nothing. A variant's name is a part of a path. */
function faultOf(entry: unknown): string | null {
  const one = entry as Partial<Entry> | null;
  if (typeof one !== "object" || one === null) return "is no object";
  if (typeof one.variant !== "string" || !NAME.test(one.variant)) return "variant is no name";
  if (!Number.isInteger(one.seed) || one.seed! < 0) return "seed is no whole number";
  const field = (["code", "data", "settings", "sha256"] as const).find((name) => typeof one[name] !== "string");
  if (field !== undefined) return `${field} is no text`;
  const { products } = one;
  return products === undefined || PRODUCTS.includes(products) ? null : "products is neither bfloat16 nor float32";
}

function readIndex(folder: string): Entry[] {
  const file = path.join(folder, INDEX);
  if (!existsSync(file)) return [];
  const entries = readJson(file);
  if (!Array.isArray(entries)) throw new Error(`${file}: expected a list of results`);
  entries.forEach((entry, i) => {
    const fault = faultOf(entry);
    if (fault !== null) throw new Error(`${file}: entry ${i}: ${fault}; restore it from git`);
  });
  return entries as Entry[];
}

/** What is archived, without its rows. @throws Error naming file, entry and field that is wrong */
export const archived = (folder: string): ResultSource[] => readIndex(folder).map(({ sha256: _, ...source }) => source);

/** Whether both are of one variant and seed, asked for in the same way. */
export const isSameResult = (a: Omit<ResultSource, "code">, b: Omit<ResultSource, "code">): boolean =>
  keyOf(a) === keyOf(b) && a.data === b.data && a.settings === b.settings;

/**
 * The answers of an archived result.
 * @throws Error naming the file where it is missing, too large, not what the index says, or a row cannot be scored
 */
export function readArchived(folder: string, source: Pick<ResultSource, "variant" | "seed">): StudyResult {
  const entry = readIndex(folder).find((one) => keyOf(one) === keyOf(source));
  const file = fileOf(folder, source);
  if (!entry) throw new Error(`${path.join(folder, INDEX)}: no result of ${keyOf(source)}`);
  const bytes = gunzipSync(readFileSync(file), { maxOutputLength: MOST_BYTES });
  if (sha256(bytes) !== entry.sha256)
    throw new Error(`${file}: not the predictions that ${INDEX} lists; restore both from git`);
  const { rows, skipped } = parsePredictions(bytes, file);
  if (skipped.length > 0) throw new Error(`${file}, line ${skipped[0].line}: ${skipped[0].reason}`);
  const { sha256: _, ...of } = entry;
  return { ...of, rows };
}

/**
 * Adds results, each in place of one of the same variant and seed. An archive is of one benchmark and base: results of
 * others than the new ones' are removed.
 */
export function archive(folder: string, results: readonly StudyResult[]): void {
  if (results.length === 0) return;
  const before = readIndex(folder);
  const stays = before.filter(({ data }) => data === results[0].data);
  for (const entry of before) if (!stays.includes(entry)) rmSync(fileOf(folder, entry), { force: true });
  const entries = new Map(stays.map((entry) => [keyOf(entry), entry]));
  for (const { rows, ...source } of results) {
    const bytes = Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    writeBytes(fileOf(folder, source), gzipSync(bytes, { level: 9 }));
    entries.set(keyOf(source), { ...source, sha256: sha256(bytes) });
  }
  const sorted = [...entries.values()].sort((a, b) => a.variant.localeCompare(b.variant, "en") || a.seed - b.seed);
  writeText(path.join(folder, INDEX), `${JSON.stringify(sorted, null, 1)}\n`);
}
