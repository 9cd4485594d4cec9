/**
 * Parquet files of others, a row group at a time, under any of parquet's compressions (Snappy, gzip, zstd, brotli,
 * LZ4). What would fill memory is refused: pages that grow by much, groups of very many bytes or rows.
 */
import { closeSync, fstatSync, read } from "node:fs";
import { promisify } from "node:util";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { parquetMetadataAsync, parquetReadObjects, parquetSchema } from "hyparquet";
import type { AsyncBuffer, Compressors, FileMetaData, SchemaTree } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { fileReason } from "../util/file-errors";
import { openRegular } from "../util/regular-file";

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
const DECOMPRESSORS: Compressors = {
  ...compressors,
  GZIP: (input, length) => gunzipSync(input, { maxOutputLength: length }),
  BROTLI: (input, length) => brotliDecompressSync(input, { maxOutputLength: length }),
};

/** A row group may become this long, bytes: `datasets` writes hundreds of MB at most. */
const MOST_GROUP_BYTES = 2 ** 32;

/** Rows of a group: parquet's writers make a million at most. A page of a few bytes may hold any number. */
const MOST_GROUP_ROWS = 2 ** 21;

/** Decompressors for one row group, which together give at most 4 GiB. */
function boundedCompressors(): Compressors {
  let given = 0;
  return Object.fromEntries(
    Object.entries(DECOMPRESSORS).map(([codec, decompress]) => [
      codec,
      (input: Uint8Array, length: number): Uint8Array => {
        checkInflation(input.length, length);
        given += length;
        if (given > MOST_GROUP_BYTES) throw new Error(`pages of more than ${MOST_GROUP_BYTES} bytes in a row group`);
        return length === 0 ? new Uint8Array(0) : decompress!(input, length);
      },
    ]),
  );
}

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

/** Rows of a group. @throws Error where there are too many, or fewer than none */
function rowsOf(rows: number): number {
  if (rows >= 0 && rows <= MOST_GROUP_ROWS) return rows;
  throw new Error(`a row group of ${rows} rows; at most ${MOST_GROUP_ROWS} are read: write it in more groups`);
}

/**
 * Objects of some columns of a file, a row group at a time.
 * @param bytesAsText what the schema does not call text is read as text too (default: as bytes)
 * @throws Error naming the file, where it cannot be read, lacks a column, or would fill memory
 */
export async function* rowGroups(
  file: string,
  wanted: readonly string[],
  bytesAsText = false,
): AsyncGenerator<Record<string, unknown>[], void, undefined> {
  const handle = await asParquet(file, "", () => Promise.resolve().then(() => openRegular(file)));
  try {
    const buffer = fileBuffer(handle, fstatSync(handle).size);
    const metadata = await asParquet(file, "", () => parquetMetadataAsync(buffer));
    await asParquet(file, "", () => Promise.resolve(metadata).then(checkGroups));
    const columns = parquetSchema(metadata).children.map(({ element }) => element.name);
    const missing = wanted.find((column) => !columns.includes(column));
    if (missing !== undefined) throw new Error(`${file}: no column "${missing}"; ${wanted.join(", ")} expected`);
    let rowStart = 0;
    for (const group of metadata.row_groups) {
      const rows = await asParquet(file, "", () => Promise.resolve(group.num_rows).then(Number).then(rowsOf));
      const rowEnd = rowStart + rows;
      const range = { file: buffer, metadata, columns: [...wanted], rowStart, rowEnd };
      yield await asParquet(file, `rows ${rowStart} to ${rowEnd - 1}: `, () =>
        parquetReadObjects({ ...range, compressors: boundedCompressors(), utf8: bytesAsText }),
      );
      rowStart = rowEnd;
    }
  } finally {
    closeSync(handle);
  }
}
