import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cacheFolder, readCached, writeCached } from "../../tools/setup/cache.mjs";

let folder;
const object = Buffer.from([0, 10, 255, 10, 7]);
beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-"))));
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

describe("the cache of objects", () => {
  it("gives back what was stored, and nothing under another key", () => {
    expect(readCached("a1", folder)).toBe(null);
    writeCached("a1", object, path.join(folder, "new"));
    expect(readCached("a1", path.join(folder, "new"))).toEqual(object);
    expect(readCached("a2", path.join(folder, "new"))).toBe(null);
    expect(fs.readdirSync(path.join(folder, "new"))).toEqual(["a1"]);
  });

  it.each([
    ["cut short", (bytes) => bytes.subarray(0, -1)],
    ["altered", (bytes) => Buffer.concat([bytes.subarray(0, -1), Buffer.from([8])])],
    ["of no content", () => Buffer.alloc(0)],
    ["of a hash alone", (bytes) => bytes.subarray(0, 65)],
  ])("does not take a file that is %s", (_name, change) => {
    writeCached("a1", object, folder);
    const file = path.join(folder, "a1");
    fs.writeFileSync(file, change(fs.readFileSync(file)));
    expect(readCached("a1", folder)).toBe(null);
    writeCached("a1", object, folder);
    expect(readCached("a1", folder)).toEqual(object);
  });

  it("does not take a file that others may write", () => {
    writeCached("a1", object, folder);
    fs.chmodSync(path.join(folder, "a1"), 0o666);
    expect(readCached("a1", folder)).toBe(null);
  });

  it("does without a folder that can't be made", () => {
    fs.writeFileSync(path.join(folder, "file"), "");
    const nowhere = path.join(folder, "file/objects");
    expect(() => writeCached("a1", object, nowhere)).not.toThrow();
    expect(readCached("a1", nowhere)).toBe(null);
  });

  it("removes what nobody has used for two months", () => {
    writeCached("old", object, folder);
    writeCached("used", object, folder);
    const then = new Date(Date.now() - 61 * 24 * 3600 * 1000);
    for (const name of ["old", "used"]) fs.utimesSync(path.join(folder, name), then, then);
    readCached("used", folder);
    writeCached("new", object, folder);
    expect(fs.readdirSync(folder).sort()).toEqual(["new", "used"]);
  });

  it("is where FINE_R1_HOME says, or in the user's cache folder", () => {
    expect(cacheFolder({ FINE_R1_HOME: "/x" })).toBe("/x/objects");
    expect(cacheFolder({ XDG_CACHE_HOME: "/c" })).toBe("/c/fine-r1/objects");
    expect(cacheFolder({ XDG_CACHE_HOME: "relative" })).toBe(path.join(os.homedir(), ".cache/fine-r1/objects"));
    expect(cacheFolder({})).toBe(path.join(os.homedir(), ".cache/fine-r1/objects"));
  });
});
