import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { makeFolder, replaceFile, withDurableFile, writeAll } from "../../lib/util/durable";
import { writeText } from "../../lib/util/files";
import { acquireLock, lockFile, removeDeadLock } from "../../lib/util/lock";
import { temporaryFolder } from "../benchmark/photographs/trees";

const folder = temporaryFolder();
const at = (...parts: string[]): string => path.join(folder, ...parts);

describe("replaceFile", () => {
  it("leaves the old file, and nothing beside it, where the writing fails", () => {
    mkdirSync(at("replace"));
    const file = at("replace", "a");
    replaceFile(file, (handle) => writeAll(handle, "old", file));
    expect(() =>
      replaceFile(file, (handle) => {
        writeAll(handle, "ne", file);
        throw new Error("in the middle");
      }),
    ).toThrow(/^in the middle$/);
    expect(readFileSync(file, "utf8")).toBe("old");
    expect(readdirSync(at("replace"))).toEqual(["a"]);
  });

  it("names the file whose folder is missing, or is a file", () => {
    const none = at("nowhere", "a");
    expect(() => replaceFile(none, () => undefined)).toThrow(`${none}.tmp: cannot be written: no such file or folder`);
  });
});

describe("writeAll", () => {
  it("writes text and bytes one after another, and names the file that cannot take them", () => {
    const file = at("all");
    withDurableFile(file, "w", (handle) => {
      writeAll(handle, "ä", file);
      writeAll(handle, Uint8Array.of(33, 10), file);
    });
    withDurableFile(file, "a", (handle) => writeAll(handle, "more", file));
    expect(readFileSync(file, "utf8")).toBe("ä!\nmore");
    const handle = openSync(file, "r");
    expect(() => writeAll(handle, "x", file)).toThrow(/all: cannot be written: /);
    closeSync(handle);
  });
});

describe("makeFolder", () => {
  it("makes those above too, and says why one cannot be made", () => {
    makeFolder(at("deep", "er"));
    expect(existsSync(at("deep", "er"))).toBe(true);
    makeFolder(at("deep", "er"));
    writeFileSync(at("file"), "");
    expect(() => makeFolder(at("file", "below", "it"))).toThrow(
      /below.it: cannot be made: a part of the path is a file, not a folder/,
    );
    expect(() => writeText(at("file", "x"), "")).toThrow(/file: cannot be made: /);
  });
});

describe("removeDeadLock", () => {
  it("takes a dead process's lock away, and no other", () => {
    const target = at("target");
    const lock = acquireLock(target);
    removeDeadLock(target);
    expect(existsSync(lock.file)).toBe(true);
    const owner = JSON.parse(readFileSync(lock.file, "utf8")) as Record<string, unknown>;
    lock.release();
    removeDeadLock(target); // none is there
    writeFileSync(lockFile(target), JSON.stringify({ ...owner, pid: 2 ** 22 + 1 }));
    removeDeadLock(target);
    expect(existsSync(lock.file)).toBe(false);
    writeFileSync(lockFile(target), JSON.stringify({ ...owner, pid: 2 ** 22 + 1, host: "another" }));
    removeDeadLock(target); // whether a process of another host lives can't be seen from here
    expect(existsSync(lock.file)).toBe(true);
  });
});
