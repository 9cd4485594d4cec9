/** From a name in a file to a path on disk: nothing outside an image set's root is ever opened. */
import { existsSync, realpathSync } from "node:fs";
import * as path from "node:path";
import { numberedLines, readBytes } from "../../util/lines";
import { rowReader, type Place, type RowReader } from "./row-reader";
import type { SetImage } from "./types";

/**
 * A relative path of an image, checked: no `..`, no `.`, no empty part, not absolute, no backslash, no control
 * character.
 * @param where file and line, for the error
 */
export function checkedPath(relative: string, where: string): string {
  const bad =
    relative === "" ||
    /[\\\u0000-\u001f\u007f]/.test(relative) ||
    /^[A-Za-z]:/.test(relative) ||
    relative.split("/").some((part) => part === "" || part === "." || part === "..");
  if (bad)
    throw new Error(
      `${where}: ${JSON.stringify(relative.slice(0, 120))} is no path below the set's folder; the file was altered, or is another one`,
    );
  return relative;
}

/** A path in both forms of its letters: a Mac writes é as two characters, most others as one. */
export const spellings = (relative: string): string[] => [
  ...new Set([relative, relative.normalize("NFC"), relative.normalize("NFD")]),
];

/**
 * The absolute path of an image, links followed; null where there is none.
 * @throws Error where a link leads out of the root
 */
export function resolveImage(root: string, relative: string): string | null {
  const whole = path.join(root, ...checkedPath(relative, root).split("/"));
  if (!existsSync(whole)) return null;
  const [top, real] = [realpathSync(root), realpathSync(whole)];
  if (!real.startsWith(top + path.sep))
    throw new Error(`${relative}: a link that leads out of the set's folder; copy the image instead`);
  return real;
}

/**
 * Whether a file or folder is none of the set's: hidden, or left there by an operating system or an archive program.
 */
export const isClutter = (name: string): boolean =>
  name.startsWith(".") || /^(__MACOSX|@eaDir|Thumbs\.db|desktop\.ini)$/i.test(name);

/** `a/b` of parts, empty ones left out. */
export const joined = (...parts: string[]): string => parts.filter((part) => part !== "").join("/");

/** A line of an annotation file. */
export interface Line extends Place {
  text: string;
}

/** The lines of a UTF-8 file that are not blank. @throws Error naming file and line */
export function readLines(file: string, rows: RowReader = rowReader("stop")): Line[] {
  const lines = numberedLines(readBytes(file)).map(({ line, text }) => ({
    file,
    line,
    where: `${file}, line ${line}`,
    text,
  }));
  return rows.map(lines, ({ text, ...place }) => {
    if (text === null) throw new Error(`${place.where}: not UTF-8; the file was altered, get it again`);
    return { ...place, text };
  });
}

/** The groups of `pattern` in a line. @throws Error naming file and line */
export function fields({ text, where }: Pick<Line, "text" | "where">, pattern: RegExp, expected: string): string[] {
  const match = pattern.exec(text);
  if (!match) throw new Error(`${where}: ${JSON.stringify(text.slice(0, 80))}; expected ${expected}`);
  return match.slice(1);
}

/** A value and where it stands. */
export interface Valued extends Place {
  value: string;
}

/** Lines `key value` as a map. @throws Error naming file and line, also of a key that occurs twice */
export function readPairs(file: string, pattern: RegExp, expected: string, rows: RowReader): Map<string, Valued> {
  const pairs = new Map<string, Valued>();
  rows.map(readLines(file, rows), (line) => {
    const [key, value] = fields(line, pattern, expected);
    if (pairs.has(key)) throw new Error(`${line.where}: ${key} a second time`);
    pairs.set(key, { ...line, value });
  });
  return pairs;
}

/** Images with the place of each; refuses a path that occurs twice. */
export function collectImages(entries: Iterable<SetImage & Place>, rows: RowReader = rowReader("stop")): SetImage[] {
  const seen = new Map<string, string>();
  return rows.map(entries, ({ where, path: image, name, portion }) => {
    checkedPath(image, where);
    const before = seen.get(image);
    if (before !== undefined) throw new Error(`${where}: ${image} a second time (first: ${before})`);
    seen.set(image, where);
    return { path: image, name, portion };
  });
}

/** `standard_poodle` as the released files spell it: `Standard Poodle`; in Unicode NFC. */
export function titleCase(text: string): string {
  return text
    .normalize("NFC")
    .split(/[\s_-]+/)
    .filter((word) => word !== "")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join(" ");
}

/** A class's name from its folder's: `_` read as a space, in Unicode NFC (a Mac's folders are decomposed). */
export const folderName = (name: string): string => name.normalize("NFC").replace(/_/g, " ").trim();
