import { readFileSync } from "node:fs";
import * as path from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { loadQuestions } from "../../lib/benchmark/question-set";
import { temporaryFolder, trees, writeTree } from "../benchmark/photographs/trees";
import { capture, command } from "./capture";

const run = command("questions");

const folder = temporaryFolder();
const root = path.join(folder, "birds");
const model = path.join(__dirname, "../fixtures/parity/fixture-tied/model");
const names = ["auk", "bittern", "crane", "dipper", "egret", "finch", "grebe", "heron", "ibis", "jay"];
type Row = { image_path: string; options: string[]; ground_truth: string; split: string };
const rowsOf = (out: string): Row[] =>
  readFileSync(out, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);

beforeAll(async () => {
  for (const [i, name] of names.entries()) {
    for (const n of [0, 1, 2]) {
      const png = await sharp({
        create: {
          width: 40,
          height: 36 + 4 * n,
          channels: 3,
          background: { r: 25 * i, g: 255 - 20 * i, b: (97 * i) % 256 },
        },
      })
        .png()
        .toBuffer();
      writeTree(root, { [`${n === 2 ? "test" : "train"}/${name}/${n}.png`]: new Uint8Array(png) });
    }
  }
});

describe("questions", () => {
  const args = (out: string, ...more: string[]): string[] => [
    "--benchmark",
    root,
    "--shots",
    "2",
    "--out",
    path.join(folder, out),
    ...more,
  ];
  it("writes a closed row a test image, options of its split, which evaluate's reader takes", async () => {
    const { code, out } = await capture(run, args("m.jsonl", "--similarity", "model", "--model", model, "--json"));
    expect([code, JSON.parse(out)]).toEqual([0, { out: path.join(folder, "m.jsonl"), rows: 10, skipped: 0 }]);
    const rows = rowsOf(path.join(folder, "m.jsonl"));
    const side = new Map(rows.map(({ ground_truth, split }) => [ground_truth, split]));
    expect(rows.filter(({ split }) => split === "seen")).toHaveLength(6);
    for (const { options, ground_truth, split } of rows) {
      expect(options).toHaveLength(4);
      expect(options).toContain(ground_truth);
      expect(new Set(options.map((option) => side.get(option)))).toEqual(new Set([split]));
    }
    const { questions, skipped } = await loadQuestions({
      set: path.join(folder, "m.jsonl"),
      setting: "closed",
      root: folder,
      optionOrder: "released",
    });
    expect([questions.length, skipped.length]).toEqual([10, 0]);
    expect(questions.every(({ image }, i) => image === path.join(folder, rows[i].image_path))).toBe(true);
  });

  it("draws other options by another similarity, the same by the same", async () => {
    const of = async (...embedding: string[]): Promise<string[][]> => {
      expect((await capture(run, args("x.jsonl", "--similarity", ...embedding))).code).toBe(0);
      return rowsOf(path.join(folder, "x.jsonl")).map(({ options }) => options);
    };
    const byName = await of("names");
    expect(await of("names")).toEqual(byName);
    expect(await of("model", "--model", model)).not.toEqual(byName);
  });

  it("refuses a published set whose annotation files are not whole", async () => {
    const foreign = Object.entries(trees.pet).map(([file, text]) => [
      file,
      text.replaceAll("american_bulldog", "sheep_dog"),
    ]);
    const pet = writeTree(path.join(folder, "pet"), Object.fromEntries(foreign) as Record<string, string>);
    const ask = (options: "own" | "released") =>
      loadQuestions({ set: "pet", setting: "open", root: pet, options, split: "seen" });
    await expect(ask("own")).rejects.toThrow(/set pet: "Sheep Dog" is on neither side of the released files/);
    const { code, err } = await capture(run, ["--benchmark", "pet", "--sets", folder, "--similarity", "names"]);
    expect([code, err]).toEqual([1, expect.stringMatching(/"Sheep Dog" is on neither side/)]);
  });

  it.each([
    [["--similarity", "names"], /--benchmark is missing/],
    [["--benchmark", "a:b", "--similarity", "names"], /--benchmark has the name "a:b"/],
    [["--benchmark", "emoji-fgvr", "--similarity", "names"], /one of the six sets, or a folder/],
    [["--benchmark", root, "--shots", "2"], /--similarity is missing/],
    [["--benchmark", root, "--shots", "2", "--similarity", "model"], /--model belongs to/],
    [
      ["--benchmark", root, "--shots", "2", "--similarity", "onnx"],
      /--similarity is "onnx"; expected names, model or the directory/,
    ],
    [["--benchmark", root, "--similarity", "names", "--shots", "9"], /2 training images; 9 needed/],
  ])("exits 1 on %j", async (wrong, message) => {
    const { code, err } = await capture(run, wrong);
    expect([code, err]).toEqual([1, expect.stringMatching(message)]);
  });
});
