/** The study's table and files from predictions on disk; a sweep itself runs in notebook 05 at smoke scale. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import {
  ablationFigures,
  ablationTable,
  finishedVariants,
  printedAblations,
  publishAblations,
  readAblations,
  VARIANTS,
  variantSettings,
  type Variant,
  type VariantResult,
} from "../../../lib/experiment/ablations";
import { emojiBenchmark, loadEmojiFgvr } from "../../../lib/benchmark/emoji-fgvr";
import { useBf16 } from "../../../lib/engine/precision";
import type { PredictionRow } from "../../../lib/eval/rows";
import { writeManifest } from "../../../lib/experiment/manifest";
import type { RunHome } from "../../../lib/experiment/publish";
import { runFolder } from "../../../lib/experiment/run";
import { writeJsonl } from "../../../lib/util/files";
import { loadSettings } from "../../../lib/experiment/load-settings";

const settings = loadSettings({ scale: "smoke", run: `ablation-test-${process.pid}`, environment: {} });
const folder = runFolder(settings);
const home: RunHome = { settings, folder, benchmark: emojiBenchmark(loadEmojiFgvr(), []) };
/** The same run under other settings. */
const changed: RunHome = { ...home, settings: { ...settings, rl: { ...settings.rl, steps: 99 } } };
/** The same settings on other data. */
const otherData: RunHome = { ...home, benchmark: { ...home.benchmark, fingerprint: "other" } };
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const named = (name: string): Variant => VARIANTS.find((variant) => variant.name === name)!;
/** Five sub-categories in each cell; the first `right` of each are answered right. */
const rows = (method: string, seed: number, right: number): PredictionRow[] =>
  (["closed", "open"] as const).flatMap((setting) =>
    (["seen", "unseen"] as const).flatMap((split) =>
      Array.from({ length: 5 }, (_, i): PredictionRow => ({
        method,
        seed,
        domain: "bird",
        split,
        setting,
        image_path: `${split}${i}`,
        question: "q",
        ground_truth: `${split} ${i}`,
        output_tokens: 10 + i,
        output: `${i === 4 ? "" : "<think>x</think> "}<answer>${i < right ? `${split} ${i}` : i === 4 ? "seen 0 or seen 1" : "none"}</answer>`,
      })),
    ),
  );
const result = (name: string, seed: number, right: number, seconds: number | null = null): VariantResult => ({
  variant: named(name),
  seed,
  rows: rows(name, seed, right),
  seconds,
});

describe("ablationTable", () => {
  const table = ablationTable([
    result("sft", 0, 2),
    result("sft", 1, 2),
    result("tapo", 0, 3, 10),
    result("tapo", 1, 3, 20),
    result("kl-0", 0, 4, 7),
  ]);

  it("has a line per variant with means, intervals, rates and seconds", () => {
    expect(table.map(({ variant, method, settings: set, seeds, n }) => [variant, method, set, seeds, n])).toEqual([
      ["sft", "sft", null, "0 1", 20],
      ["tapo", "tapo", null, "0 1", 20],
      ["kl-0", "tapo", "rl.klCoefficient=0", "0", 20],
    ]);
    expect(table[1]).toMatchObject({
      closed_seen: 0.6,
      open_unseen: 0.6,
      mean: 0.6,
      exact_mean: 0.6,
      format: 0.8,
      length: 12,
      seconds: 15,
    });
    expect(table[0].seconds).toBeNull();
    // "seen 0 or seen 1" names two in the open world only, where every truth of the domain is known; a fifth of the
    // open half
    expect(table[1].listing).toBe(0.1);
    expect(table[1].mean_low as number).toBeLessThan(0.6);
    expect(table[1].mean_high as number).toBeGreaterThan(0.6);
  });

  it("compares with the references over the seeds both have, and by McNemar's test where that is one", () => {
    // over all 20 questions kl-0 alone is right on 4, TAPO alone on none: 2 / 2^4 = 0.125
    expect(table[2]).toMatchObject({ minus_tapo: 0.2, mcnemar_tapo: 0.125, minus_sft: 0.4, mcnemar_sft: 0.007813 });
    expect(table[1]).toMatchObject({ minus_tapo: null, p_tapo: null, minus_sft: 0.2, mcnemar_sft: null });
    expect(table[1].p_sft as number).toBeGreaterThan(0);
  });

  it("prints in %, a dash where there is nothing", () => {
    expect(printedAblations(table)[2]).toMatchObject({
      variant: "kl-0",
      "exact mean": "80.0",
      "format %": "80.0",
      seconds: "7",
    });
    expect(printedAblations(table)[1]).toMatchObject({ "minus tapo": "-", "p tapo": "-" });
    expect(printedAblations(table)[0].seconds).toBe("-");
  });

  it("is drawn in a figure of all, and one of each family with two members", () => {
    const figures = ablationFigures(home, "dev", table);
    expect(figures.map(({ name }) => name)).toEqual([
      "ablations",
      "ablations-methods",
      "ablations-parts",
      "ablations-kl",
    ]);
    expect(figures[0].figure.data[0].y as string[]).toEqual(["sft", "kl-0"]);
    const kl = figures[3].figure;
    expect(kl.data).toHaveLength(4); // two panels, seen and unseen
    expect((kl.layout.xaxis as { ticktext: string[] }).ticktext).toEqual(["0", "0.01"]);
    expect((kl.data[0].y as number[]).map((y) => y.toFixed(6))).toEqual(["80.000000", "60.000000"]);
    for (const { provenance } of figures) expect(provenance).toEqual(figures[0].provenance);
    expect(ablationFigures(home, "test", table)[0].provenance.settings).not.toBe(figures[0].provenance.settings);
  });
});

describe("what a sweep left", () => {
  const leave = (name: string, seed: number, right: number): string => {
    const own = path.join(folder, "ablations/dev", name, `seed-${seed}`);
    writeJsonl(path.join(own, "predictions", `${name}.jsonl`), rows(name, seed, right));
    const ownSettings = variantSettings(settings, named(name), { seed, role: "dev" });
    writeManifest({ ...home, settings: ownSettings, folder: own }, { seconds: 4 });
    return own;
  };

  it("is read where this code, data and settings made it, in the order of the table", () => {
    leave("tapo", 1, 3);
    leave("tapo", 0, 3);
    leave("sft", 0, 2);
    const { results, outdated } = finishedVariants(home, "dev");
    expect(results.map(({ variant, seed, seconds }) => [variant.name, seed, seconds])).toEqual([
      ["sft", 0, 4],
      ["tapo", 0, 4],
      ["tapo", 1, 4],
    ]);
    expect(results[0].rows).toEqual(rows("sft", 0, 2));
    expect(new Set(results.map(({ products }) => products))).toEqual(
      new Set([useBf16(settings.precision) ? "bfloat16" : "float32"]),
    );
    expect(outdated).toBe(0);
    expect(finishedVariants(changed, "dev")).toEqual({
      results: [],
      outdated: 3,
    });
    expect(finishedVariants(otherData, "dev")).toEqual({ results: [], outdated: 3 });
    expect(finishedVariants(home, "test").results).toEqual([]);
  });

  it("says what its products were by its own manifest", () => {
    const file = path.join(leave("tapo", 0, 3), "manifest.json");
    const manifest = JSON.parse(readFileSync(file, "utf8")) as { machine: { bf16?: boolean } };
    const found = [true, false, undefined].map((bf16) => {
      writeFileSync(file, JSON.stringify({ ...manifest, machine: { bf16 } }));
      return finishedVariants(home, "dev").results.map(({ products }) => products);
    });
    expect(found).toEqual([["bfloat16"], ["float32"], [undefined]]);
  });

  it("is left out where it is unfinished, and named where a manifest is broken", () => {
    rmSync(path.join(leave("tapo", 0, 3), "predictions"), { recursive: true });
    const own = leave("kl-0", 0, 3);
    rmSync(path.join(own, "manifest.json"));
    expect(finishedVariants(home, "dev")).toEqual({ results: [], outdated: 0 });
    writeFileSync(path.join(own, "manifest.json"), "{");
    expect(() => finishedVariants(home, "dev")).toThrow(/kl-0.seed-0.manifest\.json: no valid JSON/);
  });

  it("is published with a stamp, and read back as it was", async () => {
    leave("tapo", 0, 3);
    leave("kl-0", 0, 4);
    expect(readAblations(home)).toBeNull();
    const { table, folder: target } = await publishAblations(home, "dev");
    expect(target).toBe(path.join(folder, "figures"));
    expect(existsSync(path.join(target, "ablations.svg"))).toBe(true);
    expect(readFileSync(path.join(target, "ablations.csv"), "utf8").trimEnd().split("\n")).toHaveLength(
      1 + table.length,
    );
    expect(readAblations(home)).toEqual({ table, current: true });
    expect(readAblations(changed)).toMatchObject({ current: false });
    expect(readAblations(otherData)).toMatchObject({ current: false });
    expect(readAblations(home, "test")).toBeNull();
  });
});
