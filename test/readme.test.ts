/**
 * What the repository shows must be what its code made: generated tables, figures' stamps, links, names of files and
 * scripts.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { openBenchmark } from "../lib/benchmark/open";
import { resultsFromCsv } from "../lib/eval/results";
import { provenance } from "../lib/experiment/identity";
import { loadSettings } from "../lib/experiment/load-settings";
import { BLOCKS, readBlock, replaceBlock, resultsBlock, shortResultsBlock } from "../lib/report/readme";
import { studyBlock } from "../lib/report/study-block";
import { readStamp, sha256, stampOf } from "../lib/report/static-figures";
import { benchBlock, shortBenchBlock } from "../tools/bench-block";
import { reliabilityBlock, type Reliability } from "../tools/torture/figures-block";
import { githubAnchors } from "../tools/pages/headings";
import { readResults } from "./bench/results";

const root = path.resolve(__dirname, "..");
const figures = path.join(root, "figures");
const read = (file: string): string => readFileSync(path.join(root, file), "utf8");
const documents = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\n")
  .filter((file) => file !== "" && !file.startsWith("test/fixtures/"));

/** Anchors of a document's headings. */
function anchorsOf(text: string): Set<string> {
  const headings = text.replace(/^```[^]*?^```/gm, "").matchAll(/^#{1,6} (.+)$/gm);
  return new Set(githubAnchors([...headings].map(([, title]) => title.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1"))));
}

describe("what the repository shows", () => {
  const all = readdirSync(figures)
    .filter((file) => file.endsWith(".svg"))
    .map((file) => file.slice(0, -4));
  const ownRuns = /^(bench|ablations)/; // made by commands of their own, which take longer than the main job
  const names = all.filter((name) => !ownRuns.test(name));

  it("has figures of this code, settings and data (npm run refresh makes them anew)", async () => {
    expect(names.length).toBeGreaterThanOrEqual(6);
    const settings = loadSettings({ environment: {} });
    const { fingerprint } = await openBenchmark({ benchmark: settings.benchmark });
    const current = provenance(settings, fingerprint);
    for (const name of names) {
      const stamp = JSON.parse(read(`figures/${name}.stamp.json`)) as Record<string, string>;
      const own = { code: stamp.code, settings: stamp.settings, data: stamp.data };
      expect({ name, ...own }).toEqual({ name, ...current });
      expect(readStamp(read(`figures/${name}.svg`)), name).toBe(stampOf(own));
      expect(stamp.svg, name).toBe(sha256(read(`figures/${name}.svg`)));
      expect(stamp.csv, name).toBe(sha256(read(`figures/${name}.csv`)));
    }
  });

  it("has figures of the benchmark and the ablations that belong to their tables", () => {
    for (const name of all.filter((one) => ownRuns.test(one))) {
      const stamp = JSON.parse(read(`figures/${name}.stamp.json`)) as Record<string, string>;
      expect([stamp.svg, stamp.csv], name).toEqual([
        sha256(read(`figures/${name}.svg`)),
        sha256(read(`figures/${name}.csv`)),
      ]);
    }
  });

  it("shows in its documents the tables of the figures and of the benchmark's saved rows", () => {
    const blocks = {
      results: resultsBlock(figures),
      "results in short": shortResultsBlock(figures),
      "study in short": studyBlock(path.join(root, "docs/study")),
      bench: benchBlock(readResults()),
      "bench in short": shortBenchBlock(readResults()),
      reliability: reliabilityBlock(JSON.parse(read("docs/reliability.json")) as Reliability),
    };
    for (const name of Object.keys(BLOCKS) as (keyof typeof BLOCKS)[])
      expect(readBlock(read(BLOCKS[name].file), name), name).toBe(blocks[name]);
  });

  it("replaces a generated block and nothing else, and says which document lacks its markers", () => {
    const text = read("README.md");
    const replaced = replaceBlock(text, "results in short", "| other |\n");
    expect(readBlock(replaced, "results in short")).toBe("| other |\n");
    expect(replaceBlock(replaced, "results in short", readBlock(text, "results in short"))).toBe(text);
    expect(readBlock(replaced, "bench in short")).toBe(readBlock(text, "bench in short"));
    expect(() => replaceBlock("no markers", "bench", "")).toThrow(/docs\/benchmarks\.md: the lines around.*"bench"/);
  });

  it("has a results.csv with every method, split, setting and metric", () => {
    const rows = resultsFromCsv(read("figures/results.csv"));
    const pooled = rows.filter((row) => row.domain === "all");
    expect(new Set(pooled.map((row) => row.method)).size).toBe(8);
    expect(pooled).toHaveLength(8 * 2 * 2 * 2);
    for (const row of rows) expect(row.correct / row.n).toBeCloseTo(row.accuracy, 5);
  });

  it("links to files and headings that exist", () => {
    const broken: string[] = [];
    for (const file of documents) {
      for (const [, target, anchor] of read(file).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)) {
        const other = target === "" ? file : path.join(path.dirname(file), target);
        if (!existsSync(path.join(root, other))) broken.push(`${file}: ${target}`);
        else if (anchor !== undefined && other.endsWith(".md") && !anchorsOf(read(other)).has(anchor))
          broken.push(`${file}: ${target}#${anchor}`);
      }
    }
    expect(broken).toEqual([]);
  });

  it("calls npm scripts that exist", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const unknown = documents.flatMap((file) =>
      [...read(file).matchAll(/npm run (?:-s )?([a-z][\w-]*)/g)]
        .filter(([, script]) => !Object.hasOwn(scripts, script))
        .map(([, script]) => `${file}: npm run ${script}`),
    );
    expect(unknown).toEqual([]);
  });

  it("names files that exist, the log's older entries aside", () => {
    const missing = documents
      .filter((file) => file !== "docs/log.md")
      .flatMap((file) =>
        [...read(file).matchAll(/`((?:lib|cli|tools|native|test|jupyter|notebooks)\/[\w./-]+?)`/g)]
          .filter(([, name]) => !existsSync(path.join(root, name)))
          .map(([, name]) => `${file}: ${name}`),
      );
    expect(missing).toEqual([]);
  });
});
