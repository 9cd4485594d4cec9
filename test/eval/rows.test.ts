import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { compareMethods, METHOD_NAMES as METHODS } from "../../lib/train/methods";
import { parseRows, readPredictions, readRows } from "../../lib/eval/rows";

const folders: string[] = [];
const folder = (): string => {
  folders.push(mkdtempSync(join(tmpdir(), "rows-")));
  return folders[folders.length - 1];
};
afterEach(() => folders.splice(0).forEach((path) => rmSync(path, { recursive: true })));

const good = { image_path: "a.png", question: "q", ground_truth: "fox", output: "x" };
const parse = (text: string | Uint8Array): ReturnType<typeof parseRows> =>
  parseRows(typeof text === "string" ? Buffer.from(text) : text, "p.jsonl");

describe("parseRows", () => {
  it("reads rows, passes over blank lines and a byte-order mark, and keeps other fields", () => {
    const { rows, lines, skipped } = parse(
      `\ufeff${JSON.stringify({ ...good, extra: 1 })}\r\n\n  \n${JSON.stringify(good)}`,
    );
    expect(rows).toEqual([{ ...good, extra: 1 }, good]);
    expect(lines).toEqual([1, 4]);
    expect(skipped).toEqual([]);
  });

  it.each([
    ['{"image_path": "a.png", "quest', /not JSON/],
    ["[1]", /not a JSON object/],
    ["null", /not a JSON object/],
    [JSON.stringify({ ...good, output: undefined }), /"output" is missing/],
    [JSON.stringify({ ...good, ground_truth: undefined }), /"ground_truth" is missing/],
    [JSON.stringify({ ...good, ground_truth: " " }), /"ground_truth" is empty/],
    [JSON.stringify({ ...good, image_path: 3 }), /"image_path" is not a string/],
    [JSON.stringify({ ...good, options: "fox" }), /"options" is not a list of strings/],
  ])("skips %s, with file, line and reason", (line, reason) => {
    const { rows, skipped } = parse(`${JSON.stringify(good)}\n${line}\n${JSON.stringify(good)}\n`);
    expect(rows.length).toBe(2);
    expect(skipped).toEqual([{ file: "p.jsonl", line: 2, reason: expect.stringMatching(reason) as string }]);
  });

  it("skips a line in another encoding, alone", () => {
    const latin1 = Buffer.concat([
      Buffer.from(JSON.stringify(good)),
      Buffer.from('\n"caf\xe9"\n', "latin1"),
      Buffer.from(JSON.stringify(good)),
    ]);
    const { rows, skipped } = parse(latin1);
    expect(rows.length).toBe(2);
    expect(skipped).toEqual([{ file: "p.jsonl", line: 2, reason: "not UTF-8" }]);
  });

  it("keeps an empty or null output, which scoring counts as wrong, and a numeric name", () => {
    const { rows } = parse(
      [
        { ...good, output: "" },
        { ...good, output: null },
        { ...good, ground_truth: 747 },
      ]
        .map((r) => JSON.stringify(r))
        .join("\n"),
    );
    expect(rows.map((row) => row.output)).toEqual(["", "", "x"]);
    expect(rows[2].ground_truth).toBe("747");
  });
});

describe("readRows and readPredictions", () => {
  const run = { ...good, method: "sft", seed: 0, domain: "bird", split: "seen", setting: "open" };

  it("names a file that is not there", () => {
    expect(() => readRows("/nowhere/x.jsonl")).toThrow("/nowhere/x.jsonl: cannot be read: no such file or folder");
    expect(() => readPredictions("/nowhere")).toThrow(/no directory \/nowhere/);
    expect(() => readPredictions(folder())).toThrow(/no \*\.jsonl file/);
  });

  it("reads a directory's files by name and checks the run's fields", async () => {
    const path = folder();
    writeFileSync(join(path, "b.jsonl"), JSON.stringify({ ...run, method: "tapo" }));
    writeFileSync(
      join(path, "a.jsonl"),
      [run, { ...run, split: "test" }, { ...run, seed: "0" }, good].map((r) => JSON.stringify(r)).join("\n"),
    );
    writeFileSync(join(path, "note.txt"), "not a prediction");
    const { rows, skipped, files } = readPredictions(path);
    expect(rows.map((row) => row.method)).toEqual(["sft", "tapo"]);
    expect(files.length).toBe(2);
    expect(skipped.map(({ line, reason }) => [line, reason])).toEqual([
      [2, 'field "split" is neither "seen" nor "unseen"'],
      [3, 'field "seed" is not an integer'],
      [4, 'field "method" is missing'],
    ]);
  });
});

describe("compareMethods", () => {
  it("follows the tables' order, unknown methods last", () => {
    expect(["zeta", "tapo", "alpha", "base", "sft"].sort(compareMethods)).toEqual([
      "base",
      "sft",
      "tapo",
      "alpha",
      "zeta",
    ]);
    expect([...METHODS].reverse().sort(compareMethods)).toEqual([...METHODS]);
  });
});
