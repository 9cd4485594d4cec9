/** Questions for VLMEvalKit, and predictions of other tools as rows. */
import { copyFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { gzipSync } from "node:zlib";
import { strToU8, zipSync } from "fflate";
import { parquetWriteBuffer } from "hyparquet-writer";
import { beforeAll, describe, expect, it } from "vitest";
import { joinPredictions, optionOfLetter, readPredictionFile } from "../../lib/export/predictions";
import { rowsOf, separatedFields, separatedText } from "../../lib/export/separated";
import { questionRow, type Answer } from "../../lib/export/vlmevalkit";
import { sheetFields } from "../../lib/export/xlsx";
import { decodeImage } from "../../lib/processor/image-decode";
import { readJsonl, readJsonObject } from "../../lib/util/files";
import { temporaryFolder } from "../benchmark/photographs/trees";
import { capture, command } from "../cli/capture";
import { temporaryRun } from "../cli/runs";
import { model, writeAnimals } from "./animals";

const fixtures = path.join(__dirname, "../fixtures/vlmevalkit");
const folder = temporaryFolder();
const at = (...parts: string[]): string => path.join(folder, ...parts);

describe("tables", () => {
  it("come back as they were written: tabs, quotes, line breaks, empty fields", () => {
    const rows = [
      { a: 'one "two"', b: "x\ty", c: "" },
      { a: "", b: "three\nfour\r\n", c: "ü" },
    ];
    const text = separatedText(["a", "b", "c"], rows);
    expect(rowsOf(separatedFields(text))).toEqual(rows);
    expect(rowsOf(separatedFields("a,b\r\n1,\r\n", ","))).toEqual([{ a: "1", b: "" }]);
    expect(() => separatedFields('a\n"b')).toThrow(/quote that opens at character 3 is not closed/);
    expect(() => rowsOf([["a"], ["1", "2"]])).toThrow(/line 2 has 2 fields, the first names 1/);
  });

  it("are the same in pandas' xlsx, tsv and json", async () => {
    const file = (end: string): string => path.join(fixtures, `predictions.${end}`);
    const [xlsx, tsv, json] = await Promise.all(["xlsx", "tsv", "json"].map((end) => readPredictionFile(file(end))));
    expect(xlsx.predictions.map(({ index, output }) => [index, output])).toEqual([
      [0, "B"],
      [1, '<think>\n"Grey" & <big>, é 😀\n</think><answer>(A) wolf</answer>'],
      [2, "=1+1\tlynx"],
      [9, "fox"],
    ]);
    expect(tsv.predictions).toEqual(xlsx.predictions);
    expect(json.predictions.map(({ output }) => output)).toEqual(xlsx.predictions.map(({ output }) => output));
    for (const { skipped } of [xlsx, tsv, json]) {
      expect(skipped).toHaveLength(1);
      expect(skipped[0].reason).toMatch(/gave no answer/);
    }
  });

  it("that are no workbook are refused", () => {
    expect(() => sheetFields(Buffer.from("index\tprediction"))).toThrow(/no Excel workbook/);
    const cut = readFileSync(path.join(fixtures, "predictions.xlsx"));
    expect(() => sheetFields(cut.subarray(0, 500))).toThrow(/no Excel workbook/);
  });
});

describe("workbooks of others", () => {
  const sheetFile = "xl/worksheets/sheet1.xml";
  const workbook = (files: Readonly<Record<string, string>>): Uint8Array =>
    zipSync(Object.fromEntries(Object.entries(files).map(([name, text]) => [name, strToU8(text)])));
  const fieldsOf = (rows: string, strings = ""): string[][] =>
    sheetFields(
      workbook({
        [sheetFile]: `<worksheet><sheetData>${rows}</sheetData></worksheet>`,
        "xl/sharedStrings.xml": `<sst>${strings}</sst>`,
      }),
    );

  it("a cell may be empty, in runs, or apart from the one before", () => {
    const cells = '<c r="A1" t="s"><v>0</v></c><c r="C1"/><c><v>1</v></c>';
    const strings = '<si><t>a</t><r><t xml:space="preserve"> b</t></r><rPh sb="0" eb="1"><t>said</t></rPh></si>';
    expect(fieldsOf(`<row r="1"/><row>${cells}</row>`, strings)).toEqual([[], ["a b", "", "", "1"]]);
  });

  it("texts have entities, Excel's codes, CDATA; names have prefixes", () => {
    const cell = '<x:c t="inlineStr"><x:is><x:t>&lt;&#65;&#x42;_x000D_<![CDATA[&]]>_x005F_x000D_</x:t></x:is></x:c>';
    expect(fieldsOf(`<x:row xmlns:x="urn:x">${cell}</x:row>`)).toEqual([["<AB\r&_x000D_"]]);
  });

  it("entities of others are refused: names of JavaScript's objects, and those of a document type", () => {
    const where = /xl\/worksheets\/sheet1\.xml:1:\d+: undefined entity/;
    expect(() => fieldsOf("<row><c><v>&constructor; &amp;</v></c></row>")).toThrow(where);
    const laughs = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><row><c><v>&c;</v></c></row>';
    expect(() => sheetFields(workbook({ [sheetFile]: laughs }))).toThrow(/sheet1\.xml:1:\d+: undefined entity/);
  });

  it("a cell that stands too far off is refused before the row is filled up to it", () => {
    const far = /sheet1\.xml, cell AAAAA1: more than 16384 columns/;
    expect(() => fieldsOf('<row><c r="AAAAA1"/></row>')).toThrow(far);
    expect(() => fieldsOf('<row><c r="XFD1"/></row>'.repeat(1100))).toThrow(/cell XFD1: .* or 16777216 cells/);
    expect(() => fieldsOf('<row><c r="7C"/></row>')).toThrow(/cell 7C: expected a reference like C7/);
  });

  it("a shared text that is not there is named with its cell", () => {
    const lost = '<row><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>';
    expect(() => fieldsOf(lost, "<si><t>a</t></si>")).toThrow(/cell B1: text 1 of 1 shared ones/);
  });

  it("a file that says it is larger than 256 MiB is not unpacked", () => {
    const bytes = Buffer.from(workbook({ [sheetFile]: "<row/>" }));
    const entry = bytes.indexOf(Buffer.from([0x50, 0x4b, 0x01, 0x02]));
    bytes.writeUInt32LE(2 ** 28 + 1, entry + 24); // the central directory's size of the unpacked file
    expect(() => sheetFields(bytes)).toThrow(/sheet1\.xml is larger than 256 MiB/);
  });

  it("a file that is larger than it says is cut there, which is no XML", () => {
    const bytes = Buffer.from(workbook({ [sheetFile]: `<row><c><v>${"1".repeat(5000)}</v></c></row>` }));
    const entry = bytes.indexOf(Buffer.from([0x50, 0x4b, 0x01, 0x02]));
    bytes.writeUInt32LE(100, entry + 24);
    expect(() => sheetFields(bytes)).toThrow(/sheet1\.xml:1:\d+: /);
  });

  it("elements that are not closed, or deep in others, are an error that takes no time", () => {
    const begun = Date.now();
    expect(() => fieldsOf("<row><c>".repeat(100_000))).toThrow(/sheet1\.xml:1:\d+: elements nested deeper than 50/);
    expect(() => fieldsOf("", "<si>".repeat(200_000))).toThrow(/sharedStrings\.xml:1:\d+: elements nested deeper/);
    expect(() => fieldsOf("<row><c><v>1</v></c>")).toThrow(/sheet1\.xml:1:\d+: .*close/);
    expect(Date.now() - begun).toBeLessThan(2000);
  });
});

describe("letters", () => {
  const options = ["fox", "wolf", "A"];
  it.each([
    ["B", "wolf"],
    ["(B)", "wolf"],
    ["B.", "wolf"],
    ["B. wolf", "wolf"],
    ["(B) wolf", "wolf"],
    ["<think>Is it A? No.</think> B", "wolf"],
    ["<think>A</think><answer> A. </answer>", "fox"],
    ["The answer is B.", "wolf"],
    ["Answer: (A)", "fox"],
    ["Z", null],
    ["wolf", null],
    ["A", null], // an option of that name
    ["A red fox", null],
    ["Bear", null],
  ])("%j is %j", (output, option) => {
    expect(optionOfLetter(output, options)).toBe(option);
  });
});

const answer = (index: number, more: Partial<Answer> = {}): Answer => ({
  index,
  image_path: `${index}.png`,
  question: "What is this?",
  options: ["fox", "wolf"],
  ground_truth: "wolf",
  domain: "animals",
  split: "seen",
  setting: "closed",
  ...more,
});

describe("joined predictions", () => {
  const answers = new Map([0, 1, 2].map((index) => [index, answer(index)]));
  const of = { file: "f", method: "kit", seed: 3 };

  it("have the question's fields, and an option for its letter", () => {
    const { rows, missing } = joinPredictions(answers, [{ index: 1, output: "B", line: 2 }], of);
    expect(rows).toEqual([
      {
        ...{ method: "kit", seed: 3, image_path: "1.png", question: "What is this?", options: ["fox", "wolf"] },
        ...{ ground_truth: "wolf", domain: "animals", split: "seen", setting: "closed" },
        ...{ output: "<answer>wolf</answer>", raw_output: "B" },
      },
    ]);
    expect(missing).toBe(2);
  });

  it("leave out what answers no question, or one again", () => {
    const predictions = [0, 7, 0].map((index, i) => ({ index, output: "fox", line: i + 2 }));
    const { rows, skipped } = joinPredictions(answers, predictions, of);
    expect(rows.map(({ output }) => output)).toEqual(["fox"]);
    expect(skipped).toEqual([
      { file: "f", line: 3, reason: "no question has the index 7" },
      { file: "f", line: 4, reason: "index 0 occurs again" },
    ]);
  });
});

describe("files of other tools", () => {
  const predictionsOf = async (name: string) =>
    (await readPredictionFile(at(name))).predictions.map(({ index, output }) => [index, output]);

  it("samples of lm-eval: the document's index, else its number; the first response", async () => {
    const rows = [
      { doc_id: 0, doc: { index: 5 }, target: "x", resps: [["fox", "wolf"]], filtered_resps: ["fo"] },
      { doc_id: 1, doc: {}, target: "x", filtered_resps: ["wolf"] },
    ];
    writeFileSync(at("samples.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    expect(await predictionsOf("samples.jsonl")).toEqual([
      [5, "fox"],
      [1, "wolf"],
    ]);
  });

  it("details of lighteval, in its documented columns", async () => {
    const column = (name: string, data: object[]) => ({ name, data, type: "JSON" as const });
    const bytes = parquetWriteBuffer({
      columnData: [
        column("__doc__", [{ id: "4", query: "?" }, { specific: { index: 6 } }]),
        column("__model_response__", [{ text: ["fox"] }, { text: ["wolf"] }]),
      ],
    });
    writeFileSync(at("details.parquet"), new Uint8Array(bytes));
    expect(await predictionsOf("details.parquet")).toEqual([
      [4, "fox"],
      [6, "wolf"],
    ]);
  });

  it("details that would fill memory are refused: a page that grows by much, very many rows, a large file", async () => {
    const details = (doc: string | null, rows: number): Buffer => {
      const column = (name: string, text: string | null) => ({
        name,
        data: Array<string | null>(rows).fill(text),
        type: "STRING" as const,
        encoding: "PLAIN" as const,
      });
      const bytes = parquetWriteBuffer({
        columnData: [column("__doc__", doc), column("__model_response__", null)],
        codec: "GZIP",
        compressors: { GZIP: (input) => new Uint8Array(gzipSync(input)) },
        rowGroupSize: rows,
        statistics: false,
      });
      return Buffer.from(bytes);
    };
    const bomb = details("x".repeat(2 ** 26 + 100), 1);
    expect(bomb.length).toBeLessThan(2 ** 19);
    writeFileSync(at("bomb.parquet"), bomb);
    await expect(predictionsOf("bomb.parquet")).rejects.toThrow(
      /bomb\.parquet: .*a decompression bomb, or the file is/,
    );
    // 8,191 rows as the footer has them (zigzag, then varint) become 4,194,304
    const few = details(null, 8191);
    const footerAt = few.length - 8 - few.readUInt32LE(few.length - 8);
    const footer = few
      .subarray(footerAt, few.length - 8)
      .toString("latin1")
      .replaceAll("\xfe\x7f", "\x80\x80\x80\x04");
    const end = Buffer.from("\0\0\0\0PAR1", "latin1");
    end.writeUInt32LE(footer.length);
    writeFileSync(at("rows.parquet"), Buffer.concat([few.subarray(0, footerAt), Buffer.from(footer, "latin1"), end]));
    await expect(predictionsOf("rows.parquet")).rejects.toThrow(
      /rows\.parquet: .*a row group of 4194304 rows; at most/,
    );
    writeFileSync(at("large.tsv"), "");
    truncateSync(at("large.tsv"), 2 ** 29 + 1);
    await expect(predictionsOf("large.tsv")).rejects.toThrow(/large\.tsv: 536870913 bytes; at most 536870912 are read/);
  });

  it.each([
    ["a.txt", "", /a\.txt: expected a file that ends in \.xlsx/],
    ["a.tsv", "index\tanswer\n1\tx\n", /a\.tsv: no column prediction; there are index, answer/],
    ["a.json", "{", /a\.json: /],
    ["b.json", "{}", /b\.json: no list of objects/],
  ])("%s with %j is refused", async (name, content, message) => {
    writeFileSync(at(name), content);
    await expect(readPredictionFile(at(name))).rejects.toThrow(message);
  });

  it("a row with a wrong index is left out, with its line", async () => {
    writeFileSync(at("c.tsv"), "index\tprediction\nx\tfox\n1.5\tfox\n2\tfox\n");
    const { predictions, skipped } = await readPredictionFile(at("c.tsv"));
    expect(predictions.map(({ index }) => index)).toEqual([2]);
    expect(skipped.map(({ line, reason }) => [line, reason])).toEqual([
      [2, 'the index is "x"; expected a whole number of at least 0'],
      [3, 'the index is "1.5"; expected a whole number of at least 0'],
    ]);
  });
});

describe("export vlmevalkit", () => {
  const run = temporaryRun("export-kit");
  const exporting = command("export");
  let places: { images: string; records: string };
  beforeAll(async () => void (places = await writeAnimals(folder)));
  const options = (): string[] => [
    ...["--benchmark", places.images, "--model", model, "--run", run.name, "--scale", "paper"],
    ...["--teacher", places.records, "--set", "similarity=names", "--set", "shots=3"],
  ];

  it("writes questions as the kit reads them, and takes its answers back", async () => {
    const { code, out } = await capture(exporting, ["vlmevalkit", at("kit"), ...options(), "--json"]);
    expect([code, JSON.parse(out)]).toEqual([
      0,
      expect.objectContaining({ "closed questions": 3, "closed-words questions": 3, "open questions": 3 }),
    ]);
    const answers = readJsonl(at("kit/answers.jsonl")) as Answer[];
    const table = (kind: string) =>
      rowsOf(separatedFields(readFileSync(at("kit", `FineR1-animals-${kind}.tsv`), "utf8")));
    const closed = table("closed");
    for (const row of closed) {
      const asked = answers[Number(row.index)];
      expect(row[row.answer]).toBe(asked.ground_truth);
      expect(asked.options!.map((_, i) => row["ABCD"[i]])).toEqual(asked.options);
      expect(row.image.length).toBeGreaterThan(64); // shorter ones are read as another row's index
      expect(await decodeImage(new Uint8Array(Buffer.from(row.image, "base64")))).toMatchObject({
        width: 40,
        height: 52,
      });
    }
    expect(table("closed-words")[0].question).toContain("based on the options provided in ['");
    expect(Object.keys(table("open")[0])).toEqual(["index", "category", "split", "question", "answer", "image"]);
    expect(readJsonObject(at("kit/export.json"))).toMatchObject({ engine: "vlmevalkit" });

    // as the kit leaves it: the rows without their image, and a letter each, the first of them wrong
    const wrong = closed[0].answer === "A" ? "B" : "A";
    const rows = closed.map(({ image: _, ...row }, i) => ({ ...row, prediction: i === 0 ? wrong : row.answer }));
    writeFileSync(at("Model_closed.tsv"), separatedText([...Object.keys(rows[0])], rows));
    const predictions = command("predictions");
    const back = await capture(predictions, [
      at("Model_closed.tsv"),
      "--answers",
      at("kit"),
      "--method",
      "kit",
      "--json",
    ]);
    expect(back.err).toBe("");
    const report = JSON.parse(back.out) as { letters: number; missing: number; scores: { exact: number }[] };
    expect([back.code, report.letters, report.missing]).toEqual([0, 3, 0]);
    expect(report.scores[0].exact).toBeCloseTo(2 / 3, 9);
    const file = at("Model_closed.predictions.jsonl");
    const scored = await capture(command("score"), ["--predictions", file, "--setting", "closed", "--json"]);
    expect(JSON.parse(scored.out)).toMatchObject({ n: 3, skipped: 0 });
  });

  it("says which rows were left out, and refuses where nothing fits", async () => {
    const predictions = command("predictions");
    const args = (file: string): string[] => [file, "--answers", at("kit"), "--method", "kit"];
    mkdirSync(at("more"), { recursive: true });
    copyFileSync(path.join(fixtures, "predictions.xlsx"), at("more/predictions.xlsx"));
    const some = await capture(predictions, args(at("more/predictions.xlsx")));
    expect(some.code).toBe(2);
    expect(some.err).toMatch(/row 5: left out: the model gave no answer/);
    expect(some.err).toMatch(/row 6: left out: no question has the index 9/);
    writeFileSync(at("none.tsv"), "index\tprediction\n77\tfox\n");
    const none = await capture(predictions, args(at("none.tsv")));
    expect([none.code, none.err]).toEqual([
      1,
      expect.stringMatching(/no row answers a question of .*nothing was written/),
    ]);
  });

  it("names what pandas would read as nothing", async () => {
    const question = { ...answer(0), image: null, where: "rows.json, row 1" };
    expect(questionRow(question, "closed", { index: 0, image: "x", prompt: "p" })).toMatchObject({
      A: "fox",
      answer: "B",
    });
    expect(questionRow(question, "open", { index: 0, image: "x", prompt: "p" })).toMatchObject({
      question: "p",
      answer: "wolf",
    });
    const { vlmEvalKitProblem } = await import("../../lib/export/vlmevalkit");
    expect(vlmEvalKitProblem({ ...question, ground_truth: "None" })).toMatch(/takes the name "None" for none/);
    expect(vlmEvalKitProblem({ ...question, options: ["fox", "lynx"] })).toMatch(/truth is not among the options/);
    expect(vlmEvalKitProblem(question)).toBeNull();
  });
});
