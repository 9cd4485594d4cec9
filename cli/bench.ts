/** `bench`: this project against others on the same work (test/bench). Reports ratios as they come out. */
import { existsSync, readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { cases } from "../test/bench/cases";
import { measure } from "../test/bench/driver";
import { ensureJaxJs, ensurePython } from "../test/bench/environment";
import { writeBlocks } from "../lib/report/readme";
import { benchBlock, shortBenchBlock } from "../tools/bench-block";
import { root } from "../tools/environment";
import { useBf16 } from "../lib/engine/precision";
import type { CaseSpec, Side } from "../test/bench/types";
import { benchFigure, growthFigure, saveBenchFigure } from "../test/bench/figure";
import { growthFile, measureGrowth, series, writeGrowth, type GrowthSeries } from "../test/bench/growth";
import { measureMemory, writeMemory } from "../test/bench/memory";
import {
  busyProcessors,
  inputsHash,
  machine,
  mergeRows,
  readResults,
  resultsTable,
  writeResults,
} from "../test/bench/results";
import type { BenchOptions } from "./commands/bench";
import { print } from "./output";
import { orOf, UsageError } from "./values";

/** @throws Error where a name is none of `known` */
function checkNames(only: readonly string[] | undefined, known: readonly string[]): void {
  const unknown = only?.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new UsageError(`--only: there is no ${JSON.stringify(unknown)}; expected ${orOf(known)}`);
}

/** A case without its bfloat16 group. */
function withoutBf16(spec: CaseSpec): CaseSpec {
  const kept = <T extends Side>(sides: readonly T[]): T[] => sides.filter(({ group }) => group !== "bf16");
  return { ...spec, ours: Array.isArray(spec.ours) ? kept(spec.ours as Side[]) : spec.ours, peers: kept(spec.peers) };
}

/** The cases and series there are. */
function list(): void {
  for (const { name, description, must, aim } of cases)
    print(`${name.padEnd(18)} ${description}${must === null ? "" : ` (must ${must}, aim ${aim})`}`);
  for (const { name, case: of } of series) print(`--growth: ${name.padEnd(8)} ${of}`);
}

/** What is written beside each result. */
interface Around {
  machine: ReturnType<typeof machine>;
  inputs: string;
}

/** How time and memory grow with the work. */
async function growth(only: string[] | undefined, rounds: number, around: Around): Promise<void> {
  const fresh = await measureGrowth({ only, rounds, ...around, onPoint: print });
  const old = existsSync(growthFile) ? (JSON.parse(readFileSync(growthFile, "utf8")) as GrowthSeries[]) : [];
  const rows = series.flatMap(({ name }) => [...fresh, ...old].find((row) => row.name === name) ?? []);
  writeGrowth(rows);
  const table = rows.flatMap(({ name, points }) =>
    points.map(({ variant, x, seconds }) => ({ series: name, variant, x, seconds })),
  );
  await saveBenchFigure("bench-growth", growthFigure(rows), table, around.inputs, series);
  if (!only) {
    const memory = await measureMemory(around);
    writeMemory(memory);
    print(
      `memory       ${memory.resident_mb[1]} MB after ${memory.steps / 5} steps, ${memory.resident_mb[9]} MB after ${memory.steps} (${(100 * memory.drift).toFixed(1)} %)`,
    );
  }
  for (const { name, exponent } of rows) print(`${name.padEnd(12)} time grows as x^${exponent.toFixed(2)}`);
}

/** Measures cases, and keeps the result of each as it comes. @returns why those that could not be measured could not */
async function compare(chosen: readonly CaseSpec[], rounds: number | undefined, around: Around): Promise<string[]> {
  const kinds = new Set(chosen.flatMap(({ peers }) => peers.map(({ kind }) => kind)));
  if (kinds.has("python")) ensurePython();
  if (kinds.has("node")) ensureJaxJs();
  const bf16 = useBf16("auto");
  if (!bf16)
    print("bench: bfloat16 is left out: this processor has no instructions for it, and every library emulates it");
  const failed: string[] = [];
  for (const spec of chosen) {
    try {
      const row = await measure(bf16 ? spec : withoutBf16(spec), { rounds, ...around, onPair: print });
      writeResults(mergeRows(readResults(), [row]));
    } catch (error) {
      failed.push((error as Error).message);
      print(`bench: ${(error as Error).message}`);
    }
  }
  return failed;
}

/** Figure, README and printed table of all results on disk. */
async function publish(inputs: string): Promise<void> {
  const rows = readResults();
  const table = rows.map(({ name, ours, peer, unit, ratio, peer_name, must, aim, machine: { instructions } }) => ({
    name,
    instructions,
    ours,
    peer,
    unit,
    ratio,
    peer_name,
    must,
    aim,
  }));
  if (rows.length > 0) await saveBenchFigure("bench", benchFigure(rows), table, inputs, cases);
  writeBlocks(root, { bench: benchBlock(rows), "bench in short": shortBenchBlock(rows) });
  print(`\n${resultsTable(rows, inputs)}`);
}

/** @returns exit code: 0; 1 where a case could not be measured */
export async function run({ only, rounds, list: lists, growth: grows }: BenchOptions): Promise<number> {
  if (lists) {
    list();
    return 0;
  }
  checkNames(
    only,
    (grows ? series : cases).map(({ name }) => name),
  );
  const busy = await busyProcessors();
  if (busy > 0.3)
    print(
      `bench: warning: ${busy.toFixed(1)} processors are busy with something else (load ${loadavg()[0].toFixed(2)}); don't trust the times`,
    );
  const around = { machine: machine(busy), inputs: inputsHash() };
  if (grows) {
    await growth(only, rounds ?? 3, around);
    return 0;
  }
  const failed = await compare(
    cases.filter(({ name }) => only?.includes(name) ?? true),
    rounds,
    around,
  );
  await publish(around.inputs);
  if (failed.length > 0)
    print(`${failed.length} of the cases could not be measured:\n${failed.map((line) => `  ${line}`).join("\n")}`);
  return failed.length > 0 ? 1 : 0;
}
