import fs from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { applyPatch, assertPatchVersion } from "../../tools/setup/patch.mjs";
import { patch } from "../../tools/setup/tfjs-node-function.patch.mjs";

const folder = path.join(import.meta.dirname, "../../node_modules", patch.package);
const read = (file) => fs.readFileSync(path.join(folder, file.path), "utf8");

describe("the patch of tfjs-node-gpu", () => {
  it("is written for the installed version", () => {
    const { version } = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
    expect(() => assertPatchVersion(patch, version)).not.toThrow();
    expect(() => assertPatchVersion(patch, "4.23.0")).toThrow(/4\.23\.0 is installed.*written for 4\.22\.0/);
  });

  it.each(patch.files)("adds to $path each insertion once and changes nothing else", (file) => {
    const source = read(file);
    const patched = applyPatch(file, source);
    let reverted = patched;
    for (const { before, text } of file.insertions) {
      expect(patched.split(text).length - 1).toBe(1);
      expect(patched).toContain(text + before);
      reverted = reverted.replace(text, "");
    }
    expect(reverted).toBe(source);
  });

  it.each(patch.files)("refuses $path when it is already patched, or another file", (file) => {
    const source = read(file);
    expect(() => applyPatch(file, applyPatch(file, source))).toThrow(/already patched/);
    expect(() => applyPatch(file, `${source}\n`)).toThrow(/not the published file/);
  });

  it("refuses an anchor that is not there exactly once", () => {
    const file = { ...patch.files[0], insertions: [{ before: "no such line", text: "x" }] };
    expect(() => applyPatch(file, read(file))).toThrow(/occurs 0 times/);
  });
});
