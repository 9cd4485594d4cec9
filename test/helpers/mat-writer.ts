/**
 * MATLAB Level 5 MAT-files, little-endian and uncompressed, of what the image sets' files hold: the counterpart of
 * lib/formats/mat.ts.
 */
import { writeFileSync } from "node:fs";

/** A row of numbers, a text, a column of cells, or a row of structures with the same fields. */
export type MatInput = number[] | string | { cells: string[] } | { records: Record<string, number | string>[] };

const INT8 = 1;
const INT32 = 5;
const UINT32 = 6;
const DOUBLE = 9;
const MATRIX = 14;
const UTF16 = 17;
const CLASS = { cell: 1, struct: 2, char: 4, double: 6 };
const FIELD_LENGTH = 32;

function element(type: number, bytes: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(bytes.length, 4);
  return Buffer.concat([head, bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)]);
}

const int32s = (...values: number[]): Buffer => Buffer.from(Int32Array.from(values).buffer);

/** An array: flags, dimensions, name, and what its class has. */
function matrix(kind: number, shape: [number, number], name: string, ...contents: Buffer[]): Buffer {
  return element(
    MATRIX,
    Buffer.concat([
      element(UINT32, int32s(kind, 0)),
      element(INT32, int32s(...shape)),
      element(INT8, Buffer.from(name, "latin1")),
      ...contents,
    ]),
  );
}

function array(value: MatInput, name = ""): Buffer {
  if (typeof value === "string")
    return matrix(CLASS.char, [1, value.length], name, element(UTF16, Buffer.from(value, "utf16le")));
  if (Array.isArray(value))
    return matrix(CLASS.double, [1, value.length], name, element(DOUBLE, Buffer.from(Float64Array.from(value).buffer)));
  if ("cells" in value)
    return matrix(CLASS.cell, [value.cells.length, 1], name, ...value.cells.map((cell) => array(cell)));
  const fields = Object.keys(value.records[0]);
  const names = Buffer.concat(fields.map((field) => Buffer.from(field.padEnd(FIELD_LENGTH, "\0"), "latin1")));
  return matrix(
    CLASS.struct,
    [1, value.records.length],
    name,
    element(INT32, int32s(FIELD_LENGTH)),
    element(INT8, names),
    ...value.records.flatMap((record) =>
      fields.map((field) => {
        const content = record[field];
        return array(typeof content === "number" ? [content] : content);
      }),
    ),
  );
}

/** Writes variables to a MAT-file. */
export function writeMat(file: string, variables: Readonly<Record<string, MatInput>>): void {
  const header = Buffer.alloc(128, " ");
  header.write("MATLAB 5.0 MAT-file, a test's", "latin1");
  header.writeUInt16LE(0x0100, 124);
  header.write("IM", 126, "latin1");
  writeFileSync(file, Buffer.concat([header, ...Object.entries(variables).map(([name, value]) => array(value, name))]));
}
