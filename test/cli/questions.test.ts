import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { questionsOfFile } from "../../lib/benchmark/questions";
import { temporaryFolder, trees, writeTree } from "../benchmark/photographs/trees";
import { capture, command } from "./capture";
import { temporaryRun } from "./runs";

const run = command("questions");

const folder = temporaryFolder();
const trial = temporaryRun("questions");
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
    "--run",
    trial.name,
    "--set",
    "shots=2",
    "--out",
    path.join(folder, out),
    ...more,
  ];
  it("writes a closed row a test image, options of its split, which evaluate's reader takes", async () => {
    const { code, out } = await capture(run, args("m.jsonl", "--similarity", "model", "--model", model, "--json"));
    expect([code, JSON.parse(out)]).toEqual([0, { out: path.join(folder, "m.jsonl"), rows: 10, left_out: 0 }]);
    const rows = rowsOf(path.join(folder, "m.jsonl"));
    const side = new Map(rows.map(({ ground_truth, split }) => [ground_truth, split]));
    expect(rows.filter(({ split }) => split === "seen")).toHaveLength(6);
    for (const { options, ground_truth, split } of rows) {
      expect(options).toHaveLength(4);
      expect(options).toContain(ground_truth);
      expect(new Set(options.map((option) => side.get(option)))).toEqual(new Set([split]));
    }
    const { questions, skipped } = questionsOfFile({
      file: path.join(folder, "m.jsonl"),
      setting: "closed",
      root: folder,
      optionOrder: "released",
    });
    expect([questions.length, skipped.length]).toEqual([10, 0]);
    const said = (await capture(run, args("n.jsonl", "--similarity", "names"))).out;
    expect(said).toMatch(
      new RegExp(`10 rows, 0 left out; evaluate --benchmark .*n\\.jsonl --images ${path.relative("", folder)} asks`),
    );
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
    expect(existsSync(pet)).toBe(true);
    const { code, err } = await capture(run, ["--benchmark", "pet", "--sets", folder, "--similarity", "names"]);
    expect([code, err]).toEqual([1, expect.stringMatching(/"Sheep Dog" is on neither side/)]);
  });

  it.each([
    [["--benchmark", "a:b"], /"a:b"/],
    [["--benchmark", root, "--model", "nowhere"], /model .*nowhere: no config\.json there/],
    [["--benchmark", root, "--similarity", "onnx"], /similarity=onnx: expected model, names, or a CLIP or SigLIP ONNX/],
    [["--benchmark", root, "--set", "shots=1"], /shots=1.*expected/],
    [["--benchmark", root, "--limit", "-1"], /--limit is "-1"/],
  ])("exits 1 on %j", async (wrong, message) => {
    const { code, err } = await capture(run, [...wrong, "--run", trial.name]);
    expect([code, err]).toEqual([1, expect.stringMatching(message)]);
  });
});
