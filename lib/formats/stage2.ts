/**
 * Stage-2 rows as parquet, in the release's layout: columns `images` (the anchor), `problem` (with its `<image>` marker),
 * `answer`, `image_noisy` (the positive) and `image_aug` (the negative). Images are lists of one struct {bytes, path}, as
 * Hugging Face's `datasets` writes them; the two extra images have the anchor's size. A struct's path is never opened.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { parquetReadObjects } from "hyparquet";
import { parquetWriteBuffer, type SchemaElement } from "hyparquet-writer";
import { decodeImage, reasonOf, uprightImage, uprightSize } from "../processor/image-decode";
import type { OnBadRow } from "../util/lines";

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

/** The image as the model sees it: its bytes as they are where it stands upright, else turned by its EXIF orientation, as PNG. */
export const standUpright = async (image: EncodedImage): Promise<EncodedImage> =>
  (await uprightSize(image.bytes)).turned ? asPng(image) : image;

/**
 * Resizes (bicubic, aspect not kept) to the size of `anchor`, both seen upright; what comes back is upright. The bytes as they are where
 * nothing changes, else PNG.
 * @throws Error where one of them is no image
 */
export async function resizeLike(image: EncodedImage, anchor: EncodedImage): Promise<EncodedImage> {
  const [own, wanted] = await Promise.all([uprightSize(image.bytes), uprightSize(anchor.bytes)]);
  return own.width === wanted.width && own.height === wanted.height ? standUpright(image) : asPng(image, wanted);
}

/** A row whose images are upright and whose extra images have the anchor's size. @throws Error where an image cannot be decoded */
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

function parseRow(row: Record<string, unknown>): Stage2Row | string {
  for (const column of ["problem", "answer"]) {
    const value = row[column];
    if (typeof value !== "string" || value.trim() === "")
      return `column "${column}" is ${value === null || value === undefined ? "missing" : "no text, or empty"}`;
    if (value.includes("\uFFFD")) return `column "${column}" is not UTF-8`;
  }
  const found: Partial<Stage2Row> = { problem: row.problem as string, answer: row.answer as string };
  for (const [field, column] of Object.entries(IMAGE_COLUMNS) as [keyof typeof IMAGE_COLUMNS, string][]) {
    const image = oneImage(row[column], column);
    if (typeof image === "string") return image;
    found[field] = image;
  }
  return found as Stage2Row;
}

/** What is wrong with a row's images: one that cannot be decoded, an extra one of another size than the anchor; or null. */
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

/**
 * Reads a file, uncompressed or under Snappy.
 * @param onBadRow `stop` (default) throws at the first bad row; `skip` goes on and returns all of them
 * @param options.decode also decodes every image and compares the sizes; otherwise bytes are taken as they are
 * @throws Error naming file, row and column
 */
export async function readStage2(
  file: string,
  onBadRow: OnBadRow = "stop",
  options: { decode?: boolean } = {},
): Promise<{ rows: Stage2Row[]; skipped: BadStage2Row[] }> {
  let records: Record<string, unknown>[];
  try {
    const bytes = readFileSync(file);
    const buffer = new Uint8Array(bytes).buffer;
    records = (await parquetReadObjects({ file: buffer, utf8: false })) as Record<string, unknown>[];
  } catch (error) {
    throw new Error(`${file}: can't be read as parquet (${(error as Error).message.split("\n")[0]})`);
  }
  const missing = records.length > 0 ? COLUMNS.filter((column) => !(column in records[0])) : [];
  if (missing.length > 0) throw new Error(`${file}: no column "${missing[0]}"; ${COLUMNS.join(", ")} expected`);
  const rows: Stage2Row[] = [];
  const skipped: BadStage2Row[] = [];
  for (const [row, record] of records.entries()) {
    const parsed = parseRow(record);
    const reason = typeof parsed === "string" ? parsed : options.decode ? await imagesProblem(parsed) : null;
    if (reason === null) rows.push(parsed as Stage2Row);
    else if (onBadRow === "stop") throw new Error(`${file}, row ${row}: ${reason}; mend the row, or skip bad rows`);
    else skipped.push({ file, row, reason });
  }
  return { rows, skipped };
}
