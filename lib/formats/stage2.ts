/**
 * Stage-2 rows as parquet, in the release's layout: columns `images` (the anchor), `problem` (with its `<image>`
 * marker), `answer`, `image_noisy` (the positive) and `image_aug` (the negative). Images are lists of one struct
 * {bytes, path}, as Hugging Face's `datasets` writes them; the two extra images have the anchor's size. A struct's path
 * is never opened.
 */
import { closeSync, fstatSync, mkdirSync, read, renameSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { promisify } from "node:util";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { parquetMetadataAsync, parquetReadObjects, parquetSchema } from "hyparquet";
import type { AsyncBuffer, Compressors, FileMetaData, SchemaTree } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { parquetWriteBuffer, type SchemaElement } from "hyparquet-writer";
import { decodeImage, reasonOf, uprightImage, uprightSize } from "../processor/image-decode";
import { IMAGE_MARKER } from "../processor/conversation";
import { specialTokenIn } from "../processor/special-tokens";
import { occurrences } from "../util/text";
import { SPECIAL_TOKENS } from "../processor/tokenizer-files";
import { fileReason } from "../util/file-errors";
import type { OnBadRow } from "../util/lines";
import { openRegular } from "../util/regular-file";

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

/** The most that one call reads: Node's limit is 2 GiB. */
const READ_AT_ONCE = 2 ** 30;
const readAsync = promisify(read);

/** A file of any size as hyparquet reads it, a range of bytes at a time. */
function fileBuffer(handle: number, byteLength: number): AsyncBuffer {
  return {
    byteLength,
    slice: async (start, end = byteLength) => {
      const bytes = new Uint8Array(Math.max(0, Math.min(end, byteLength) - start));
      for (let done = 0; done < bytes.length;) {
        const length = Math.min(bytes.length - done, READ_AT_ONCE);
        const { bytesRead } = await readAsync(handle, bytes, done, length, start + done);
        if (bytesRead === 0) throw new Error(`the file ends at byte ${start + done}`);
        done += bytesRead;
      }
      return bytes.buffer;
    },
  };
}

/** A page may become this long whatever its length, and longer where it does not become more than so many times it. */
const PLAIN_PAGE = 2 ** 26;
const MOST_INFLATION = 100;

/** Images do not get shorter by much: a page that is to become very much longer is a bomb. @throws Error saying so */
function checkInflation(from: number, to: number): void {
  if (!(to >= 0)) throw new Error(`a page of ${to} bytes`);
  if (to > PLAIN_PAGE && to > MOST_INFLATION * from)
    throw new Error(`a page of ${from} bytes that is to become ${to}: a decompression bomb, or the file is damaged`);
}

/**
 * Decompressors by codec; gzip and brotli by Node, which is faster. An empty page needs none: a column of nulls has
 * one, whose LZ4 form (a lone zero byte) `hyparquet-compressors` 1.1.2 refuses.
 */
const COMPRESSORS: Compressors = Object.fromEntries(
  Object.entries({
    ...compressors,
    GZIP: (input: Uint8Array, length: number): Uint8Array => gunzipSync(input, { maxOutputLength: length }),
    BROTLI: (input: Uint8Array, length: number): Uint8Array => brotliDecompressSync(input, { maxOutputLength: length }),
  }).map(([codec, decompress]) => [
    codec,
    (input: Uint8Array, length: number): Uint8Array => {
      checkInflation(input.length, length);
      return length === 0 ? new Uint8Array(0) : decompress(input, length);
    },
  ]),
);

/** What `read` gives. @throws Error naming the file, and `where` in it */
async function asParquet<T>(file: string, where: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new Error(`${file}: can't be read as parquet (${where}${fileReason(error)})`, { cause: error });
  }
}

/** Paths of the columns that hold values. */
const leavesOf = ({ children, path: at }: SchemaTree): string[] =>
  children.length === 0 ? [at.join("/")] : children.flatMap(leavesOf);

/**
 * Every row group has the schema's columns, once each. Of others hyparquet drops some while they are read, and what
 * goes wrong in one of them then ends the process.
 * @throws Error saying which row group
 */
function checkGroups(metadata: FileMetaData): void {
  const schema = parquetSchema(metadata);
  const leaves = leavesOf(schema);
  const names = schema.children.map(({ element }) => element.name);
  const isOnce = new Set(leaves).size === leaves.length && new Set(names).size === names.length;
  metadata.row_groups.forEach(({ columns }, i) => {
    const own = columns.map(({ meta_data }) => meta_data?.path_in_schema.join("/"));
    if (!isOnce || own.join("\n") !== leaves.join("\n"))
      throw new Error(`the columns of row group ${i} are not those of its schema: the file is damaged`);
  });
}

/**
 * Objects of the columns of a file, a row group at a time.
 * @throws Error naming the file, where it cannot be read or lacks a column
 */
async function* rowGroups(file: string): AsyncGenerator<Record<string, unknown>[], void, undefined> {
  const handle = await asParquet(file, "", () => Promise.resolve().then(() => openRegular(file)));
  try {
    const buffer = fileBuffer(handle, fstatSync(handle).size);
    const metadata = await asParquet(file, "", () => parquetMetadataAsync(buffer));
    await asParquet(file, "", () => Promise.resolve(metadata).then(checkGroups));
    const columns = parquetSchema(metadata).children.map(({ element }) => element.name);
    const missing = COLUMNS.find((column) => !columns.includes(column));
    if (missing !== undefined) throw new Error(`${file}: no column "${missing}"; ${COLUMNS.join(", ")} expected`);
    let rowStart = 0;
    for (const group of metadata.row_groups) {
      const rowEnd = rowStart + Number(group.num_rows);
      const range = { file: buffer, metadata, columns: [...COLUMNS], rowStart, rowEnd };
      yield await asParquet(file, `rows ${rowStart} to ${rowEnd - 1}: `, () =>
        parquetReadObjects({ ...range, compressors: COMPRESSORS, utf8: false }),
      );
      rowStart = rowEnd;
    }
  } finally {
    closeSync(handle);
  }
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
  for await (const records of rowGroups(file)) {
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
