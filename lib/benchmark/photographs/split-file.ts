/** A split file at the root of a folder set: which sub-categories are seen, in its maker's words. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { readBytes } from "../../util/lines";
import { folderName, readLines } from "./paths";

const SIDES = ["seen", "unseen"] as const;

/** A name and where it stands. */
interface Entry {
  name: string;
  where: string;
}

type Sides = Partial<Record<(typeof SIDES)[number], Entry[]>>;

const hasOnly = (value: object, keys: readonly string[]): boolean =>
  Object.keys(value).every((key) => keys.includes(key));

/** `split.json`: `{"seen": […], "unseen": […]}`, one of them enough. */
function readJson(file: string): Sides {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(readBytes(file)));
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
    throw new Error(`${file}: not JSON in UTF-8 (${error.message})`);
  }
  const expected = `${file}: {"seen": [names], "unseen": [names]} expected, one of the two at least`;
  if (typeof value !== "object" || value === null || Array.isArray(value) || !hasOnly(value, SIDES))
    throw new Error(expected);
  const sides: Sides = {};
  for (const side of SIDES) {
    const names = (value as Record<string, unknown>)[side];
    if (names === undefined) continue;
    if (!Array.isArray(names)) throw new Error(`${expected}; "${side}" is no list`);
    sides[side] = names.map((name: unknown, i) => {
      const where = `${file}, "${side}", element ${i + 1}`;
      if (typeof name !== "string") throw new Error(`${where}: ${JSON.stringify(name)}; a name expected`);
      return { name: folderName(name), where };
    });
  }
  if (Object.keys(sides).length === 0) throw new Error(expected);
  return sides;
}

/** `seen.txt` and `unseen.txt`, a name a line, one of them enough; or `split.json`. Null without any. */
function readSides(root: string): Sides | null {
  const json = path.join(root, "split.json");
  const lists = SIDES.filter((side) => existsSync(path.join(root, `${side}.txt`)));
  if (existsSync(json)) {
    if (lists.length > 0)
      throw new Error(`${root}: split.json and ${lists[0]}.txt both say what is seen; keep one of them`);
    return readJson(json);
  }
  if (lists.length === 0) return null;
  return Object.fromEntries(
    lists.map((side) => [
      side,
      readLines(path.join(root, `${side}.txt`)).map(({ text, where }) => ({ name: folderName(text), where })),
    ]),
  );
}

/**
 * The seen sub-categories that the split file at a set's root names. With one side listed, the rest is the other side.
 * @param names the set's sub-categories
 * @returns in the order of `names`; null where there is no split file
 * @throws Error naming file and line of a name that is no class or stands twice, or a class on neither side
 */
export function readSplitFile(root: string, names: readonly string[]): string[] | null {
  const sides = readSides(root);
  if (sides === null) return null;
  const known = new Set(names);
  const side = new Map<string, { is: (typeof SIDES)[number]; where: string }>();
  for (const is of SIDES)
    for (const { name, where } of sides[is] ?? []) {
      if (!known.has(name))
        throw new Error(
          `${where}: "${name}" is no class of the set; names are those of its folders, "_" read as a space`,
        );
      const before = side.get(name);
      if (before) throw new Error(`${where}: "${name}" a second time (first: ${before.where})`);
      side.set(name, { is, where });
    }
  const lost = sides.seen && sides.unseen ? names.find((name) => !side.has(name)) : undefined;
  if (lost !== undefined) throw new Error(`${root}: the split file has the class "${lost}" on neither side`);
  const rest = sides.seen ? "unseen" : "seen";
  const seen = names.filter((name) => (side.get(name)?.is ?? rest) === "seen");
  if (seen.length === 0)
    throw new Error(`${root}: by the split file no class is seen, so there is nothing to train on`);
  return seen;
}
