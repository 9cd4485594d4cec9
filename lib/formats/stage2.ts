/**
 * Stage-2 rows as parquet, in the release's layout: columns `images` (the anchor), `problem` (with its `<image>`
 * marker), `answer`, `image_noisy` (the positive) and `image_aug` (the negative). Images are lists of one struct
 * {bytes, path}, as Hugging Face's `datasets` writes them; the two extra images have the anchor's size. A struct's path
 * is never opened.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { parquetWriteBuffer, type SchemaElement } from "hyparquet-writer";
import { decodeImage, reasonOf, uprightImage, uprightSize } from "../processor/image-decode";
import { IMAGE_MARKER } from "../processor/conversation";
import { specialTokenIn } from "../processor/special-tokens";
import { occurrences } from "../util/text";
import { SPECIAL_TOKENS } from "../processor/tokenizer-files";
import type { OnBadRow } from "../util/lines";
import { rowGroups } from "./parquet";

/** A file's bytes as they are (JPEG, PNG, …), and the name it had. */
export interface EncodedImage {
  bytes: Uint8Array;
  path: string | null;
}

/** One training row. */
export interface Stage2Row {
  problem: string;
  answer: string;
  anchor: EncodedImage;
  positive: EncodedImage;
  negative: EncodedImage;
}

/** A row that cannot be used; rows count from 0. */
export interface BadStage2Row {
  file: string;
  row: number;
  reason: string;
}

const IMAGE_COLUMNS = { anchor: "images", positive: "image_noisy", negative: "image_aug" } as const;
const COLUMNS = ["images", "problem", "answer", "image_noisy", "image_aug"] as const;

/** The image as PNG, upright, of another size where one is given. */
async function asPng(image: EncodedImage, size?: { width: number; height: number }): Promise<EncodedImage> {
  const upright = await uprightImage(image.bytes);
  const sized = size ? upright.resize(size.width, size.height, { fit: "fill", kernel: "cubic" }) : upright;
  return { bytes: new Uint8Array(await sized.png().toBuffer()), path: image.path };
}

/**
 * The image as the model sees it: its bytes as they are where it stands upright, else turned by its EXIF orientation,
 * as PNG.
 */
export const standUpright = async (image: EncodedImage): Promise<EncodedImage> =>
  (await uprightSize(image.bytes)).turned ? asPng(image) : image;

/**
 * Resizes (bicubic, aspect not kept) to the size of `anchor`, both seen upright; what comes back is upright. The bytes
 * as they are where nothing changes, else PNG.
 * @throws Error where one of them is no image
 */
export async function resizeLike(image: EncodedImage, anchor: EncodedImage): Promise<EncodedImage> {
  const [own, wanted] = await Promise.all([uprightSize(image.bytes), uprightSize(anchor.bytes)]);
  return own.width === wanted.width && own.height === wanted.height ? standUpright(image) : asPng(image, wanted);
}

/**
 * A row whose images are upright and whose extra images have the anchor's size.
 * @throws Error where an image cannot be decoded
 */
export async function stage2Row(row: Stage2Row): Promise<Stage2Row> {
  return {
    ...row,
    anchor: await standUpright(row.anchor),
    positive: await resizeLike(row.positive, row.anchor),
    negative: await resizeLike(row.negative, row.anchor),
  };
}

const text = (name: string): SchemaElement => ({
  name,
  type: "BYTE_ARRAY",
  converted_type: "UTF8",
  repetition_type: "OPTIONAL",
});
const images = (name: string): SchemaElement[] => [
  { name, repetition_type: "OPTIONAL", num_children: 1, converted_type: "LIST" },
  { name: "list", repetition_type: "REPEATED", num_children: 1 },
  { name: "element", repetition_type: "OPTIONAL", num_children: 2 },
  { name: "bytes", type: "BYTE_ARRAY", repetition_type: "OPTIONAL" },
  text("path"),
];

/** What `datasets` reads to decode the images. */
const FEATURES = JSON.stringify({
  info: {
    features: Object.fromEntries(
      COLUMNS.map((name) => [
        name,
        name.startsWith("image")
          ? { feature: { _type: "Image" }, _type: "Sequence" }
          : { dtype: "string", _type: "Value" },
      ]),
    ),
  },
});

/** Writes rows under a temporary name, then renames. */
export function writeStage2(file: string, rows: readonly Stage2Row[]): void {
  const list = (of: keyof typeof IMAGE_COLUMNS): object[] =>
    rows.map((row) => [{ bytes: row[of].bytes, path: row[of].path }]);
  const bytes = parquetWriteBuffer({
    schema: [
      { name: "root", num_children: COLUMNS.length },
      ...images("images"),
      text("problem"),
      text("answer"),
      ...images("image_noisy"),
      ...images("image_aug"),
    ],
    columnData: [
      { name: "images", data: list("anchor") },
      { name: "problem", data: rows.map((row) => row.problem) },
      { name: "answer", data: rows.map((row) => row.answer) },
      { name: "image_noisy", data: list("positive") },
      { name: "image_aug", data: list("negative") },
    ],
    statistics: false,
    rowGroupSize: 100, // as `datasets` does for images: a reader holds one group at a time
    kvMetadata: [{ key: "huggingface", value: FEATURES }],
  });
  mkdirSync(path.dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, new Uint8Array(bytes));
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** The one image of a column, or the reason why there is none. */
function oneImage(value: unknown, column: string): EncodedImage | string {
  const list = Array.isArray(value) ? (value as unknown[]) : value === null || value === undefined ? [] : [value];
  if (list.length !== 1) return `column "${column}" has ${list.length} images; one expected`;
  const { bytes, path: name } = (list[0] ?? {}) as { bytes?: unknown; path?: unknown };
  if (!(bytes instanceof Uint8Array) || bytes.length === 0)
    return `column "${column}" has no bytes${typeof name === "string" ? " (a path alone: embed the images)" : ""}`;
  return { bytes, path: typeof name === "string" ? name : null };
}

function parseRow(row: Record<string, unknown>, specialTokens: readonly string[]): Stage2Row | string {
  for (const column of ["problem", "answer"]) {
    const value = row[column];
    if (typeof value !== "string" || value.trim() === "")
      return `column "${column}" is ${value === null || value === undefined ? "missing" : "no text, or empty"}`;
    if (value.includes("\uFFFD")) return `column "${column}" is not UTF-8`;
    const token = specialTokenIn(value, specialTokens);
    if (token !== null) return `column "${column}" has the special token ${token} in its text; take it out`;
  }
  const markers = occurrences(row.problem as string, IMAGE_MARKER);
  if (markers !== 1)
    return `column "problem" has ${markers} ${IMAGE_MARKER} markers; one expected, in front of the question`;
  if (!(row.problem as string).trimStart().startsWith(IMAGE_MARKER))
    return `column "problem" has its ${IMAGE_MARKER} marker behind text; prompts begin with the image: put it in front`;
  const found: Partial<Stage2Row> = { problem: row.problem as string, answer: row.answer as string };
  for (const [field, column] of Object.entries(IMAGE_COLUMNS) as [keyof typeof IMAGE_COLUMNS, string][]) {
    const image = oneImage(row[column], column);
    if (typeof image === "string") return image;
    found[field] = image;
  }
  return found as Stage2Row;
}

/**
 * What is wrong with a row's images: one that cannot be decoded, an extra one of another size than the anchor; or null.
 */
async function imagesProblem(row: Stage2Row): Promise<string | null> {
  const sizes: string[] = [];
  for (const [field, column] of Object.entries(IMAGE_COLUMNS) as [keyof typeof IMAGE_COLUMNS, string][]) {
    try {
      const { width, height } = await decodeImage(row[field].bytes); // upright, as the model sees it
      sizes.push(`${width} x ${height}`);
    } catch (error) {
      return `column "${column}" has an image that cannot be decoded (${reasonOf(error)})`;
    }
    if (sizes[0] !== sizes[sizes.length - 1])
      return `column "${column}" has an image of ${sizes[sizes.length - 1]} pixels; the anchor's ${sizes[0]} expected`;
  }
  return null;
}

/** How rows are read. */
export interface Stage2Options {
  /** Also decodes every image and compares the sizes; otherwise bytes are taken as they are. Default false. */
  decode?: boolean;
  /** Neither problem nor answer may have one of these; default Qwen's (`specialTokensOf` gives another tokenizer's). */
  specialTokens?: readonly string[];
}

/**
 * Reads a file's rows one after another, of any size and under any of parquet's compressions (Snappy, gzip, zstd,
 * brotli, LZ4): one row group is in memory at a time.
 * @param onBad what is done with a row that cannot be used: `stop` (default) throws, a function is told of it and the
 * row left out
 * @throws Error naming file, row (from 0) and column
 */
export async function* iterateStage2(
  file: string,
  onBad: "stop" | ((bad: BadStage2Row) => void) = "stop",
  { decode = false, specialTokens = SPECIAL_TOKENS }: Stage2Options = {},
): AsyncGenerator<Stage2Row, void, undefined> {
  let row = 0;
  for await (const records of rowGroups(file, COLUMNS)) {
    for (const record of records) {
      const parsed = parseRow(record, specialTokens);
      let reason = typeof parsed === "string" ? parsed : null;
      if (decode && typeof parsed !== "string") reason = await imagesProblem(parsed);
      if (reason === null) yield parsed as Stage2Row;
      else if (onBad === "stop") throw new Error(`${file}, row ${row}: ${reason}; mend the row, or skip bad rows`);
      else onBad({ file, row, reason });
      row++;
    }
  }
}

/**
 * All rows of a file (`iterateStage2` for one that memory does not hold).
 * @param onBadRow `stop` (default) throws at the first bad row; `skip` goes on and returns all of them
 * @throws Error naming file, row and column
 */
export async function readStage2(
  file: string,
  onBadRow: OnBadRow = "stop",
  options: Stage2Options = {},
): Promise<{ rows: Stage2Row[]; skipped: BadStage2Row[] }> {
  const rows: Stage2Row[] = [];
  const skipped: BadStage2Row[] = [];
  const onBad = onBadRow === "stop" ? "stop" : (bad: BadStage2Row) => void skipped.push(bad);
  for await (const row of iterateStage2(file, onBad, options)) rows.push(row);
  return { rows, skipped };
}
