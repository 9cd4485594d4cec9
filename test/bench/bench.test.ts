/** The benchmark's own arithmetic and bookkeeping; what it measures is not run here. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { cases } from "./cases";
import { inUnit, median, unitName } from "./driver";
import { benchFigure } from "./figure";
import { powerOf, series } from "./growth";
import { gptValues, pseudoRandom, TINY } from "./ours/tiny-gpt-data";
import { instructionSet, mergeRows, readResults, resultsFile, resultsTable, verdict, writeResults } from "./results";
import type { InstructionSet, Peer, ResultRow, Side } from "./types";
import { numbers, words } from "./variant";

const row = (name: string, ratio: number, must: number | null = 1.5): ResultRow => ({
  name,
  ratio,
  must,
  aim: null,
  group: "all",
  ours: 1,
  peer: ratio,
  unit: "ms",
  ours_variant: "",
  peer_name: "other",
  rounds: 3,
  spread: { ours: [1, 1], peer: [ratio, ratio] },
  compile: { ours: 0.5, peer: 0.5 },
  work: { ours: {}, peer: {} },
  versions: { ours: {}, peer: {} },
  difference: null,
  tolerance: null,
  inputs: "now",
  detail: [],
  machine: { processor: "any", instructions: "avx2", cores: 2, memory_gb: 24, threads: 2, busy_before: 0 },
});

describe("cases", () => {
  const ofOurs = (ours: Side | readonly Side[]): Side[] =>
    Array.isArray(ours) ? [...(ours as Side[])] : [ours as Side];
  const fileOf = (side: Side | Peer): string =>
    "kind" in side
      ? side.kind === "python"
        ? `peers/${side.case.replace(/-/g, "_")}.py`
        : `peers/${side.case}`
      : `ours/${side.case}.ts`;

  it("have names of their own, files on both sides, and a peer in each of our groups", () => {
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
    for (const { name, ours, peers } of cases) {
      for (const side of [...ofOurs(ours), ...peers])
        expect(existsSync(path.join(__dirname, fileOf(side))), `${name}: ${fileOf(side)}`).toBe(true);
      expect(new Set(ofOurs(ours).map(({ group }) => group)), name).toEqual(new Set(peers.map(({ group }) => group)));
    }
    for (const { case: of, points } of series) {
      expect(existsSync(path.join(__dirname, fileOf({ case: of, variant: "" })))).toBe(true);
      expect(points.length).toBeGreaterThanOrEqual(3);
    }
  });
});

describe("arithmetic", () => {
  it("takes medians, converts seconds, and fits a power", () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
    expect(inUnit({ unit: "ms", per: "steps" }, 1.5, { steps: 10 })).toBeCloseTo(150, 10);
    expect(inUnit({ unit: "s" }, 1.5, {})).toBe(1.5);
    expect(() => inUnit({ unit: "s", per: "steps" }, 1, {})).toThrow(/work.steps/);
    expect([unitName({ unit: "µs", per: "calls" }), unitName({ unit: "s" })]).toEqual(["µs per call", "s"]);
    expect(powerOf([1, 2, 4].map((x) => ({ x, seconds: 3 * x ** 1.5 })))).toBeCloseTo(1.5, 10); // 3 x^1.5
  });

  it("reads variants, and refuses words it does not know", () => {
    expect(words("bf16,b=20")).toEqual({ bf16: true, b: 20 });
    expect(numbers("f32,b=20", { b: 16, t: 128 }, ["f32"])).toEqual({ b: 20, t: 128 });
    expect(() => numbers("bb=20", { b: 16 })).toThrow(/bb is not known/);
  });

  it("starts the small decoder from 1,180,800 numbers of deviation 0.02", () => {
    const values = gptValues(TINY);
    expect(values.reduce((n, [, , { length }]) => n + length, 0)).toBe(1_180_800); // 1024·128 + 4·(2·128 + 16·128²) + 128
    const [, , embedding] = values[0];
    expect(Math.sqrt(embedding.reduce((sum, x) => sum + x * x, 0) / embedding.length)).toBeCloseTo(0.02, 4);
    expect(pseudoRandom(3, 0)).toBe(pseudoRandom(3, 0));
  });
});

describe("results", () => {
  it("replaces rows by name, in the order of the cases, and drops what is no case", () => {
    const merged = mergeRows([row("b", 1), row("gone", 1)], [row("a", 3), row("b", 2)], ["a", "b", "c"]);
    expect(merged.map(({ name, ratio }) => [name, ratio])).toEqual([
      ["a", 3],
      ["b", 2],
    ]);
  });

  it("keeps rows of other instruction sets, the most able first", () => {
    const on = (instructions: InstructionSet, one: ResultRow): ResultRow => ({
      ...one,
      machine: { ...one.machine, instructions },
    });
    const merged = mergeRows(
      [row("b", 1), on("amx", row("b", 4))],
      [on("avx512", row("b", 2)), row("b", 3), row("a", 5)],
      ["a", "b"],
    );
    expect(merged.map(({ name, ratio, machine }) => [machine.instructions, name, ratio])).toEqual([
      ["amx", "b", 4],
      ["avx512", "b", 2],
      ["avx2", "a", 5],
      ["avx2", "b", 3],
    ]);
  });

  it("knows instruction sets by the processor's flags", () => {
    const avx512 = "fma avx2 avx512f avx512dq avx512bw avx512vl";
    expect(
      [`${avx512} avx512_bf16 amx_bf16 amx_tile`, `${avx512} avx512_vnni`, "fma avx2 avx512f", "sse4_2 avx"].map(
        instructionSet,
      ),
    ).toEqual(["amx", "avx512", "avx2", "generic"]);
  });

  it("says whether a ratio reaches what it must, and which rows are of other code", () => {
    expect([row("a", 1.5), row("a", 1.49), row("a", 9, null)].map(verdict)).toEqual(["✓", "✗", "-"]);
    const lines = resultsTable([row("a", 2), { ...row("b", 1), inputs: "before" }], "now").split("\n");
    expect(lines[2]).toMatch(/^\| a .* 2\.00 .* ✓ /);
    expect(lines[3]).toMatch(/^\| b \(stale\) .* ✗ /);
  });

  it("writes a file that reads back", () => {
    const folder = mkdtempSync(path.join(tmpdir(), "bench-"));
    writeResults([row("a", 1.23456)], path.join(folder, "results.json"));
    expect(readResults(path.join(folder, "results.json"))).toEqual([
      { ...row("a", 1.235), spread: { ours: [1, 1], peer: [1.235, 1.235] } },
    ]);
    rmSync(folder, { recursive: true });
  });

  it("draws a bar per row, told apart by what it reaches", () => {
    const { data } = benchFigure([row("a", 2), row("b", 1), row("c", 9, null)]);
    expect(data.map(({ name }) => name)).toEqual(["reaches what it must", "misses it", "reported only", "must", "aim"]);
  });

  it.skipIf(!existsSync(resultsFile))(
    "committed are those of cases that exist, with ratios that follow from the times",
    () => {
      for (const { name, ours, peer, ratio } of readResults()) {
        expect(cases.map((one) => one.name)).toContain(name);
        expect(ratio / (peer / ours), name).toBeCloseTo(1, 2);
      }
    },
  );
});
