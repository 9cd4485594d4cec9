/** Names that lead out of the folder that they are names in. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, it } from "vitest";
import { questionsOfFile } from "../../lib/benchmark/questions";
import { readStage2 } from "../../lib/formats/stage2";
import { imageFinder } from "../../lib/experiment/records";
import { loadModel } from "../../lib/model/checkpoint";
import { root as repository } from "../../tools/environment";
import { temporaryFolder, writeTree } from "../benchmark/photographs/trees";

const folder = temporaryFolder();
const inside = path.join(folder, "inside");
writeTree(folder, { "outside.png": "o", "inside/a.png": "a", "inside/deep/b.png": "b" });
symlinkSync("../outside.png", path.join(inside, "linked.png"));
symlinkSync(folder, path.join(inside, "up"));

/** What a file may call an image that is not in its folder. */
const OUTSIDE: readonly [string, string][] = [
  ["above", "../outside.png"],
  ["above, from inside", "deep/../../outside.png"],
  ["absolute", "/etc/passwd"],
  ["of Windows", "C:\\outside.png"],
  ["with backslashes", "..\\outside.png"],
  ["with a zero byte", "a.png\0.jpg"],
  ["a link to a file outside", "linked.png"],
  ["below a link to a folder outside", "up/outside.png"],
];

describe("questions of a file", () => {
  it.each(OUTSIDE)("an image %s is a bad row", (_, image) => {
    const file = path.join(inside, "q_seen.jsonl");
    writeFileSync(file, `${JSON.stringify({ image_path: image, question: "Q?", ground_truth: "fox" })}\n`);
    const read = (onBadRow: "stop" | "skip") =>
      questionsOfFile({ file, setting: "open", seed: 1, optionOrder: "released", onBadRow });
    expect(() => read("stop")).toThrow(/q_seen\.jsonl, line 1: .*(no relative path|no path below|leads out)/);
    expect(read("skip")).toMatchObject({ questions: [], skipped: [{ line: 1 }] });
  });
});

describe("records of a file", () => {
  const find = imageFinder([], path.join(inside, "records.json"), path.join(folder, "no-sets"));
  it.each(OUTSIDE)("an image %s is not taken", (_, image) => {
    expect(() => find(image)).toThrow(/no path below|leads out/);
  });
  it("an image beside the file is", () => {
    expect(find("deep/b.png")).toBe(path.join(inside, "deep/b.png"));
  });
});

describe("shards of a checkpoint", () => {
  it.each(["../inside/x.safetensors", "/tmp/x.safetensors", "..", "deep/x.safetensors", "x.bin"])(
    "%j is refused by the index's name",
    (shard) => {
      const model = path.join(folder, "model");
      mkdirSync(model, { recursive: true });
      const config = path.join(repository, "test/fixtures/parity/fixture-tied/model/config.json");
      writeFileSync(path.join(model, "config.json"), readFileSync(config));
      writeFileSync(path.join(model, "model.safetensors.index.json"), JSON.stringify({ weight_map: { a: shard } }));
      expect(() => loadModel(model)).toThrow(/index\.json: weight_map names .*in the same folder/);
    },
  );
});

describe("parquet", () => {
  it("a path in place of an image's bytes is never opened", async () => {
    const file = path.join(folder, "paths.parquet");
    const list = (name: string) => ({ name, data: [[{ bytes: null, path: path.join(inside, "a.png") }]] });
    const image = (name: string) => [
      { name, repetition_type: "OPTIONAL" as const, num_children: 1, converted_type: "LIST" as const },
      { name: "list", repetition_type: "REPEATED" as const, num_children: 1 },
      { name: "element", repetition_type: "OPTIONAL" as const, num_children: 2 },
      { name: "bytes", type: "BYTE_ARRAY" as const, repetition_type: "OPTIONAL" as const },
      {
        name: "path",
        type: "BYTE_ARRAY" as const,
        converted_type: "UTF8" as const,
        repetition_type: "OPTIONAL" as const,
      },
    ];
    const text = (name: string) => ({
      name,
      type: "BYTE_ARRAY" as const,
      converted_type: "UTF8" as const,
      repetition_type: "OPTIONAL" as const,
    });
    const bytes = parquetWriteBuffer({
      schema: [
        { name: "root", num_children: 5 },
        ...image("images"),
        text("problem"),
        text("answer"),
        ...image("image_noisy"),
        ...image("image_aug"),
      ],
      columnData: [
        list("images"),
        { name: "problem", data: ["<image>Q?"] },
        { name: "answer", data: ["fox"] },
        list("image_noisy"),
        list("image_aug"),
      ],
    });
    writeFileSync(file, new Uint8Array(bytes));
    await expect(readStage2(file)).rejects.toThrow(
      /paths\.parquet, row 0: column "images" has no bytes \(a path alone/,
    );
  });
});
