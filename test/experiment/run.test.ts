import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { repositoryRoot } from "../../lib/util/root";
import { hashTree } from "../../lib/util/hash";
import { provenance, runFolder } from "../../lib/experiment/run";
import { readJsonl, writeJsonl, writeText } from "../../lib/util/files";
import { loadSettings } from "../../lib/experiment/settings";

mkdirSync(path.join(repositoryRoot(), "data/cache"), { recursive: true });
const folder = mkdtempSync(path.join(repositoryRoot(), "data/cache/run-test-")); // hashes are of the repository's files
beforeEach(() => rmSync(folder, { recursive: true, force: true }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("files of a run", () => {
  it("are written whole, in folders made for them, over older ones", () => {
    const file = path.join(folder, "a/b/c.txt");
    writeText(file, "one");
    writeText(file, "two");
    expect(readFileSync(file, "utf8")).toBe("two");
    expect(readdirSync(path.dirname(file))).toEqual(["c.txt"]);
  });

  it("stay as they are where writing fails", () => {
    const file = path.join(folder, "c.txt");
    writeText(file, "old");
    mkdirSync(`${file}.tmp`); // the temporary name is taken: nothing can be written
    expect(() => writeText(file, "new")).toThrow();
    expect(readFileSync(file, "utf8")).toBe("old");
  });

  it("JSON Lines: round trip, blank lines passed over, a bad line named by its number in the file", () => {
    const file = path.join(folder, "rows.jsonl");
    const rows = [{ a: 1, text: "x\ny" }, [2], null];
    writeJsonl(file, rows);
    expect(readFileSync(file, "utf8").split("\n")).toHaveLength(4);
    expect(readJsonl(file)).toEqual(rows);
    writeFileSync(file, '{"a":1}\n\n{"a":\n');
    expect(() => readJsonl(file)).toThrow(/rows\.jsonl: line 3 is not JSON/);
    expect(() => readJsonl(path.join(folder, "none.jsonl"))).toThrow(/none\.jsonl/);
  });

  it("live in data/runs", () => expect(runFolder({ run: "x" })).toBe(path.join(repositoryRoot(), "data/runs/x")));
});

describe("hashTree", () => {
  const hash = (): string => hashTree([path.relative(repositoryRoot(), folder)]);
  it("changes with contents, names and files, and with nothing else", () => {
    writeText(path.join(folder, "x/a.txt"), "1");
    writeText(path.join(folder, "b.txt"), "2");
    const first = hash();
    expect(hash()).toBe(first);
    writeText(path.join(folder, "b.txt"), "3");
    const second = hash();
    writeText(path.join(folder, "c.txt"), "");
    const third = hash();
    rmSync(path.join(folder, "c.txt"));
    expect(hash()).toBe(second);
    rmSync(path.join(folder, "b.txt"));
    writeText(path.join(folder, "d.txt"), "3");
    expect(new Set([first, second, third, hash()]).size).toBe(4);
    expect(first).toMatch(/^[0-9a-f]{64}$/);
  });

  it("passes over what is not there", () => expect(hashTree(["no/such/folder"])).toBe(hashTree([])));
});

it("provenance follows the settings, and stays for the same ones", () => {
  const smoke = loadSettings({ scale: "smoke", environment: {} });
  const [a, b] = [provenance(smoke), provenance({ ...smoke, seed: 1 })];
  expect([a.code, a.data]).toEqual([b.code, b.data]);
  expect(a.settings).not.toBe(b.settings);
  expect(provenance(smoke)).toEqual(a);
  expect(existsSync(path.join(repositoryRoot(), "lib"))).toBe(true);
});
