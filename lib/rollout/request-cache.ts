/**
 * Answers on disk, one file a request under the SHA-256 of the request: what was paid for once is not asked for again.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { parseJsonText } from "../util/json-text";
import { readRegular } from "../util/regular-file";

const FORMAT = 1;

/** A cache of JSON values. */
export interface RequestCache {
  /**
   * The value under a key (`hashOf` the request), or null: none is there, or what is there is no whole file of this
   * cache.
   */
  get(key: string): unknown;
  /** Stores a value, written whole or not at all. */
  set(key: string, value: unknown): void;
}

/** JSON with the fields of every object in one order. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, field]) => [name, canonical(field)]),
  );
}

/** SHA-256 of a value's JSON, whatever the order of its fields. */
export function hashOf(value: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify(canonical(value)))
    .digest("hex");
}

/** Opens a cache in a folder; the folder is made when something is stored. */
export function requestCache(folder: string): RequestCache {
  const fileOf = (key: string): string => path.join(folder, key.slice(0, 2), `${key}.json`);
  return {
    get: (key) => {
      const file = fileOf(key);
      if (!existsSync(file)) return null;
      try {
        const stored = parseJsonText(readRegular(file).toString("utf8")) as {
          format?: unknown;
          key?: unknown;
          value?: unknown;
        } | null;
        return stored?.format === FORMAT && stored.key === key ? (stored.value ?? null) : null;
      } catch {
        return null; // cut off by a full disk: asked for again
      }
    },
    set: (key, value) => {
      const file = fileOf(key);
      mkdirSync(path.dirname(file), { recursive: true });
      const temporary = `${file}.${process.pid}.tmp`;
      writeFileSync(temporary, `${JSON.stringify({ format: FORMAT, key, value })}\n`);
      renameSync(temporary, file);
    },
  };
}
