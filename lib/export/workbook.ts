/** The files of an Excel workbook that hold its first sheet (ECMA-376: a zip of XML), unpacked and walked through. */
import { unzipSync } from "fflate";
import { SaxesParser } from "saxes";

/** Most bytes of one file of a workbook, unpacked. */
const MOST_BYTES = 2 ** 28;
/** Most entries of the zip; a workbook has some tens. A zip of a hundred bytes may claim four thousand million. */
const MOST_ENTRIES = 10_000;
/** Deepest nesting of elements; a workbook has fewer than ten. */
const DEEPEST = 50;

/** Most rows of a sheet, which is Excel's own limit, and most shared texts. */
export const MOST_ROWS = 2 ** 20;

export const SHEET = "xl/worksheets/sheet1.xml";
export const STRINGS = "xl/sharedStrings.xml";

/** What hears of the elements of a file, without the prefixes of their names. */
export interface Listener {
  open?(name: string, attributes: Readonly<Record<string, string>>): void;
  /** @param path names of the open elements, outermost first; a text may come in pieces */
  text(text: string, path: readonly string[]): void;
  close(name: string): void;
}

/**
 * The two files, where they are there; others are not unpacked.
 * @throws Error where the bytes are no zip, it has more than 10,000 entries or one of the two twice, or one is larger
 * than 256 MiB
 */
export function unpacked(bytes: Uint8Array): Map<string, Uint8Array> {
  const seen = new Set<string>();
  let entries = 0;
  let refusal: Error | null = null;
  const refuse = (message: string): never => {
    refusal = new Error(message);
    throw refusal;
  };
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(bytes, {
      filter: ({ name, originalSize }) => {
        if (++entries > MOST_ENTRIES) refuse(`the zip has more than ${MOST_ENTRIES} entries; save the workbook anew`);
        if (name !== SHEET && name !== STRINGS) return false;
        if (seen.has(name)) refuse(`${name} is there twice; save the workbook anew`);
        if (originalSize > MOST_BYTES) refuse(`${name} is larger than ${MOST_BYTES / 2 ** 20} MiB; split the workbook`);
        seen.add(name);
        return true;
      },
    });
  } catch (error) {
    throw refusal ?? new Error(`no Excel workbook (${(error as Error).message})`, { cause: error });
  }
  return new Map(Object.entries(files));
}

const local = (name: string): string => name.slice(name.indexOf(":") + 1);

/** @throws Error naming file, line and column where the bytes are no XML, or elements are nested too deep */
export function walkXml(file: string, bytes: Uint8Array, listener: Listener): void {
  const parser = new SaxesParser({ xmlns: false, fileName: file });
  const path: string[] = [];
  parser.on("error", (error) => {
    throw error;
  });
  parser.on("opentag", ({ name, attributes }) => {
    if (path.push(local(name)) > DEEPEST) parser.fail(`elements nested deeper than ${DEEPEST}`);
    listener.open?.(local(name), attributes);
  });
  const text = (piece: string): void => listener.text(piece, path);
  parser.on("text", text);
  parser.on("cdata", text);
  parser.on("closetag", () => listener.close(path.pop()!));
  parser.write(new TextDecoder().decode(bytes)).close();
}
