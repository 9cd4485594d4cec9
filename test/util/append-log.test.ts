import * as fs from "node:fs";
import * as path from "node:path";
import { expect, it } from "vitest";
import { appendRows, dropHalfLine, readAppended } from "../../lib/util/append-log";
import { temporaryFolder } from "../benchmark/photographs/trees";

const folder = temporaryFolder();

it("rows come back as they were appended, whatever a killed process left of the last", () => {
  const file = path.join(folder, "deep", "rows.jsonl");
  expect(readAppended(file)).toEqual([]);
  appendRows(file, [{ a: 1 }, { b: "ü\n" }]);
  const whole = fs.readFileSync(file);
  for (let cut = 0; cut <= whole.length; cut++) {
    fs.writeFileSync(file, whole.subarray(0, cut));
    const lines = whole.subarray(0, cut).filter((byte) => byte === 10).length;
    expect(readAppended(file), `${cut} bytes`).toEqual([{ a: 1 }, { b: "ü\n" }].slice(0, lines));
    appendRows(file, [{ c: cut }]);
    expect(readAppended<object>(file).at(-1)).toEqual({ c: cut });
  }
});

it("dropHalfLine leaves a file of whole lines as it is", () => {
  const file = path.join(folder, "whole.jsonl");
  fs.writeFileSync(file, "1\n2\n");
  expect(dropHalfLine(file)).toBe(false);
  fs.appendFileSync(file, "3");
  expect(dropHalfLine(file)).toBe(true);
  expect(fs.readFileSync(file, "utf8")).toBe("1\n2\n");
});
