import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadEmojiFgvr, loadImage } from "../../lib/benchmark/emoji-fgvr";
import { dataFolder } from "../../lib/benchmark/emoji-fgvr/paths";
import { rasterise } from "../../lib/benchmark/emoji-fgvr/render";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "emoji-fgvr-"));
  for (const name of ["concepts.json", "splits.json"])
    copyFileSync(path.join(dataFolder(), name), path.join(folder, name));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Json = Record<string, unknown>;

function editConcepts(change: (concepts: Json[]) => void): void {
  const file = path.join(folder, "concepts.json");
  const concepts = JSON.parse(readFileSync(file, "utf8")) as Json[];
  change(concepts);
  writeFileSync(file, JSON.stringify(concepts));
}

function editSplits(change: (splits: Record<string, Json>) => void): void {
  const file = path.join(folder, "splits.json");
  const splits = JSON.parse(readFileSync(file, "utf8")) as Record<string, Json>;
  change(splits);
  writeFileSync(file, JSON.stringify(splits));
}

describe("committed files", () => {
  it("load as they are", () => {
    expect(loadEmojiFgvr(folder).concepts.length).toBeGreaterThan(700);
  });

  it("a truncated file is named", () => {
    const file = path.join(folder, "concepts.json");
    writeFileSync(file, readFileSync(file, "utf8").slice(0, 5000));
    expect(() => loadEmojiFgvr(folder)).toThrow(/concepts\.json: no valid JSON \(Unterminated/);
  });

  it("a missing file is named", () => {
    rmSync(path.join(folder, "splits.json"));
    expect(() => loadEmojiFgvr(folder)).toThrow(/splits\.json: cannot be read/);
  });

  const bad: [string, (concept: Json) => void, RegExp][] = [
    ["an id that is a path", (c) => (c.id = "../../etc"), /concept 0, field "id": "\.\.\/\.\.\/etc"/],
    ["a missing name", (c) => delete c.name, /concept 0, field "name": missing/],
    ["an unknown domain", (c) => (c.domain = "ship"), /concept 0, field "domain": "ship"/],
    ["an icon that is a path", (c) => (c.drawings = { twemoji: "../x" }), /concept 0, field "drawings"/],
    ["a style nobody knows", (c) => (c.drawings = { "../x": "cat" }), /field "drawings".*splits\.json/],
    ["keywords that are no list", (c) => (c.keywords = "animal"), /concept 0, field "keywords": "animal"/],
    ["a hard negative of another domain", (c) => (c.hard_negatives = ["1f347"]), /field "hard_negatives": 1f347/],
  ];
  it.each(bad)("%s is refused", (_name, change, message) => {
    editConcepts((concepts) => change(concepts[0]));
    expect(() => loadEmojiFgvr(folder)).toThrow(message);
  });

  it("a test designer's drawing of a pre-training concept is refused", () => {
    editConcepts((concepts) => {
      const last = concepts[concepts.length - 1];
      last.drawings = { ...(last.drawings as Json), twemoji: "cat" };
    });
    expect(() => loadEmojiFgvr(folder)).toThrow(/pre-training styles only \(not "twemoji"\)/);
  });

  it("a designer with two roles is refused", () => {
    editSplits((splits) => ((splits.styles["noto-v1"] as Json).role = "pretraining"));
    expect(() => loadEmojiFgvr(folder)).toThrow(/styles\.noto-v1, field "role": "pretraining", expected "fewshot"/);
  });

  it("an id on both sides is refused", () => {
    editSplits((splits) => (splits.unseen as unknown as string[]).push((splits.seen as unknown as string[])[0]));
    expect(() => loadEmojiFgvr(folder)).toThrow(/field "unseen".*occurs twice/);
  });
});

describe("images", () => {
  it("a missing one is named", async () => {
    await expect(loadImage(path.join(folder, "none.png"))).rejects.toThrow(/none\.png: no such file/);
  });

  it("one that is none is named", async () => {
    const file = path.join(folder, "text.png");
    writeFileSync(file, "not an image");
    await expect(loadImage(file)).rejects.toThrow(/text\.png: cannot be decoded/);
  });

  it("an icon or a set that does not exist is named", async () => {
    await expect(rasterise("twemoji", "no-such-icon")).rejects.toThrow(/"twemoji" has no icon "no-such-icon"/);
    await expect(rasterise("../x", "cat")).rejects.toThrow(/not a set name/);
  });
});
