import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { readJsonl, writeJsonl, writeText } from "../../lib/util/files";
import { temporaryFolder } from "../benchmark/photographs/trees";

const root = temporaryFolder();
let [folder, tests] = ["", 0];
beforeEach(() => {
  folder = path.join(root, String(tests++));
});

describe("small files", () => {
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
});
