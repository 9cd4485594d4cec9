/**
 * The safetensors format: 8 bytes of header length, a JSON header, raw little-endian tensors.
 * Read one tensor at a time; every statement of the header is checked before anything is read.
 */
import * as fs from "node:fs";
import { canCompile } from "../engine/native";
import { narrowed, tensorFromStored, widened } from "../engine/resident";
import { isNative, tf, type Params, type Tensor } from "../engine/tensorflow";
import { replaceFile, writeAll } from "../util/durable";
import { fileReason } from "../util/file-errors";
import { isLfsPointer, LFS_POINTER } from "../util/git-lfs";
import { parseJsonText, shownValue } from "../util/json-text";
import { openRegular } from "../util/regular-file";
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "./half";

/** Storage types read here; int32 tensors are stored as I32. */
export type StoredType = "F32" | "F16" | "BF16" | "I32";

/** One tensor of a file. */
export interface TensorEntry {
  dtype: StoredType;
  shape: number[];
  /** Byte offsets in the file. */
  begin: number;
  end: number;
}

/** The header of a file. */
export interface SafetensorsHeader {
  file: string;
  entries: Record<string, TensorEntry>;
  metadata: Record<string, string>;
}

const BYTES: Record<StoredType, number> = { F32: 4, F16: 2, BF16: 2, I32: 4 };
const MAX_HEADER = 100_000_000;

function parseEntry(file: string, name: string, value: unknown, dataStart: number, fileSize: number): TensorEntry {
  const fail = (problem: string): never => {
    throw new Error(`${file}: tensor ${name} ${problem}`);
  };
  const {
    dtype,
    shape,
    data_offsets: offsets,
  } = (value ?? {}) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
  if (typeof dtype !== "string" || !Object.prototype.hasOwnProperty.call(BYTES, dtype))
    return fail(`has dtype ${shownValue(dtype)}; F32, F16, BF16 and I32 are supported`);
  if (!Array.isArray(shape) || !shape.every((n) => Number.isSafeInteger(n) && n >= 0))
    return fail(`has shape ${shownValue(shape)}; expected a list of integers of at least 0`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every((n) => Number.isSafeInteger(n) && n >= 0))
    return fail(`has data_offsets ${shownValue(offsets)}; expected two integers of at least 0`);
  const [begin, end] = offsets as [number, number];
  const bytes = (shape as number[]).reduce((a, b) => a * b, 1) * BYTES[dtype as StoredType];
  if (end - begin !== bytes)
    return fail(
      `of shape ${shownValue(shape)} and dtype ${dtype} needs ${bytes} bytes; its offsets span ${end - begin}`,
    );
  if (dataStart + end > fileSize)
    return fail(`ends at byte ${dataStart + end}, the file has ${fileSize}: it is truncated`);
  return { dtype: dtype as StoredType, shape: shape as number[], begin: dataStart + begin, end: dataStart + end };
}

/**
 * The tensors have to cover the data without overlap, gap or rest, as the safetensors library asks for: bytes of no
 * tensor mean that the file was half overwritten, or put together wrongly.
 * @throws Error naming the tensors on either side, and the bytes
 */
function checkCoverage(file: string, entries: Record<string, TensorEntry>, dataStart: number, fileSize: number): void {
  const ordered = Object.entries(entries).sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let [last, end] = ["the header", dataStart];
  const uncovered = (to: number, before: string): Error =>
    new Error(
      `${file}: bytes ${end} to ${to}, between ${last} and ${before}, belong to no tensor (${to - end} of ${fileSize}): the file is damaged or was half overwritten; fetch or save it anew`,
    );
  for (const [name, entry] of ordered) {
    if (entry.begin < end)
      throw new Error(`${file}: tensors ${last} and ${name} overlap (bytes ${entry.begin} to ${end})`);
    if (entry.begin > end) throw uncovered(entry.begin, name);
    [last, end] = [name, entry.end];
  }
  if (end < fileSize) throw uncovered(fileSize, "the end of the file");
}

/** Opens a file of tensors. @throws Error naming the file, and why it can't be read */
function openTensors(file: string): number {
  try {
    return openRegular(file);
  } catch (error) {
    throw new Error(`${file}: cannot be read: ${fileReason(error)}`);
  }
}

/** The header's `__metadata__`: text by name. @throws Error naming the file */
function parseMetadata(file: string, value: unknown): Record<string, string> {
  if (value === undefined || value === null) return {};
  const isText = (x: unknown): boolean => typeof x === "string";
  if (typeof value !== "object" || Array.isArray(value) || !Object.values(value).every(isText))
    throw new Error(`${file}: __metadata__ is ${shownValue(value)}; expected texts by name`);
  return value as Record<string, string>;
}

/**
 * Reads and checks a header.
 * @throws Error naming file and tensor: truncated file, header larger than the file, unknown dtype, overlapping
 * offsets, bytes of no tensor, a Git LFS pointer in the file's place
 */
export function readHeader(file: string): SafetensorsHeader {
  const fd = openTensors(file);
  try {
    const size = fs.fstatSync(fd).size;
    const prefix = Buffer.alloc(64);
    const start = prefix.subarray(0, fs.readSync(fd, prefix, 0, prefix.length, 0));
    if (isLfsPointer(start)) throw new Error(`${file}: ${LFS_POINTER}`);
    if (start.length < 8) throw new Error(`${file}: ${size} bytes are no safetensors file`);
    const length = Number(prefix.readBigUInt64LE());
    if (length > size - 8 || length > MAX_HEADER)
      throw new Error(
        `${file}: the header claims ${length} bytes, the file has ${size}: it is truncated or no safetensors file`,
      );
    const text = Buffer.alloc(length);
    fs.readSync(fd, text, 0, length, 8);
    let json: Record<string, unknown>;
    try {
      json = parseJsonText(text.toString("utf8")) as Record<string, unknown>;
    } catch (error) {
      throw new Error(`${file}: the header is no JSON (${(error as Error).message})`);
    }
    if (typeof json !== "object" || json === null || Array.isArray(json))
      throw new Error(`${file}: the header is no JSON object`);
    // by fromEntries: a tensor may be called __proto__, which an assignment would lose
    const entries = Object.fromEntries(
      Object.entries(json)
        .filter(([name]) => name !== "__metadata__")
        .map(([name, value]) => [name, parseEntry(file, name, value, 8 + length, size)]),
    );
    checkCoverage(file, entries, 8 + length, size);
    return { file, entries, metadata: parseMetadata(file, json.__metadata__) };
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * How weights are held: all in float32, all in bfloat16 (rounded where they are stored wider), or `auto`: in bfloat16
 * what is stored so.
 */
export type WeightType = "float32" | "bfloat16" | "auto";

/** Options of reading. */
export interface ReadOptions {
  /** Bytes of memory that a model may take; default what this process can have. */
  room?: number;
  /** Refuse NaN and infinite values (default true). Without the check a big file is read a little faster. */
  checkFinite?: boolean;
  /**
   * How weights are held; default float32. Bfloat16 needs the native engine and `compile` (engine/resident.ts); `auto`
   * does without where they are not there.
   */
  dtype?: WeightType;
}

/** A buffer that grows to the largest tensor read into it and is used for one after the other. */
export interface Staging {
  buffer: ArrayBuffer;
}

/** Bytes of one tensor, in `staging` or in a buffer of their own. */
function readBytes(
  header: SafetensorsHeader,
  name: string,
  staging?: Staging,
): { entry: TensorEntry; buffer: ArrayBuffer; length: number } {
  const entry = Object.hasOwn(header.entries, name) ? header.entries[name] : undefined;
  if (!entry) throw new Error(`${header.file}: no tensor ${name}`);
  const length = entry.end - entry.begin;
  let buffer = staging?.buffer;
  if (!buffer || buffer.byteLength < length) buffer = new ArrayBuffer(length);
  if (staging) staging.buffer = buffer;
  const bytes = new Uint8Array(buffer, 0, length);
  const fd = openTensors(header.file);
  try {
    for (let done = 0; done < length;) {
      const count = fs.readSync(fd, bytes, done, Math.min(length - done, 1 << 30), entry.begin + done);
      if (count === 0) throw new Error(`${header.file}: tensor ${name} is truncated`);
      done += count;
    }
  } finally {
    fs.closeSync(fd);
  }
  return { entry, buffer, length };
}

/** Bits of the exponent, all set in NaN and infinity. */
const EXPONENT: Record<StoredType, number> = { F32: 0x7f800000, F16: 0x7c00, BF16: 0x7f80, I32: 0 };

/** @throws Error naming the first value that is NaN or infinite */
function assertFinite(
  { file }: SafetensorsHeader,
  name: string,
  { dtype, shape }: TensorEntry,
  buffer: ArrayBuffer,
  length: number,
): void {
  const mask = EXPONENT[dtype];
  if (mask === 0) return;
  const bits = dtype === "F32" ? new Int32Array(buffer, 0, length / 4) : new Uint16Array(buffer, 0, length / 2);
  for (let i = 0; i < bits.length; i++) {
    if ((bits[i] & mask) !== mask) continue;
    const value =
      dtype === "F32"
        ? new Float32Array(buffer, 4 * i, 1)
        : (dtype === "BF16" ? fromBfloat16 : fromFloat16)(new Uint16Array(buffer, 2 * i, 1));
    throw new Error(`${file}: tensor ${name} [${shape.join(", ")}] holds ${value[0]} at index ${i}`);
  }
}

/** The values of one tensor as 32-bit numbers. @throws Error when they are not all finite, naming the first place */
export function readValues(
  header: SafetensorsHeader,
  name: string,
  { checkFinite = true }: ReadOptions = {},
): Float32Array | Int32Array {
  const { entry, buffer, length } = readBytes(header, name);
  if (checkFinite) assertFinite(header, name, entry, buffer, length);
  if (entry.dtype === "I32") return new Int32Array(buffer);
  if (entry.dtype === "F32") return new Float32Array(buffer);
  return (entry.dtype === "BF16" ? fromBfloat16 : fromFloat16)(new Uint16Array(buffer));
}

/**
 * One tensor; the caller disposes it. It is in TensorFlow's memory when this returns, and in JavaScript's only as the
 * bytes in `staging`.
 * @throws Error where a value is not finite, or bfloat16 is asked for and the engine can't hold it
 */
export function readTensor(
  header: SafetensorsHeader,
  name: string,
  options: ReadOptions = {},
  staging?: Staging,
): Tensor {
  const { checkFinite = true, dtype = "float32" } = options;
  if (dtype === "bfloat16" && !canCompile())
    throw new Error(
      "weights are held in bfloat16 by the native engine only: run `npm run -s fine-r1 -- doctor`, or load them as float32",
    );
  if (!isNative) {
    const values = readValues(header, name, options);
    return tf.tensor(values, header.entries[name].shape, values instanceof Int32Array ? "int32" : "float32");
  }
  const { entry, buffer, length } = readBytes(header, name, staging);
  if (checkFinite) assertFinite(header, name, entry, buffer, length);
  const values =
    entry.dtype === "F32"
      ? new Float32Array(buffer, 0, length / 4)
      : entry.dtype === "I32"
        ? new Int32Array(buffer, 0, length / 4)
        : new Uint8Array(buffer, 0, length);
  const tensor = tensorFromStored(
    values,
    entry.shape,
    entry.dtype,
    entry.dtype === "BF16" && dtype !== "float32" && canCompile(),
  );
  if (dtype !== "bfloat16" || entry.dtype === "I32" || entry.dtype === "BF16") return tensor;
  const half = narrowed(tensor);
  tensor.dispose();
  return half;
}

/** All tensors of a file; none stays behind when one fails. */
export function readSafetensors(file: string): { params: Params; metadata: Record<string, string> } {
  const header = readHeader(file);
  const params: Params = {};
  try {
    const staging: Staging = { buffer: new ArrayBuffer(0) };
    for (const name of Object.keys(header.entries)) params[name] = readTensor(header, name, {}, staging);
  } catch (error) {
    Object.values(params).forEach((tensor) => tensor.dispose());
    throw error;
  }
  return { params, metadata: header.metadata };
}

/** Options of `writeSafetensors`. */
export interface WriteOptions {
  /** Storage of float tensors; default F32. */
  dtype?: "F32" | "F16" | "BF16";
  metadata?: Record<string, string>;
}

function toBytes(tensor: Tensor, dtype: StoredType): Uint8Array {
  const wide = widened(tensor);
  const values = wide.dataSync();
  wide.dispose();
  const stored =
    dtype === "F16"
      ? toFloat16(values as Float32Array)
      : dtype === "BF16"
        ? toBfloat16(values as Float32Array)
        : (values as Float32Array | Int32Array);
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}

/**
 * Writes float32 and int32 tensors, to a temporary name that is then renamed once the disk has it.
 * @throws Error for other dtypes, and where the disk is full, naming the file
 */
export function writeSafetensors(file: string, params: Params, options: WriteOptions = {}): void {
  const { dtype = "F32", metadata = { format: "pt" } } = options;
  const header: Record<string, unknown> = { __metadata__: metadata };
  const stored = new Map<string, StoredType>();
  let offset = 0;
  for (const [name, tensor] of Object.entries(params)) {
    if (tensor.dtype !== "float32" && tensor.dtype !== "int32")
      throw new Error(`${file}: tensor ${name} is ${tensor.dtype}; float32 and int32 can be written`);
    const type = tensor.dtype === "int32" ? "I32" : dtype;
    const bytes = tensor.size * BYTES[type];
    header[name] = { dtype: type, shape: tensor.shape, data_offsets: [offset, offset + bytes] };
    stored.set(name, type);
    offset += bytes;
  }
  let text = JSON.stringify(header);
  text += " ".repeat((8 - (Buffer.byteLength(text) % 8)) % 8);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(Buffer.byteLength(text)));
  replaceFile(file, (handle) => {
    writeAll(handle, prefix, file);
    writeAll(handle, text, file);
    for (const [name, type] of stored) writeAll(handle, toBytes(params[name], type), file);
  });
}
