/** Folders of exports: what takes an earlier one's place, and what is never removed. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { expect, it } from "vitest";
import { MARKER, replaceExport } from "../../lib/export/folder";
import { temporaryFolder } from "../benchmark/photographs/trees";

it("an earlier export is replaced, but not one that a trainer has left its results in", async () => {
  const dir = path.join(temporaryFolder(), "trl");
  const fill = (text: string) => (folder: string) => Promise.resolve(writeFileSync(path.join(folder, MARKER), text));
  await replaceExport(dir, fill("1"));
  await replaceExport(dir, fill("2"));
  const weights = path.join(dir, "output/sft/model.safetensors");
  mkdirSync(path.dirname(weights), { recursive: true });
  writeFileSync(weights, "trained");
  await expect(replaceExport(dir, fill("3"))).rejects.toThrow(/holds what was trained there \(output\)/);
  expect(readFileSync(weights, "utf8")).toBe("trained");
  expect(readFileSync(path.join(dir, MARKER), "utf8")).toBe("2");
});
