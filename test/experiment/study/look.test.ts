import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readLooks, recordLook, type Look } from "../../../lib/experiment/study/look";

let folder: string;
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), "look-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const look: Look = {
  at: "2026-01-02T03:04:05.000Z",
  code: "c",
  settings: "s",
  seeds: [0, 1],
  part: "main",
  reason: null,
};

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
    expect(() => recordLook(other, folder)).toThrow(/looked at on 2026-01-02.*part main .*another and needs --reason/);
    expect(readLooks(folder)).toEqual([look]);
    recordLook({ ...other, reason: "a fault in scoring" }, folder);
    expect(readLooks(folder)).toEqual([look, { ...other, reason: "a fault in scoring" }]);
  });

  it("takes another part for another look", () => {
    recordLook(look, folder);
    const links: Look = { ...look, part: "links" };
    expect(() => recordLook(links, folder)).toThrow(/part links, is another and needs --reason/);
    recordLook({ ...links, reason: "links of the chain" }, folder);
    recordLook({ ...links, at: "2026-01-03T00:00:00.000Z" }, folder); // taken up again
    expect(readLooks(folder)).toEqual([look, { ...links, reason: "links of the chain" }]);
  });

  it("takes an entry without a part for one of the main part, and leaves it as it is", () => {
    const { part: _, ...old } = look;
    const record = `${JSON.stringify([old], null, 2)}\n`;
    writeFileSync(path.join(folder, "looks.json"), record);
    recordLook(look, folder);
    expect(readFileSync(path.join(folder, "looks.json"), "utf8")).toBe(record);
    expect(() => recordLook({ ...look, part: "sweeps" }, folder)).toThrow(/part main .*part sweeps, is another/);
    recordLook({ ...look, part: "sweeps", reason: "settings" }, folder);
    expect(readLooks(folder)).toEqual([old, { ...look, part: "sweeps", reason: "settings" }]);
  });

  it("changes nothing where the record cannot be read", () => {
    writeFileSync(path.join(folder, "looks.json"), "[");
    expect(() => recordLook(look, folder)).toThrow(/looks\.json/);
  });
});

describe("readLooks", () => {
  const write = (record: unknown): void => writeFileSync(path.join(folder, "looks.json"), JSON.stringify(record));

  it.each<[string, unknown, string]>([
    ["at", "yesterday", '"yesterday"; expected a time like'],
    ["at", null, "null; expected a time like"],
    ["code", "", '""; expected a hash'],
    ["settings", 7, "7; expected a hash"],
    ["seeds", [], "[]; expected a list of whole numbers"],
    ["seeds", "0,1", '"0,1"; expected a list of whole numbers'],
    ["seeds", [0, null], "[0,null]; expected a list of whole numbers"],
    ["seeds", [0, -1], "[0,-1]; expected a list of whole numbers"],
    ["part", "all", '"all"; expected one of main, sweeps, links, probes'],
    ["part", null, "null; expected one of main"],
    ["reason", undefined, "undefined; expected null or a text"],
    ["reason", "", '""; expected null or a text'],
  ])("names file, entry and field where %s is %j, and writes nothing", (field, value, message) => {
    write([look, { ...look, [field]: value }]);
    const before = readFileSync(path.join(folder, "looks.json"), "utf8");
    expect(() => readLooks(folder)).toThrow(`looks.json, entry 2: ${field} is ${message}`);
    expect(() => recordLook({ ...look, code: "d", reason: "why" }, folder)).toThrow("entry 2");
    expect(readFileSync(path.join(folder, "looks.json"), "utf8")).toBe(before);
  });

  it("refuses what is no list of objects", () => {
    write(look);
    expect(() => readLooks(folder)).toThrow("looks.json: expected a list of looks");
    write([null]);
    expect(() => readLooks(folder)).toThrow("looks.json, entry 1: null; expected an object");
  });
});
