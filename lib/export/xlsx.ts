/**
 * The first sheet of an Excel workbook as texts: what pandas writes (ECMA-376: a zip of XML files, texts shared or in
 * their cell). No formulas, dates or formats.
 */
import { inflateRawSync } from "node:zlib";

/** Most bytes of one file of a workbook, unpacked. */
const MOST_BYTES = 2 ** 29;

const END = 0x06054b50; // of the central directory
const ENTRY = 0x02014b50;

/** Files of a zip by name, unpacked when asked for. @throws Error where the bytes are no zip */
function unzip(bytes: Buffer): Map<string, () => string> {
  const end = bytes.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
  if (end < 0 || end + 22 > bytes.length || bytes.readUInt32LE(end) !== END)
    throw new Error("no Excel workbook (no zip)");
  const files = new Map<string, () => string>();
  let at = bytes.readUInt32LE(end + 16);
  for (let i = bytes.readUInt16LE(end + 10); i > 0; i--) {
    if (at + 46 > bytes.length || bytes.readUInt32LE(at) !== ENTRY) throw new Error("a broken Excel workbook");
    const method = bytes.readUInt16LE(at + 10);
    const packed = bytes.readUInt32LE(at + 20);
    const [name, extra, comment] = [28, 30, 32].map((offset) => bytes.readUInt16LE(at + offset));
    const header = bytes.readUInt32LE(at + 42);
    files.set(bytes.toString("utf8", at + 46, at + 46 + name), () => {
      const from = header + 30 + bytes.readUInt16LE(header + 26) + bytes.readUInt16LE(header + 28);
      const content = bytes.subarray(from, from + packed);
      if (method === 0) return content.toString("utf8");
      if (method !== 8) throw new Error(`a workbook packed by method ${method}; expected deflate`);
      return inflateRawSync(content, { maxOutputLength: MOST_BYTES }).toString("utf8");
    });
    at += 46 + name + extra + comment;
  }
  return files;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

/** XML's text: entities, and Excel's `_x000D_` for what XML cannot hold. */
const plain = (xml: string): string =>
  xml
    .replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (all, hex?: string, decimal?: string, name?: string) => {
      if (hex !== undefined) return String.fromCodePoint(parseInt(hex, 16));
      if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
      return ENTITIES[name!] ?? all;
    })
    .replace(/_x([0-9A-F]{4})_/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));

/** All texts in a piece of XML, one after another: a cell's text may come in runs of formats. */
const textsIn = (xml: string): string =>
  [...xml.matchAll(/<t(?:\s[^>]*)?>([\s\S]*?)<\/t>/g)].map(([, text]) => plain(text)).join("");

/** `C7` is the third column: 2. */
const columnOf = (reference: string): number =>
  [.../^[A-Z]+/.exec(reference)![0]].reduce((n, letter) => 26 * n + letter.charCodeAt(0) - 64, 0) - 1;

/** Lines of fields of the first sheet. @throws Error where the bytes are no workbook */
export function sheetFields(bytes: Buffer): string[][] {
  const files = unzip(bytes);
  const sheet = files.get("xl/worksheets/sheet1.xml");
  if (!sheet) throw new Error("no Excel workbook (no xl/worksheets/sheet1.xml)");
  const shared = [...(files.get("xl/sharedStrings.xml")?.() ?? "").matchAll(/<si>([\s\S]*?)<\/si>/g)].map(([, xml]) =>
    textsIn(xml),
  );
  return [...sheet().matchAll(/<row\b[^>]*?(?:\/>|>([\s\S]*?)<\/row>)/g)].map(([, row = ""]) => {
    const fields: string[] = [];
    for (const [, attributes, content = ""] of row.matchAll(/<c\b([^>]*?)(?:\/>|>([\s\S]*?)<\/c>)/g)) {
      const reference = /\br="([A-Z]+\d+)"/.exec(attributes)?.[1];
      const column = reference === undefined ? fields.length : columnOf(reference);
      const type = /\bt="(\w+)"/.exec(attributes)?.[1];
      const value = plain(/<v>([\s\S]*?)<\/v>/.exec(content)?.[1] ?? "");
      while (fields.length < column) fields.push("");
      fields[column] = type === "s" ? (shared[Number(value)] ?? "") : type === "inlineStr" ? textsIn(content) : value;
    }
    return fields;
  });
}
