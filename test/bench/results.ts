/** `results.json`: read, brought up to date, printed. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { toMarkdown, type TableRow } from "../../lib/report/tables";
import { hashTree } from "../../lib/util/hash";
import { writeText } from "../../lib/util/files";
import { cases } from "./cases";
import { shortNumber } from "./driver";
import { THREADS } from "./process";
import type { InstructionSet, Machine, ResultRow } from "./types";

export const resultsFile = path.join(__dirname, "results.json");

/** Code files of `test/bench`, tests left out. */
function benchCode(): string[] {
  return ["", "ours", "peers"].flatMap((folder) =>
    readdirSync(path.join(__dirname, folder))
      .filter((file) => /\.(ts|py|mjs|txt)$/.test(file) && !file.endsWith(".test.ts"))
      .sort()
      .map((file) => path.posix.join("test/bench", folder, file)),
  );
}

/** SHA-256 over the code that is measured and that measures. */
export function inputsHash(): string {
  return hashTree([
    "lib/engine",
    "lib/model",
    "lib/processor",
    "lib/rollout",
    "lib/train",
    "lib/loss",
    "native",
    ...benchCode(),
  ]);
}

/** Processors that something else keeps busy, over one second. */
export async function busyProcessors(): Promise<number> {
  const sum = (): { busy: number; all: number } =>
    os.cpus().reduce(
      (total, { times: { idle, ...used } }) => {
        const busy = Object.values(used).reduce((a, b) => a + b, 0);
        return { busy: total.busy + busy, all: total.all + busy + idle };
      },
      { busy: 0, all: 0 },
    );
  const before = sum();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const after = sum();
  return (os.cpus().length * (after.busy - before.busy)) / Math.max(1, after.all - before.all);
}

/** By the processor's flags as Linux lists them. */
export function instructionSet(
  flags = existsSync("/proc/cpuinfo") ? readFileSync("/proc/cpuinfo", "utf8") : "",
): InstructionSet {
  const has = (...names: string[]): boolean => names.every((name) => new RegExp(`\\b${name}\\b`).test(flags));
  if (has("amx_bf16", "amx_tile", "avx512_bf16")) return "amx";
  if (has("avx512f", "avx512dq", "avx512vl", "avx512bw")) return "avx512";
  return has("avx2", "fma") ? "avx2" : "generic";
}

export function machine(busy: number): Machine {
  return {
    processor: os.cpus()[0]?.model.trim() ?? "unknown",
    instructions: instructionSet(),
    cores: os.availableParallelism(),
    memory_gb: Math.round(os.totalmem() / 2 ** 30),
    threads: THREADS,
    busy_before: Number(busy.toFixed(2)),
  };
}

/** The saved rows; none where there is no file. */
export function readResults(file = resultsFile): ResultRow[] {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as ResultRow[]) : [];
}

/** From the most able to the least. */
const INSTRUCTION_SETS: readonly InstructionSet[] = ["amx", "avx512", "avx2", "generic"];

/** Rows by what they were measured on, each in its order. */
export function byInstructions(rows: readonly ResultRow[]): [InstructionSet, ResultRow[]][] {
  return INSTRUCTION_SETS.map((set): [InstructionSet, ResultRow[]] => [
    set,
    rows.filter(({ machine }) => machine.instructions === set),
  ]).filter(([, own]) => own.length > 0);
}

/**
 * New rows in place of old ones of their name and instruction set: what a processor without a matrix unit gives says
 * nothing of one with it. By instruction set, then in the order of `names`; rows of other names are dropped.
 */
export function mergeRows(
  old: readonly ResultRow[],
  fresh: readonly ResultRow[],
  names: readonly string[] = cases.map(({ name }) => name),
): ResultRow[] {
  return byInstructions([...fresh, ...old]).flatMap(([, rows]) =>
    names.flatMap((name) => rows.find((row) => row.name === name) ?? []),
  );
}

/** Times and ratios to four places: more is noise. */
export function writeResults(rows: readonly ResultRow[], file = resultsFile): void {
  const short = (_: string, value: unknown): unknown =>
    typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
  writeText(file, `${JSON.stringify(rows, short, 1)}\n`);
}

/** ✓ or ✗ against `must`; - where the ratio is only reported. */
export const verdict = ({ ratio, must }: Pick<ResultRow, "ratio" | "must">): string =>
  must === null ? "-" : ratio >= must ? "✓" : "✗";

/** The printed table; `stale` marks rows that other code was measured for. */
export function resultsTable(rows: readonly ResultRow[], inputs = inputsHash()): string {
  return toMarkdown(
    rows.map((row): TableRow => ({
      case: row.name + (row.inputs === inputs ? "" : " (stale)"),
      on: row.machine.instructions,
      ours: shortNumber(row.ours),
      peer: shortNumber(row.peer),
      unit: row.unit,
      ratio: row.ratio.toFixed(2),
      must: row.must,
      aim: row.aim,
      "": verdict(row),
      against: row.peer_name,
      "set-up s": `${row.compile.ours.toFixed(1)} / ${row.compile.peer.toFixed(1)}`,
      rounds: row.rounds,
    })),
  );
}
