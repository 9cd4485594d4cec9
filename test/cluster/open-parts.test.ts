import { writeFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { finishedRows, openParts } from "../../lib/cluster/open-parts";
import { partsOf, sliceOf } from "../../lib/cluster/part";
import { temporaryFolder } from "../benchmark/photographs/trees";

const file = path.join(temporaryFolder(), "asked.jsonl");
const lines = (...rows: number[]): string => rows.map((row) => `${JSON.stringify({ row, output: "x" })}\n`).join("");

describe("parts of an evaluation that was begun", () => {
  it("are asked where a row of theirs is lacking", () => {
    const parts = partsOf(10, 2, 3).map((part) => sliceOf(10, 2, part));
    expect(parts.map(({ from, to }) => [from, to])).toEqual([
      [0, 2],
      [2, 6],
      [6, 10],
    ]);
    expect(openParts(parts, new Set())).toEqual(parts);
    expect(openParts(parts, new Set([0, 1, 2, 3, 5, 6, 7, 8, 9]))).toEqual([parts[1]]);
    expect(openParts(parts, new Set(Array.from({ length: 10 }, (_, i) => i)))).toEqual([]);
  });

  it("are known by the file's whole lines; one that is no row is named", () => {
    expect(finishedRows(file)).toEqual(new Set());
    writeFileSync(file, `${lines(0, 4, 2)}{"row":5,"out`);
    expect(finishedRows(file)).toEqual(new Set([0, 4, 2]));
    writeFileSync(file, `${lines(0)}{\n${lines(1)}`);
    expect(() => finishedRows(file)).toThrow(/asked\.jsonl, line 2: .*--restart/);
  });
});
