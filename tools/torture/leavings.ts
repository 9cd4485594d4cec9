/** What a run leaves, to be compared to the bit: parameters, logs, saved groups, predictions; and what it must not. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";

const sha = (data: string | Buffer): string => createHash("sha256").update(data).digest("hex");

/** Lines of JSON without the seconds that a step took. */
const untimed = (file: string): string => readFileSync(file, "utf8").replace(/,"seconds":[\d.e+-]+/g, "");

/** Hashes of a run's results by file; `missing` for those that are not there. */
export function resultsOf(folder: string, methods: readonly string[] = ["tapo"]): Record<string, string> {
  const files = methods.flatMap((method) => [
    `models/${method}/model.safetensors`,
    `logs/${method}.jsonl`,
    `rollouts/${method}.jsonl`,
    `predictions/${method}.jsonl`,
  ]);
  return Object.fromEntries(
    files.map((name) => {
      const file = path.join(folder, name);
      if (!existsSync(file)) return [name, "missing"];
      return [name, sha(name.startsWith("logs/") ? untimed(file) : readFileSync(file))];
    }),
  );
}

/** Files that a finished run must not leave: of writing that was cut off, locks, answers and checkpoints under way. */
export function leftOvers(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
    /\.(lock|takeover|partial)$|\.partial\.|checkpoint-|stopped-batch/.test(name),
  );
}

/** Names of results in which two runs differ. */
export const differing = (a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): string[] =>
  Object.keys(a).filter((name) => a[name] !== b[name]);
