/** What the repository shows must be what its code made: the README's table, the figures' stamps, the links. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { resultsFromCsv } from "../lib/eval/results";
import { readBlock, resultsBlock } from "../lib/report/readme";
import { readStamp, sha256, stampOf } from "../lib/report/static-figures";
import { provenance } from "../lib/experiment/run";
import { loadSettings } from "../lib/experiment/settings";
import { benchBlock } from "../tools/bench-block";
import { readResults } from "./bench/results";

const root = path.resolve(__dirname, "..");
const figures = path.join(root, "figures");
const read = (file: string): string => readFileSync(path.join(root, file), "utf8");

describe("what the repository shows", () => {
  const all = readdirSync(figures)
    .filter((file) => file.endsWith(".svg"))
    .map((file) => file.slice(0, -4));
  const ownRuns = /^(bench|ablations)/; // made by commands of their own, which take longer than the main job
  const names = all.filter((name) => !ownRuns.test(name));

  it("has figures that this code, these settings and this data made (npm run refresh makes them anew)", () => {
    expect(names.length).toBeGreaterThanOrEqual(6);
    const current = provenance(loadSettings({ environment: {} }));
    for (const name of names) {
      const stamp = JSON.parse(read(`figures/${name}.stamp.json`)) as Record<string, string>;
      expect({ name, code: stamp.code, settings: stamp.settings, data: stamp.data }).toEqual({ name, ...current });
      expect(readStamp(read(`figures/${name}.svg`)), name).toBe(stampOf(current));
      expect(stamp.svg, name).toBe(sha256(read(`figures/${name}.svg`)));
      expect(stamp.csv, name).toBe(sha256(read(`figures/${name}.csv`)));
    }
  });

  it("has figures of the benchmark and the ablations that belong to their tables, and in the README the benchmark's saved rows", () => {
    for (const name of all.filter((one) => ownRuns.test(one))) {
      const stamp = JSON.parse(read(`figures/${name}.stamp.json`)) as Record<string, string>;
      expect([stamp.svg, stamp.csv], name).toEqual([
        sha256(read(`figures/${name}.svg`)),
        sha256(read(`figures/${name}.csv`)),
      ]);
    }
    expect(readBlock(read("README.md"), "bench")).toBe(benchBlock(readResults()));
  });

  it("shows in the README the table of those figures", () => {
    expect(readBlock(read("README.md"), "results")).toBe(resultsBlock(figures));
  });

  it("has a results.csv with every method, split, setting and metric", () => {
    const rows = resultsFromCsv(read("figures/results.csv"));
    const pooled = rows.filter((row) => row.domain === "all");
    expect(new Set(pooled.map((row) => row.method)).size).toBe(8);
    expect(pooled).toHaveLength(8 * 2 * 2 * 2);
    for (const row of rows) expect(row.correct / row.n).toBeCloseTo(row.accuracy, 5);
  });

  it("links to files that exist, and calls npm scripts that exist", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    for (const file of ["README.md", "CONTRIBUTING.md", "docs/log.md", "docs/real-data.md"]) {
      const text = read(file);
      for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g))
        expect(existsSync(path.join(root, path.dirname(file), target)), `${file}: ${target}`).toBe(true);
      for (const [, script] of text.matchAll(/npm run (?:-s )?([a-z][\w-]*)/g))
        expect(scripts, `${file}: npm run ${script}`).toHaveProperty(script);
    }
  });
});
