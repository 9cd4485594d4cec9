/**
 * The first sheet of an Excel workbook as texts: what pandas writes (texts shared or in their cell). No formulas, dates
 * or formats.
 */
import { MOST_ROWS, SHEET, STRINGS, unpacked, walkXml } from "./workbook";

/** Excel's own limit of columns, and most cells of a sheet: a cell may stand far from the one before. */
const MOST_COLUMNS = 16_384;
const MOST_CELLS = 2 ** 24;

/** Excel's `_x000D_` for what XML cannot hold. */
const plain = (text: string): string =>
  text.replace(/_x([0-9A-F]{4})_/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));

/** Whether a text is a cell's: it may come in runs of formats, and how it is pronounced beside it. */
const isText = (path: readonly string[]): boolean => path.at(-1) === "t" && !path.includes("rPh");

function sharedTexts(bytes: Uint8Array): string[] {
  const texts: string[] = [];
  let [text, count] = ["", 0];
  walkXml(STRINGS, bytes, {
    open: (name) => {
      if (name === "si" && ++count > MOST_ROWS)
        throw new Error(`${STRINGS}: more than ${MOST_ROWS} shared texts; split the workbook`);
    },
    text: (piece, path) => {
      if (isText(path)) text += piece;
    },
    close: (name) => {
      if (name !== "si") return;
      texts.push(plain(text));
      text = "";
    },
  });
  return texts;
}

/** `C7` is the third column: 2. Null where it is no reference to a cell. */
function columnOf(reference: string): number | null {
  const letters = /^([A-Z]{1,8})\d+$/.exec(reference)?.[1];
  return letters === undefined ? null : [...letters].reduce((n, letter) => 26 * n + letter.charCodeAt(0) - 64, 0) - 1;
}

/** A cell that is being read. */
interface Cell {
  column: number;
  type: string | undefined;
  /** As an error names it. */
  where: string;
  text: string;
}

function valueOf({ type, text, where }: Cell, shared: readonly string[]): string {
  if (type !== "s") return plain(text);
  if (text === "") return "";
  const value = shared[Number(text)];
  if (value === undefined)
    throw new Error(`${where}: text ${text} of ${shared.length} shared ones; save the workbook anew`);
  return value;
}

/**
 * Lines of fields of the first sheet.
 * @throws Error naming file, line and column, or the cell: the bytes are no workbook, a cell stands outside of Excel's
 * columns, there are more than 1,048,576 rows or 16,777,216 cells, or a shared text is not there
 */
export function sheetFields(bytes: Uint8Array): string[][] {
  const files = unpacked(bytes);
  const sheet = files.get(SHEET);
  if (!sheet) throw new Error(`no Excel workbook (no ${SHEET})`);
  const strings = files.get(STRINGS);
  const shared = strings ? sharedTexts(strings) : [];
  const lines: string[][] = [];
  let [fields, cells, rows]: [string[], number, number] = [[], 0, 0];
  let cell: Cell | null = null;

  const begin = ({ r, t }: Readonly<Record<string, string>>): Cell => {
    const column = r === undefined ? fields.length : columnOf(r);
    const where = `${SHEET}, cell ${r ?? `${fields.length + 1} of row ${lines.length + 1}`}`;
    if (column === null) throw new Error(`${where}: expected a reference like C7`);
    cells += Math.max(1, column + 1 - fields.length);
    if (column >= MOST_COLUMNS || cells > MOST_CELLS)
      throw new Error(`${where}: more than ${MOST_COLUMNS} columns or ${MOST_CELLS} cells`);
    return { column, type: t, where, text: "" };
  };
  walkXml(SHEET, sheet, {
    open: (name, attributes) => {
      if (name === "row") {
        if (++rows > MOST_ROWS) throw new Error(`${SHEET}: more than ${MOST_ROWS} rows; split the workbook`);
        fields = [];
      }
      if (name === "c") cell = begin(attributes);
    },
    text: (piece, path) => {
      if (cell && (cell.type === "inlineStr" ? isText(path) : path.at(-1) === "v")) cell.text += piece;
    },
    close: (name) => {
      if (name === "row") lines.push(fields);
      if (name !== "c" || !cell) return;
      while (fields.length < cell.column) fields.push("");
      fields[cell.column] = valueOf(cell, shared);
      cell = null;
    },
  });
  return lines;
}
