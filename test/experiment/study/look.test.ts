import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readLooks, recordLook, type Look } from "../../../lib/experiment/study/look";

let folder: string;
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), "look-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const look: Look = { at: "2026-01-02T03:04:05.000Z", code: "c", settings: "s", seeds: [0, 1], reason: null };

describe("recordLook", () => {
  it("writes the first look down, and the same one taken up again once only", () => {
    expect(readLooks(folder)).toEqual([]);
    recordLook(look, folder);
    recordLook({ ...look, at: "2026-01-03T00:00:00.000Z" }, folder);
    expect(readLooks(folder)).toEqual([look]);
  });

  it("wants a reason for another, and writes it down", () => {
    recordLook(look, folder);
    const other = { ...look, code: "d" };
    expect(() => recordLook(other, folder)).toThrow(/looked at on 2026-01-02.*--reason/);
    expect(readLooks(folder)).toEqual([look]);
    recordLook({ ...other, reason: "a fault in scoring" }, folder);
    expect(readLooks(folder)).toEqual([look, { ...other, reason: "a fault in scoring" }]);
  });

  it("changes nothing where the record cannot be read", () => {
    writeFileSync(path.join(folder, "looks.json"), "[");
    expect(() => recordLook(look, folder)).toThrow(/looks\.json/);
  });
});
