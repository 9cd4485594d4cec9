/**
 * Grocery Store Dataset: `classes.csv` (class, number, coarse class, its number, path of the iconic image, …) and
 * `{train,val,test}.txt` with lines `train/Fruit/Apple/Golden-Delicious/Golden-Delicious_001.jpg, 0, 0` (path, class,
 * coarse class), the paths relative to their folder. The super-category is the first folder of the iconic image.
 */
import * as path from "node:path";
import { findBase } from "./layouts";
import { collectImages, fields, joined, readLines } from "./paths";
import type { RowReader } from "./row-reader";
import type { Group, ImageSet, Portion } from "./types";

const FILES: readonly (readonly [string, Portion])[] = [
  ["train.txt", "train"],
  ["val.txt", "validation"],
  ["test.txt", "test"],
];
const CLASS = /^([^,]+),(\d+),([^,]+),(\d+),\/?[^,/]+\/([^,/]+)\/[^,]+/;

const readable = (name: string): string => name.normalize("NFC").replace(/[-_]+/g, " ").trim();

/**
 * Reads the set; names as in classes.csv, hyphens read as spaces: `Golden-Delicious` is `Golden Delicious`.
 * @throws Error naming file and line
 */
export function readGrocery(root: string, rows: RowReader): ImageSet {
  const { base } = findBase(root, "grocery");
  const file = (name: string): string => path.join(root, base, name);
  const classes = new Map<string, { name: string; coarse: string }>();
  const groups = new Map<string, Required<Group>>();
  const listed = readLines(file("classes.csv"), rows).filter(({ text }) => !text.startsWith("Class Name"));
  rows.map(listed, (line) => {
    const [text, number, coarseName, coarse, domain] = fields(
      line,
      CLASS,
      "class, number, coarse class, its number, path of the iconic image",
    );
    const name = readable(text);
    if (classes.has(number)) throw new Error(`${line.where}: class ${number} a second time`);
    if (groups.has(name)) throw new Error(`${line.where}: the class "${name}" a second time`);
    classes.set(number, { name, coarse });
    groups.set(name, { domain: readable(domain), kin: readable(coarseName) });
  });
  const images = FILES.flatMap(([list, portion]) =>
    rows.map(readLines(file(list), rows), (line) => {
      const [image, number, coarse] = fields(line, /^(.+?)\s*,\s*(\d+)\s*,\s*(\d+)$/, "path, class, coarse class");
      const found = classes.get(number);
      if (found === undefined) throw new Error(`${line.where}: class ${number} is not in classes.csv`);
      if (found.coarse !== coarse)
        throw new Error(`${line.where}: coarse class ${coarse}; in classes.csv "${found.name}" has ${found.coarse}`);
      return { ...line, path: joined(base, image), name: found.name, portion };
    }),
  );
  return {
    name: "grocery",
    root,
    names: [...groups.keys()],
    images: collectImages(images, rows),
    groups,
    skipped: rows.skipped,
  };
}
