/**
 * Stage-2 parquet. `pyarrow.parquet` and `bad-rows.parquet` are pyarrow's (test/fixtures/stage2/make.py). That pyarrow
 * and pandas read what we write was checked in a Python of its own with `make.py --check FILE` (pyarrow 26.0.1, pandas
 * 3.1.1): the schema is that of pyarrow.parquet, and every value came back.
 */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import * as path from "node:path";
import { parquetMetadataAsync } from "hyparquet";
import { parquetWriteBuffer } from "hyparquet-writer";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import {
  iterateStage2,
  readStage2,
  stage2Row,
  writeStage2,
  type BadStage2Row,
  type EncodedImage,
  type Stage2Row,
} from "../../lib/formats/stage2";
import { temporaryFolder } from "../benchmark/photographs/trees";

const folder = temporaryFolder();
const fixture = (name: string): string => path.resolve(__dirname, "../fixtures/stage2", name);
const picture = async (width: number, height: number, name: string | null): Promise<EncodedImage> => ({
  bytes: new Uint8Array(
    await sharp({ create: { width, height, channels: 3, background: "#804020" } })
      .png()
      .toBuffer(),
  ),
  path: name,
});

describe("stage-2 parquet", () => {
  it("round trip, several row groups, extra images resized to the anchor", async () => {
    const [anchor, positive, negative] = [
      await picture(12, 8, "a.png"),
      await picture(30, 10, "p/ö.png"),
      await picture(12, 8, null),
    ];
    const row = await stage2Row({
      problem: "<image>Which “bird”?\nLine 2",
      answer: "Grünfink",
      anchor,
      positive,
      negative,
    });
    expect(row.anchor).toBe(anchor);
    expect(row.negative).toBe(negative); // has the size already
    expect(await sharp(row.positive.bytes).metadata()).toMatchObject({ width: 12, height: 8 });
    const rows: Stage2Row[] = Array.from({ length: 250 }, (_, i) => ({ ...row, answer: `name ${i}` }));
    const file = path.join(folder, "deep/train.parquet");
    writeStage2(file, rows);
    expect(await readStage2(file)).toEqual({ rows, skipped: [] });
    expect(readdirSync(path.dirname(file))).toEqual(["train.parquet"]); // no temporary file
    writeStage2(file, []);
    expect(await readStage2(file)).toEqual({ rows: [], skipped: [] });
  });

  it("reads what pyarrow writes", async () => {
    const { rows } = await readStage2(fixture("pyarrow.parquet"));
    expect(
      rows.map(({ answer, anchor, positive, negative }) => [answer, anchor.path, positive.path, negative.path]),
    ).toEqual([
      ["Grünfink", "a.png", "p.png", null],
      ["Mallard", "a.png", "p.png", null],
    ]);
    expect(await sharp(rows[0].anchor.bytes).metadata()).toMatchObject({ format: "png", width: 1, height: 1 });
    const again = path.join(folder, "again.parquet");
    writeStage2(again, rows);
    expect((await readStage2(again)).rows).toEqual(rows);
  });

  it.each(["zstd", "gzip", "brotli", "lz4"])("reads what pyarrow compresses with %s: the same rows", async (codec) => {
    const { rows } = await readStage2(fixture("pyarrow.parquet"));
    expect(await readStage2(fixture(`${codec}.parquet`))).toEqual({ rows, skipped: [] });
  });

  it("reads a file of more than 2 GiB, which never is in memory whole", async () => {
    const small = readFileSync(fixture("pyarrow.parquet"));
    const footer = small.readUInt32LE(small.length - 8) + 8; // metadata, its length, PAR1
    const [file, size] = [path.join(folder, "big.parquet"), 5 * 2 ** 30];
    const handle = openSync(file, "w"); // a sparse file: the data in front, the footer behind, a hole between them
    writeSync(handle, small.subarray(0, small.length - footer), 0, small.length - footer, 0);
    writeSync(handle, small.subarray(small.length - footer), 0, footer, size - footer);
    closeSync(handle);
    const before = process.memoryUsage().rss;
    expect(await readStage2(file)).toEqual(await readStage2(fixture("pyarrow.parquet")));
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 30);
    rmSync(file);
  });

  const many = async (name: string): Promise<{ file: string; rows: Stage2Row[] }> => {
    const one = await picture(6, 4, "a.png");
    const row = { problem: "<image>Q", anchor: one, positive: one, negative: one };
    const rows = Array.from({ length: 250 }, (_, i) => ({ ...row, answer: `name ${i}` }));
    const file = path.join(folder, name);
    writeStage2(file, rows);
    return { file, rows };
  };

  it("iterates a row group at a time: rows come before a later group is read", async () => {
    const { file, rows } = await many("groups.parquet");
    const bytes = readFileSync(file);
    const { row_groups: groups } = await parquetMetadataAsync(new Uint8Array(bytes).buffer);
    expect(groups.map((group) => Number(group.num_rows))).toEqual([100, 100, 50]);
    const last = Number(groups[2].columns[0].meta_data!.data_page_offset);
    writeFileSync(file, bytes.fill(0xff, last, last + 40));
    const read: Stage2Row[] = [];
    const all = async (): Promise<void> => {
      for await (const row of iterateStage2(file)) read.push(row);
    };
    await expect(all()).rejects.toThrow(/groups\.parquet: can't be read as parquet \(rows 200 to 249: /);
    expect(read).toEqual(rows.slice(0, 200));
    for await (const row of iterateStage2(file)) {
      expect(row).toEqual(rows[0]);
      break;
    }
  });

  it("markers: one, in front of the problem; other rows are left out and reported under skip", async () => {
    const { file, rows } = await many("markers.parquet");
    rows[3] = { ...rows[3], problem: "Which?" };
    rows[4] = { ...rows[4], problem: "<image><image>Which?" };
    rows[5] = { ...rows[5], problem: "Which bird<image>?" };
    writeStage2(file, rows);
    await expect(readStage2(file)).rejects.toThrow(`${file}, row 3: column "problem" has 0 <image> markers`);
    const { rows: kept, skipped } = await readStage2(file, "skip");
    expect([kept.length, skipped.map(({ row }) => row)]).toEqual([247, [3, 4, 5]]);
    expect(skipped[2].reason).toMatch(/behind text.*put it in front/);
  });

  it("special tokens: by file and row, left out and reported under skip, of another tokenizer where given", async () => {
    const { file, rows } = await many("special.parquet");
    rows[120] = { ...rows[120], problem: "<image>Which <|image_pad|> is this?" };
    rows[200] = { ...rows[200], answer: "a fox<|im_end|>" };
    writeStage2(file, rows);
    await expect(readStage2(file)).rejects.toThrow(
      `${file}, row 120: column "problem" has the special token <|image_pad|> in its text`,
    );
    const bad: BadStage2Row[] = [];
    let n = 0;
    for await (const row of iterateStage2(file, (one) => bad.push(one))) n += row.answer === "" ? 0 : 1;
    expect([n, bad.map(({ row }) => row)]).toEqual([248, [120, 200]]);
    expect((await readStage2(file, "skip")).skipped).toEqual(bad);
    expect((await readStage2(file, "stop", { specialTokens: ["<s>"] })).rows).toHaveLength(250);
    await expect(readStage2(file, "stop", { specialTokens: ["<image>Q"] })).rejects.toThrow("row 0: ");
  });

  it("names a column that is missing", async () => {
    const file = path.join(folder, "columns.parquet");
    writeFileSync(file, new Uint8Array(parquetWriteBuffer({ columnData: [{ name: "problem", data: ["Q"] }] })));
    await expect(readStage2(file)).rejects.toThrow(`${file}: no column "images"; images, problem, answer`);
  });

  it("bad rows stop with file, row and column, or are skipped and counted", async () => {
    await expect(readStage2(fixture("bad-rows.parquet"))).rejects.toThrow(
      /bad-rows\.parquet, row 1: column "answer" is missing/,
    );
    const { rows, skipped } = await readStage2(fixture("bad-rows.parquet"), "skip");
    expect(rows.map((row) => row.answer)).toEqual(["Grünfink", "last"]);
    expect(skipped.map(({ row, reason }) => `${row} ${reason}`)).toEqual([
      '1 column "answer" is missing',
      '2 column "image_aug" has 0 images; one expected',
      '3 column "images" has no bytes (a path alone: embed the images)',
    ]);
  });

  it("decodes every image when told: damaged ones and other sizes are bad rows", async () => {
    const file = path.join(folder, "decode.parquet");
    const [one, other] = await Promise.all([picture(6, 4, "a.png"), picture(4, 6, "b.png")]);
    const cut = { ...one, bytes: one.bytes.subarray(0, one.bytes.length - 20) };
    const row = (over: Partial<Stage2Row>): Stage2Row => ({
      problem: "<image>Q",
      answer: "fox",
      anchor: one,
      positive: one,
      negative: one,
      ...over,
    });
    writeStage2(file, [
      row({}),
      row({ positive: cut }),
      row({ negative: other }),
      row({ answer: "caf\uFFFD" }),
      row({ anchor: { bytes: new Uint8Array([1, 2, 3]), path: null } }),
    ]);
    expect((await readStage2(file, "skip")).rows).toHaveLength(4);
    const { rows, skipped } = await readStage2(file, "skip", { decode: true });
    expect(rows).toHaveLength(1);
    expect(skipped.map(({ row: n, reason }) => `${n} ${reason.replace(/ \(.*\)/, "")}`)).toEqual([
      '1 column "image_noisy" has an image that cannot be decoded',
      '2 column "image_aug" has an image of 4 x 6 pixels; the anchor\'s 6 x 4 expected',
      '3 column "answer" is not UTF-8',
      '4 column "images" has an image that cannot be decoded',
    ]);
    await expect(readStage2(file, "stop", { decode: true })).rejects.toThrow(
      /decode\.parquet, row 1: column "image_noisy"/,
    );
  });

  it("names a file that is missing, cut off, or another format", async () => {
    const cut = path.join(folder, "cut.parquet");
    writeFileSync(cut, readFileSync(fixture("pyarrow.parquet")).subarray(0, 400));
    await expect(readStage2(cut)).rejects.toThrow(/cut\.parquet: can't be read as parquet/);
    await expect(readStage2(path.join(folder, "none.parquet"))).rejects.toThrow(
      /none\.parquet: can't be read as parquet \(no such file/,
    );
    expect(existsSync(cut)).toBe(true);
  });
});
