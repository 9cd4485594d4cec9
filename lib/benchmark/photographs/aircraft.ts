/**
 * FGVC-Aircraft (variants): `data/images_variant_{train,val,test}.txt` with lines `0034309 707-320`,
 * `data/images/*.jpg`.
 */
import * as path from "node:path";
import { findBase, imageFolder } from "./layouts";
import { collectImages, fields, joined, readLines } from "./paths";
import type { RowReader } from "./row-reader";
import type { ImageSet, Portion } from "./types";

const FILES: readonly (readonly [string, Portion])[] = [
  ["train", "train"],
  ["val", "validation"],
  ["test", "test"],
];

/** The released files put the maker before the variants of Boeing and Airbus: `707-320` is `Boeing 707-320`. */
export function releasedVariant(variant: string): string {
  const name = variant.normalize("NFC");
  if (/^7\d7-/.test(name)) return `Boeing ${name}`;
  return /^A3\d\d/.test(name) ? `Airbus ${name}` : name;
}

/** Reads the set. @throws Error naming file and line */
export function readAircraft(root: string, rows: RowReader): ImageSet {
  const { base, annotations } = findBase(root, "aircraft");
  const folder = imageFolder(root, base, "data/images");
  const file = (name: string): string => path.join(root, annotations, name);
  const names = readLines(file("variants.txt"), rows).map(({ text }) => releasedVariant(text));
  const known = new Set(names);
  const images = FILES.flatMap(([name, portion]) =>
    rows.map(readLines(file(`images_variant_${name}.txt`), rows), (line) => {
      const [id, variant] = fields(line, /^(\d+)\s+(.+)$/, "an image number and its variant");
      if (!known.has(releasedVariant(variant)))
        throw new Error(`${line.where}: variant ${JSON.stringify(variant)} is not in variants.txt`);
      return { ...line, path: joined(folder, `${id}.jpg`), name: releasedVariant(variant), portion };
    }),
  );
  return { name: "aircraft", root, names, images: collectImages(images, rows), skipped: rows.skipped };
}
