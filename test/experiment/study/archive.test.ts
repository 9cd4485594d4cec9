/** Archived predictions: back as they were, refused where they are not, used where they were asked for alike. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PredictionRow } from "../../../lib/eval/rows";
import { hashSettings, provenance } from "../../../lib/experiment/identity";
import { archive, archived, isSameResult, readArchived, type StudyResult } from "../../../lib/experiment/study/archive";
import { ROLE, studyRows, usable } from "../../../lib/experiment/study/run";
import { chooseVariants, variantSettings } from "../../../lib/experiment/ablations/variants";
import { loadSettings } from "../../../lib/experiment/load-settings";

let folder = "";
beforeEach(() => void (folder = mkdtempSync(path.join(tmpdir(), "archive-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const row = (seed: number, output: string): PredictionRow => ({
  method: "tapo",
  seed,
  domain: "cats",
  split: "seen",
  setting: "open",
  image_path: "a.png",
  question: "What cat is it?",
  ground_truth: "tabby",
  output,
});
const result = (seed: number, output = "<answer> tabby</answer>"): StudyResult => ({
  variant: "tapo",
  seed,
  code: "c",
  data: "d",
  settings: "s",
  rows: [row(seed, output)],
});
const source = ({ rows: _, ...of }: StudyResult) => of;

describe("the archive", () => {
  it("gives results back, in order, and replaces those of the same variant and seed alone", () => {
    archive(folder, [result(1), result(0)]);
    const other = { ...result(1, "manx"), settings: "t" };
    archive(folder, [other]);
    expect(archived(folder)).toEqual([source(result(0)), source(other)]);
    archive(folder, [{ ...other, products: "float32" }]);
    expect(archived(folder)[1].products).toBe("float32");
    archive(folder, [other]);
    expect(readArchived(folder, { variant: "tapo", seed: 0 })).toEqual(result(0));
    expect(readArchived(folder, { variant: "tapo", seed: 1 })).toEqual(other);
    expect(readdirSync(folder).sort()).toEqual(["index.json", "tapo-seed-0.jsonl.gz", "tapo-seed-1.jsonl.gz"]);
  });

  it("holds results of one benchmark and base: those of another go with the first new one", () => {
    archive(folder, [result(0), result(1)]);
    archive(folder, []);
    expect(archived(folder)).toHaveLength(2);
    const moved = { ...result(1), data: "e" };
    archive(folder, [moved]);
    expect(archived(folder)).toEqual([source(moved)]);
    expect(readdirSync(folder).sort()).toEqual(["index.json", "tapo-seed-1.jsonl.gz"]);
  });

  it("is the same bytes for the same results", () => {
    archive(folder, [result(0)]);
    const bytes = readFileSync(path.join(folder, "tapo-seed-0.jsonl.gz"));
    archive(folder, [result(0)]);
    expect(readFileSync(path.join(folder, "tapo-seed-0.jsonl.gz"))).toEqual(bytes);
  });

  it("is empty where there is none", () => expect(archived(folder)).toEqual([]));

  it.each([
    ["{}", /index\.json: expected a list/],
    ["[3]", /index\.json: entry 0: is no object/],
    [JSON.stringify([{ ...source(result(0)), variant: "../x", sha256: "" }]), /entry 0: variant is no name/],
    [JSON.stringify([{ ...source(result(0)), seed: -1, sha256: "" }]), /entry 0: seed is no whole number/],
    [JSON.stringify([{ ...source(result(0)), sha256: 5 }]), /entry 0: sha256 is no text/],
    [JSON.stringify([{ ...source(result(0)), products: "int8", sha256: "" }]), /entry 0: products is neither/],
  ])("refuses the index %s", (text, problem) => {
    writeFileSync(path.join(folder, "index.json"), text);
    expect(() => archived(folder)).toThrow(problem);
  });

  it("refuses predictions that are not those of the index, and rows that cannot be scored", () => {
    archive(folder, [result(0)]);
    const of = { variant: "tapo", seed: 0 };
    writeFileSync(path.join(folder, "tapo-seed-0.jsonl.gz"), gzipSync(JSON.stringify(row(0, "manx"))));
    expect(() => readArchived(folder, of)).toThrow(/tapo-seed-0\.jsonl\.gz: not the predictions that index\.json/);
    archive(folder, [{ ...result(0), rows: [{ ...row(0, ""), split: "held-out" as "seen" }] }]);
    expect(() => readArchived(folder, of)).toThrow(/tapo-seed-0\.jsonl\.gz, line 1: field "split"/);
    expect(() => readArchived(folder, { variant: "sft", seed: 0 })).toThrow(/no result of sft-seed-0/);
  });
});

describe("a result", () => {
  it("is the same where settings and data are, whatever code made it", () => {
    const one = source(result(0));
    expect(isSameResult(one, { ...one, code: "other" } as typeof one)).toBe(true);
    for (const change of [{ data: "x" }, { settings: "x" }, { seed: 1 }, { variant: "sft" }])
      expect(isSameResult(one, { ...one, ...change })).toBe(false);
  });

  it("of the archive is used where a run asks for it in the same way, and counted as outdated elsewhere", () => {
    const settings = loadSettings({ set: ["benchmark=emoji-study-dev"], environment: {} });
    const home = { settings, folder: path.join(folder, "run"), benchmark: { fingerprint: "f" } } as Parameters<
      typeof studyRows
    >[0];
    const { data } = provenance(settings, "f");
    const [tapo] = chooseVariants(settings, ["tapo"]).filter(({ name }) => name === "tapo");
    const asked = hashSettings(variantSettings(settings, tapo, { seed: 1, role: ROLE }));
    archive(folder, [
      { ...result(0), data },
      { ...result(1), data, settings: asked },
    ]);
    expect(usable(home, folder)).toMatchObject({ results: [{ seed: 1 }], outdated: 1 });
    const found = studyRows(home, [0, 1], folder);
    expect(found.rows.get("tapo")).toEqual([row(1, "<answer> tabby</answer>")]);
    expect(found.sources).toEqual([{ variant: "tapo", seed: 1, code: "c", data, settings: asked }]);
    expect(found.outdated).toBe(1);
    expect(studyRows(home, [0], folder).rows.size).toBe(0);
  });
});
