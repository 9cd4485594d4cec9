/** `npm run bench`: this project against others on the same work (test/bench). Reports ratios as they come out. */
import { existsSync, readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
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

const USAGE = "npm run bench -- [--only NAME,NAME] [--rounds N] [--list] [--growth]";

/** @throws Error where a name is none of `known` */
function checkNames(only: readonly string[] | undefined, known: readonly string[]): void {
  const unknown = only?.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`bench: no ${JSON.stringify(unknown)}; --only takes ${known.join(", ")}`);
}

/** A case without its bfloat16 group. */
function withoutBf16(spec: CaseSpec): CaseSpec {
  const kept = <T extends Side>(sides: readonly T[]): T[] => sides.filter(({ group }) => group !== "bf16");
  return { ...spec, ours: Array.isArray(spec.ours) ? kept(spec.ours as Side[]) : spec.ours, peers: kept(spec.peers) };
}

export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string" },
      rounds: { type: "string" },
      list: { type: "boolean" },
      growth: { type: "boolean" },
    },
  });
  const only = values.only?.split(",");
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds >= 1))
    throw new Error(`bench: --rounds is ${JSON.stringify(values.rounds)}; expected a positive integer; ${USAGE}`);
  if (values.list) {
    for (const { name, description, must, aim } of cases)
      console.log(`${name.padEnd(18)} ${description}${must === null ? "" : ` (must ${must}, aim ${aim})`}`);
    for (const { name, case: of } of series) console.log(`--growth: ${name.padEnd(8)} ${of}`);
    return 0;
  }
  checkNames(
    only,
    (values.growth ? series : cases).map(({ name }) => name),
  );
  const busy = await busyProcessors();
  if (busy > 0.3)
    console.log(
      `bench: warning: ${busy.toFixed(1)} processors are busy with something else (load ${loadavg()[0].toFixed(2)}); don't trust the times`,
    );
  const around = { machine: machine(busy), inputs: inputsHash() };

  if (values.growth) {
    const fresh = await measureGrowth({ only, rounds: rounds ?? 3, ...around, onPoint: (line) => console.log(line) });
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
      console.log(
        `memory       ${memory.resident_mb[1]} MB after ${memory.steps / 5} steps, ${memory.resident_mb[9]} MB after ${memory.steps} (${(100 * memory.drift).toFixed(1)} %)`,
      );
    }
    for (const { name, exponent } of rows) console.log(`${name.padEnd(12)} time grows as x^${exponent.toFixed(2)}`);
    return 0;
  }

  const chosen = cases.filter(({ name }) => only?.includes(name) ?? true);
  const kinds = new Set(chosen.flatMap(({ peers }) => peers.map(({ kind }) => kind)));
  if (kinds.has("python")) ensurePython();
  if (kinds.has("node")) ensureJaxJs();
  const failed: string[] = [];
  const bf16 = useBf16("auto");
  if (!bf16)
    console.log(
      "bench: bfloat16 is left out: this processor has no instructions for it, and every library emulates it",
    );
  for (const spec of chosen) {
    try {
      const row = await measure(bf16 ? spec : withoutBf16(spec), {
        rounds,
        ...around,
        onPair: (line) => console.log(line),
      });
      writeResults(mergeRows(readResults(), [row]));
    } catch (error) {
      failed.push((error as Error).message);
      console.log(`bench: ${(error as Error).message}`);
    }
  }
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
  if (rows.length > 0) await saveBenchFigure("bench", benchFigure(rows), table, around.inputs, cases);
  writeBlocks(root, { bench: benchBlock(rows), "bench in short": shortBenchBlock(rows) });
  console.log(`\n${resultsTable(rows, around.inputs)}`);
  if (failed.length > 0)
    console.log(
      `${failed.length} of the cases could not be measured:\n${failed.map((line) => `  ${line}`).join("\n")}`,
    );
  return failed.length > 0 ? 1 : 0;
}
