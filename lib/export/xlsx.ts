/**
 * The first sheet of an Excel workbook as texts: what pandas writes (ECMA-376: a zip of XML files, texts shared or in
 * their cell). No formulas, dates or formats.
 */
import { inflateRawSync } from "node:zlib";

/** Most bytes of one file of a workbook, unpacked. */
const MOST_BYTES = 2 ** 29;

/** Excel's own limit of columns, and most cells of a sheet: a cell may stand far from the one before. */
const MOST_COLUMNS = 16_384;
const MOST_CELLS = 2 ** 24;

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
      return Object.hasOwn(ENTITIES, name!) ? ENTITIES[name!] : all;
    })
    .replace(/_x([0-9A-F]{4})_/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));

/**
 * Elements of a name, one after another, up to one that is not closed. By hand: a pattern would look for the end anew
 * from each beginning, which takes hours where there are many without an end.
 */
function* elementsOf(xml: string, name: string): Generator<{ attributes: string; content: string }> {
  for (let at = xml.indexOf(`<${name}`); at >= 0; at = xml.indexOf(`<${name}`, at)) {
    at += 1 + name.length;
    if (!/[\s/>]/.test(xml.charAt(at))) continue; // a longer name
    const opened = xml.indexOf(">", at);
    if (opened < 0) return;
    const attributes = xml.slice(at, opened);
    at = opened + 1;
    if (attributes.endsWith("/")) {
      yield { attributes, content: "" };
      continue;
    }
    const closed = xml.indexOf(`</${name}>`, at);
    if (closed < 0) return;
    yield { attributes, content: xml.slice(at, closed) };
    at = closed + name.length + 3;
  }
}

/** All texts in a piece of XML, one after another: a cell's text may come in runs of formats. */
const textsIn = (xml: string): string => Array.from(elementsOf(xml, "t"), ({ content }) => plain(content)).join("");

/** `C7` is the third column: 2. */
const columnOf = (reference: string): number =>
  [.../^[A-Z]+/.exec(reference)![0]].reduce((n, letter) => 26 * n + letter.charCodeAt(0) - 64, 0) - 1;

/** Lines of fields of the first sheet. @throws Error where the bytes are no workbook */
export function sheetFields(bytes: Buffer): string[][] {
  const files = unzip(bytes);
  const sheet = files.get("xl/worksheets/sheet1.xml");
  if (!sheet) throw new Error("no Excel workbook (no xl/worksheets/sheet1.xml)");
  const strings = files.get("xl/sharedStrings.xml")?.() ?? "";
  const shared = Array.from(elementsOf(strings, "si"), ({ content }) => textsIn(content));
  let cells = 0;
  return Array.from(elementsOf(sheet(), "row"), (row) => {
    const fields: string[] = [];
    for (const { attributes, content } of elementsOf(row.content, "c")) {
      const reference = /\br="([A-Z]+\d+)"/.exec(attributes)?.[1];
      const column = reference === undefined ? fields.length : columnOf(reference);
      const type = /\bt="(\w+)"/.exec(attributes)?.[1];
      const value = plain(elementsOf(content, "v").next().value?.content ?? "");
      cells += Math.max(1, column + 1 - fields.length);
      if (column >= MOST_COLUMNS || cells > MOST_CELLS)
        throw new Error(`more than ${MOST_COLUMNS} columns or ${MOST_CELLS} cells`);
      while (fields.length < column) fields.push("");
      fields[column] = type === "s" ? (shared[Number(value)] ?? "") : type === "inlineStr" ? textsIn(content) : value;
    }
    return fields;
  });
}
