/**
 * MATLAB Level 5 MAT-files as three of the image sets ship them: numeric, character, cell and structure arrays, each
 * variable zlib-compressed or not, little or big endian. After MathWorks, "MAT-File Format" (chapter 1, Level 5).
 * Written here because no npm package for it is well-kept. Objects, sparse and complex arrays, and the HDF5 files of
 * version 7.3 are refused.
 */
import { inflateSync } from "node:zlib";
import { readBytes } from "../util/lines";

/** An array of MATLAB; elements in column-major order, as in the file. */
export type MatValue =
  | { kind: "numeric"; shape: number[]; data: number[] }
  /** One text a row, its padding kept. */
  | { kind: "text"; shape: number[]; rows: string[] }
  | { kind: "cell"; shape: number[]; cells: MatValue[] }
  | { kind: "struct"; shape: number[]; records: Record<string, MatValue>[] };

/**
 * Largest size of a file's variables after inflation, bytes: a guard against a bomb. The 16,185 records of Stanford
 * Cars are some 7 MB.
 */
const MAX_INFLATED = 2 ** 25;
const MAX_DEPTH = 16;
const MAX_SIDES = 32;

const MATRIX = 14;
const COMPRESSED = 15;
/** Bytes per item of the numeric data types 1..13 (8 and 10, 11 are reserved). */
const ITEM_BYTES: Readonly<Record<number, number>> = {
  1: 1,
  2: 1,
  3: 2,
  4: 2,
  5: 4,
  6: 4,
  7: 4,
  9: 8,
  12: 8,
  13: 8,
  16: 1,
  17: 2,
  18: 4,
};

interface Element {
  type: number;
  bytes: DataView;
  /** Where the next element begins. */
  next: number;
}

const slice = (view: DataView, start: number, length: number): DataView =>
  new DataView(view.buffer, view.byteOffset + start, length);

/** Letters in column-major order as one text a row. */
function rowsOf(letters: readonly string[], count: number): string[] {
  const rows = Array.from({ length: count }, (): string[] => []);
  letters.forEach((letter, i) => rows[i % count].push(letter));
  return rows.map((row) => row.join(""));
}

class Reader {
  constructor(private readonly little: boolean) {}

  element(view: DataView, at: number): Element {
    if (at + 8 > view.byteLength) throw new Error(`cut off at byte ${at}`);
    const word = view.getUint32(at, this.little);
    const small = word >>> 16;
    if (small !== 0) {
      if (small > 4) throw new Error(`a small element of ${small} bytes at byte ${at}`);
      return { type: word & 0xffff, bytes: slice(view, at + 4, small), next: at + 8 };
    }
    const length = view.getUint32(at + 4, this.little);
    if (at + 8 + length > view.byteLength) throw new Error(`cut off: an element of ${length} bytes at byte ${at}`);
    const padding = word === COMPRESSED ? 0 : (8 - (length % 8)) % 8;
    return { type: word, bytes: slice(view, at + 8, length), next: at + 8 + length + padding };
  }

  numbers({ type, bytes }: Element): number[] {
    const size = ITEM_BYTES[type];
    if (size === undefined) throw new Error(`data of type ${type}, which is not numeric`);
    if (bytes.byteLength % size !== 0)
      throw new Error(`${bytes.byteLength} bytes are no whole number of items of type ${type}`);
    const get = (at: number): number => {
      switch (type) {
        case 1:
          return bytes.getInt8(at);
        case 2:
        case 16:
          return bytes.getUint8(at);
        case 3:
          return bytes.getInt16(at, this.little);
        case 4:
        case 17:
          return bytes.getUint16(at, this.little);
        case 5:
          return bytes.getInt32(at, this.little);
        case 6:
        case 18:
          return bytes.getUint32(at, this.little);
        case 7:
          return bytes.getFloat32(at, this.little);
        case 9:
          return bytes.getFloat64(at, this.little);
        case 12:
          return Number(bytes.getBigInt64(at, this.little));
        default:
          return Number(bytes.getBigUint64(at, this.little));
      }
    };
    return Array.from({ length: bytes.byteLength / size }, (_, i) => get(i * size));
  }

  text(element: Element): string {
    const { type, bytes } = element;
    if (type === 16) return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return this.numbers(element)
      .map((code) => String.fromCodePoint(code))
      .join("");
  }

  /** The contents of a matrix element. */
  matrix(view: DataView, depth: number): { name: string; value: MatValue } {
    if (depth > MAX_DEPTH) throw new Error(`arrays nested deeper than ${MAX_DEPTH}`);
    if (view.byteLength === 0) return { name: "", value: { kind: "numeric", shape: [0, 0], data: [] } };
    const flags = this.element(view, 0);
    const word = flags.bytes.getUint32(0, this.little);
    const kind = word & 0xff;
    if ((word & 0x800) !== 0) throw new Error("a complex array; none is expected here");
    const dimensions = this.element(view, flags.next);
    const shape = this.numbers(dimensions);
    const count = shape.reduce((product, n) => product * n, 1);
    // an item has a byte at least, so that no more items can be there than bytes
    const isCount = (n: number): boolean => Number.isInteger(n) && n >= 0 && n <= view.byteLength;
    const sides = shape.length > MAX_SIDES ? `${shape.length} sides` : shape.join(" x ");
    if (shape.length > MAX_SIDES || !shape.every(isCount) || !(count <= view.byteLength))
      throw new Error(`dimensions ${sides}, of ${view.byteLength} bytes`);
    const label = this.element(view, dimensions.next);
    const name = this.text(label);
    let at = label.next;
    const expectChildren = (each: number): void => {
      if (count * Math.max(1, each) * 8 > view.byteLength)
        throw new Error(`dimensions ${sides}: ${view.byteLength} bytes can't hold as many arrays`);
    };
    const child = (): MatValue => {
      const element = this.element(view, at);
      if (element.type !== MATRIX) throw new Error(`an element of type ${element.type} where an array belongs`);
      at = element.next;
      return this.matrix(element.bytes, depth + 1).value;
    };
    if (kind === 1) {
      expectChildren(1);
      return { name, value: { kind: "cell", shape, cells: Array.from({ length: count }, child) } };
    }
    if (kind === 2) {
      const size = this.element(view, at);
      const names = this.element(view, size.next);
      at = names.next;
      const [width] = this.numbers(size);
      const letters = this.text(names);
      if (!Number.isInteger(width) || width <= 0 || letters.length % width !== 0)
        throw new Error(`field names of ${width} letters in ${letters.length}`);
      const fields = Array.from(
        { length: letters.length / width },
        (_, i) => letters.slice(i * width, (i + 1) * width).split("\0")[0],
      );
      expectChildren(fields.length);
      const records = Array.from({ length: count }, () => Object.fromEntries(fields.map((field) => [field, child()])));
      return { name, value: { kind: "struct", shape, records } };
    }
    if (kind !== 4 && (kind < 6 || kind > 15))
      throw new Error(`an array of class ${kind}; numbers, text, cells and structures can be read`);
    const data = this.element(view, at);
    if (kind === 4) {
      const letters = [...this.text(data)];
      if (letters.length !== count) throw new Error(`${letters.length} letters for dimensions ${shape.join(" x ")}`);
      return { name, value: { kind: "text", shape, rows: rowsOf(letters, shape[0]) } };
    }
    const numbers = this.numbers(data);
    if (numbers.length !== count) throw new Error(`${numbers.length} numbers for dimensions ${shape.join(" x ")}`);
    return { name, value: { kind: "numeric", shape, data: numbers } };
  }
}

/**
 * The variables of a Level 5 MAT-file, by name.
 * @param file named in errors
 * @throws Error naming the file, and the variable where it is known
 */
export function parseMat(bytes: Uint8Array, file: string): Map<string, MatValue> {
  const variables = new Map<string, MatValue>();
  const fail = (problem: string): never => {
    throw new Error(`${file}: ${problem}`);
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.byteLength < 128) return fail("shorter than a MAT-file's header; is the download whole?");
  if (Buffer.from(bytes.subarray(0, 10)).toString("latin1") === "MATLAB 7.3")
    return fail("a MAT-file of version 7.3 (HDF5); save it as -v7");
  const mark = String.fromCharCode(bytes[126], bytes[127]);
  if (mark !== "IM" && mark !== "MI") return fail("not a Level 5 MAT-file (no endian mark at byte 126)");
  const reader = new Reader(mark === "IM");
  let [last, room] = ["", MAX_INFLATED];
  for (let at = 128; at < view.byteLength;) {
    try {
      let element = reader.element(view, at);
      at = element.next;
      if (element.type === COMPRESSED) {
        const inflated = inflateSync(
          new Uint8Array(element.bytes.buffer, element.bytes.byteOffset, element.bytes.byteLength),
          { maxOutputLength: Math.max(1, room) },
        );
        room -= inflated.length;
        element = reader.element(new DataView(inflated.buffer, inflated.byteOffset, inflated.byteLength), 0);
      }
      if (element.type !== MATRIX) throw new Error(`an element of type ${element.type} where an array belongs`);
      const { name, value } = reader.matrix(element.bytes, 0);
      variables.set(name, value);
      last = name;
    } catch (error) {
      return fail(`${last === "" ? "first variable" : `variable after "${last}"`}: ${(error as Error).message}`);
    }
  }
  return variables;
}

/** Reads a MAT-file. @throws Error naming the file */
export function readMat(file: string): Map<string, MatValue> {
  return parseMat(readBytes(file), file);
}
