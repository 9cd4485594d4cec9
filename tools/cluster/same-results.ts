/** Whether two runs have left the same files, the times of their making and their own names aside. */
import { readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";

/** Made of the moment, or drawn from files that are compared. */
const LEFT_OUT = /(^|\/)(tensorboard\/|.*\.svg$|.*\.stamp\.json$|ray-plan\.json$)/;
/** Fields that hold a time, or the run's name. */
const FIELDS = new Set(["seconds", "finished", "run"]);

const filesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .filter((file) => !LEFT_OUT.test(file))
    .sort();

function withoutTimes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutTimes);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([name, field]) => !FIELDS.has(name) || typeof field === "boolean");
  return Object.fromEntries(kept.map(([name, field]) => [name, withoutTimes(field)]));
}

/** What is compared of a file: its bytes, or its text without times and the run's name. */
function comparable(folder: string, file: string): string {
  const bytes = readFileSync(path.join(folder, file));
  const run = path.basename(folder);
  if (/\.json$/.test(file)) return JSON.stringify(withoutTimes(JSON.parse(bytes.toString("utf8"))));
  // a log of steps has their seconds; predictions have none, and are compared by the byte
  if (/(^|\/)logs\/.*\.jsonl$/.test(file))
    return bytes
      .toString("utf8")
      .split("\n")
      .map((line) => (line === "" ? line : JSON.stringify(withoutTimes(JSON.parse(line)))))
      .join("\n");
  if (/\.csv$/.test(file)) return bytes.toString("utf8").replace(/,[^,\n]*$/gm, ""); // the last column: seconds
  if (/\.md$/.test(file)) return bytes.toString("utf8").replaceAll(run, "RUN");
  return bytes.toString("latin1");
}

/** Files that differ, or that one of two runs has alone. */
export function differences(a: string, b: string): { compared: number; differ: string[] } {
  const [inA, inB] = [filesOf(a), filesOf(b)];
  const both = inA.filter((file) => inB.includes(file));
  const alone = [
    ...inA.filter((file) => !inB.includes(file)).map((file) => `${file} (only in ${path.basename(a)})`),
    ...inB.filter((file) => !inA.includes(file)).map((file) => `${file} (only in ${path.basename(b)})`),
  ];
  return {
    compared: both.length,
    differ: [...both.filter((file) => comparable(a, file) !== comparable(b, file)), ...alone],
  };
}
