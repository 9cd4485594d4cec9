/** `data check` on miniature sets: what is missing, unreadable or the same twice; exit codes. */
import * as path from "node:path";
import { symlinkSync } from "node:fs";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import type { SetReport } from "../../lib/benchmark/photographs/check";
import { temporaryFolder, trees, writeTree } from "../benchmark/photographs/trees";
import { capture, command } from "./capture";

const run = command("data");

const folder = temporaryFolder();
const jpeg = (value: number): Promise<Buffer> =>
  sharp({ create: { width: 8, height: 6, channels: 3, background: { r: value, g: value, b: value } } })
    .jpeg()
    .toBuffer();
type PrintedReport = Omit<SetReport, "badRows"> & { bad_rows: SetReport["badRows"] };
const check = async (...args: string[]): Promise<{ code: number; reports: PrintedReport[] }> => {
  const { code, out } = await capture(run, ["check", ...args, "--json"]);
  return { code, reports: JSON.parse(out) as PrintedReport[] };
};

describe("data check", () => {
  it("a folder per class: whole, with duplicates across portions counted", async () => {
    writeTree(path.join(folder, "mine"), {
      "train/fox/1.jpg": await jpeg(1),
      "train/fox/2.jpg": await jpeg(200),
      "test/fox/1.jpg": await jpeg(1),
      "test/wolf/1.jpg": await jpeg(90),
    });
    const { code, reports } = await check("mine", "--sets", folder);
    expect(code).toBe(0);
    expect(reports[0]).toMatchObject({
      set: "mine",
      status: "whole",
      missing: [],
      unreadable: [],
      subcategories: { listed: 2, published: null },
      portions: { train: { found: 2, listed: 2 }, test: { found: 2, listed: 2 } },
    });
    expect(reports[0].duplicates).toEqual([["test/fox/1.jpg", "train/fox/1.jpg"]]);
    expect(reports[0].leaks).toEqual(reports[0].duplicates);
    const { out } = await capture(run, ["check", "mine", "--sets", folder]);
    expect(out).toMatch(/mine: mine: whole\n.*\n {2}sub-categories: 2\n {2}train: 2 of 2 listed images/);
    expect(out).toMatch(/the same bytes: 1 groups, 1 of them across training and test/);
  });

  it("missing, unreadable and linked-away images, by path", async () => {
    const root = writeTree(path.join(folder, "flower"), {
      ...trees.flower,
      "jpg/image_00001.jpg": await jpeg(1),
      "jpg/image_00002.jpg": "no image",
      "jpg/image_00003.jpg": (await jpeg(3)).subarray(0, 12),
    });
    writeTree(folder, { "outside.jpg": await jpeg(4) });
    symlinkSync("../../outside.jpg", path.join(root, "jpg/image_00004.jpg"));
    const { code, reports } = await check("flower", "--sets", folder);
    expect(code).toBe(2);
    const [report] = reports;
    expect(report).toMatchObject({
      status: "incomplete",
      missing: ["jpg/image_00005.jpg"],
      portions: {
        train: { found: 1, listed: 2, published: 1020 },
        validation: { found: 0, listed: 1 },
        test: { found: 0, listed: 2, published: 6149 },
      },
    });
    expect(report.unreadable.map((image) => image.path).sort()).toEqual([
      "jpg/image_00002.jpg",
      "jpg/image_00003.jpg",
      "jpg/image_00004.jpg",
    ]);
    expect(report.unreadable.find((image) => image.path.endsWith("4.jpg"))!.reason).toMatch(/a link that leads out/);
    expect(report.split).toMatchObject({
      source: "complement (4 of 102 published sub-categories)",
      seen: { subcategories: 2, test_images: 0, paper_test_images: 4028, released: null },
      unseen: { subcategories: 2, test_images: 2, released: { rows: 2121, missing: 2121, disagree: 0 } },
    });
    const { out } = await capture(run, ["check", "flower", "--sets", folder]);
    expect(out).toMatch(
      /get it from Visual Geometry Group, University of Oxford, "102 Category Flower Dataset", https/,
    );
    expect(out).toMatch(/missing: 1\n {4}jpg\/image_00005\.jpg/);
    expect(out).toMatch(
      /\n {2}split: 2 seen and 2 unseen sub-categories \(complement \(4 of 102 published sub-categories\)\)\n/,
    );
  });

  it("a BMP is an image, as it is for training; a Git LFS pointer is named", async () => {
    const bmp = Buffer.alloc(58); // 1 x 1, 24 bits
    bmp.write("BM", 0, "latin1");
    bmp.writeUInt32LE(58, 2);
    bmp.writeUInt32LE(54, 10);
    bmp.writeUInt32LE(40, 14);
    [1, 1].forEach((side, i) => bmp.writeInt32LE(side, 18 + 4 * i));
    bmp.writeUInt16LE(1, 26);
    bmp.writeUInt16LE(24, 28);
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 12345\n`;
    writeTree(path.join(folder, "bitmaps"), { "a/1.bmp": bmp, "a/2.bmp": bmp, "b/1.bmp": bmp, "b/2.jpg": pointer });
    for (const more of [[], ["--decode"]]) {
      const { reports } = await check("bitmaps", "--sets", folder, ...more);
      expect(reports[0].unreadable.map(({ path: at }) => at)).toEqual(["b/2.jpg"]);
      expect(reports[0].unreadable[0].reason).toMatch(/Git LFS/);
    }
  });

  it("--decode finds what the header hides: an image that is cut off", async () => {
    const pixels = Buffer.from(Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7919) % 256));
    const image = sharp(pixels, { raw: { width: 64, height: 64, channels: 3 } });
    const [whole, png] = await Promise.all([image.clone().jpeg().toBuffer(), image.clone().png().toBuffer()]);
    writeTree(path.join(folder, "cut"), {
      "a/1.jpg": whole,
      "a/2.jpg": whole.subarray(0, whole.length / 2),
      "a/3.png": png.subarray(0, png.length / 2),
    });
    expect((await check("cut", "--sets", folder)).reports[0]).toMatchObject({ status: "whole", unreadable: [] });
    const { code, reports } = await check("cut", "--sets", folder, "--decode");
    expect(code).toBe(2);
    expect(reports[0].status).toBe("incomplete");
    expect(reports[0].unreadable.map((image) => image.path)).toEqual(["a/2.jpg", "a/3.png"]);
    for (const { reason } of reports[0].unreadable) expect(reason).toMatch(/^cut off or damaged/);
    expect(reports[0].portions.train.found + reports[0].portions.test.found).toBe(1);
  });

  it("without a set: all published ones, absent ones with where to get them, and other folders", async () => {
    const root = path.join(folder, "all");
    writeTree(root, {
      "aircraft/fgvc-aircraft-2013b/data/variants.txt": "707-320\n",
      "aircraft/fgvc-aircraft-2013b/data/images_variant_train.txt": "x\n",
      "own/a/1.jpg": await jpeg(1),
    });
    const { code, reports } = await check("--sets", root);
    expect(code).toBe(2);
    expect(reports.map(({ set, status }) => `${set} ${status}`)).toEqual([
      "aircraft broken",
      "bird absent",
      "car absent",
      "dog absent",
      "flower absent",
      "pet absent",
      "grocery absent",
      "own whole",
    ]);
    expect(reports[0].problem).toMatch(/images_variant_train\.txt, line 1: "x"/);
    expect(reports[1].source?.url).toMatch(/^https:/);
    const { out } = await capture(run, ["check", "--sets", root]);
    expect(out).toMatch(/\nbird: CUB-200-2011: absent; "Caltech.*", https:.*\ncar: /);
    expect(out).toMatch(/own: .*whole[\s\S]*How to get one of them, and where to put it: data check NAME\n$/);
  });

  it("a bad row of an annotation file: broken by file and line, or left out and listed", async () => {
    const sets = path.join(folder, "rows");
    writeTree(path.join(sets, "flower"), { ...trees.flower, "setid.mat": "mat:setid_beyond.mat" });
    const stopped = await check("flower", "--sets", sets);
    expect(stopped.reports[0]).toMatchObject({ status: "broken", bad_rows: [] });
    expect(stopped.reports[0].problem).toMatch(/setid\.mat, trnid, element 2: image 9 has no label/);
    const { code, reports } = await check("flower", "--sets", sets, "--on-bad-row", "skip");
    expect([code, reports[0].status, reports[0].problem, reports[0].bad_rows.length]).toEqual([
      2,
      "incomplete",
      null,
      1,
    ]);
    expect((await capture(run, ["check", "flower", "--sets", sets, "--on-bad-row", "skip"])).out).toMatch(
      /rows skipped: 1\n {4}.*setid\.mat, line 2: image 9 has no label/,
    );
  });

  it("a set whose names are not those of the released files is broken, not half read", async () => {
    const foreign = Object.entries(trees.pet).map(([file, text]) => [
      file,
      text.replaceAll("american_bulldog", "sheep_dog"),
    ]);
    writeTree(path.join(folder, "pet"), Object.fromEntries(foreign) as Record<string, string>);
    const { code, reports } = await check("pet", "--sets", folder);
    expect(code).toBe(2);
    expect(reports[0]).toMatchObject({ status: "broken", missing: [] });
    expect(reports[0].problem).toMatch(/set pet: "Sheep Dog" is on neither side of the released files/);
  });

  it("rows: Stage-1, Stage-2 and evaluation files, bad rows by place, with their count", async () => {
    const data = (name: string): string => path.resolve(__dirname, "../../data/released", name);
    expect(await capture(run, ["rows", data("stage1/Fine-R1-Stage1-data.json")])).toMatchObject({
      code: 0,
      err: "",
      out: expect.stringMatching(/: stage-1, 404 rows, 0 skipped\n/) as string,
    });
    expect(await capture(run, ["rows", data("eval/pet_seen.jsonl")])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/: evaluation, 2176 rows, 0 skipped\n/) as string,
    });
    const parquet = path.resolve(__dirname, "../fixtures/stage2/bad-rows.parquet");
    expect(await capture(run, ["rows", parquet])).toMatchObject({
      code: 1,
      out: "",
      err: expect.stringMatching(/bad-rows\.parquet, row 1: column "answer" is missing/) as string,
    });
    const { code, out, err } = await capture(run, ["rows", parquet, "--on-bad-row", "skip", "--json"]);
    expect([code, err.trimEnd().split("\n").length]).toEqual([2, 3]);
    expect(JSON.parse(out)).toMatchObject({ format: "stage-2", rows: 2, skipped: 3, summary: { answers: 2 } });
    expect(await capture(run, ["rows", "x.csv"])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/x\.csv: a file that ends in \.json/) as string,
    });
  });

  it.each([
    [[], /^data: data needs one of: check, rows; see fine-r1 data --help\n$/],
    [["fetch"], /unknown command fetch/],
    [["check", "a b"], /no image set "a b": expected aircraft, .*grocery, a folder in/],
    [["check", "pet", "extra"], /2 arguments; at most 1 expected/],
    [["check", "emoji-fgvr"], /no image set "emoji-fgvr": expected aircraft/],
    [["check", "--sets", path.join(folder, "none")], /no such folder/],
    [["check", "--root", "x"], /--root is now --sets DIR/],
    [["check", "--wrong"], /--wrong/],
    [["rows"], /file is missing/],
  ])("exits 1 on %j", async (args, message) => {
    const { code, err } = await capture(run, args);
    expect(code).toBe(1);
    expect(err).toMatch(message);
  });
});
