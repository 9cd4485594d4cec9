/** FGVC-Aircraft (variants): `data/images_variant_{train,val,test}.txt` with lines `0034309 707-320`, `data/images/*.jpg`. */
import * as path from "node:path";
import { collectImages, fields, findBase, joined, readLines } from "./paths";
import type { RowReader } from "./row-reader";
import type { ImageSet, Portion } from "./types";

const FILES: readonly (readonly [string, Portion])[] = [
  ["train", "train"],
  ["val", "validation"],
  ["test", "test"],
];

/** The released files put the maker before the variants of Boeing and Airbus: `707-320` is `Boeing 707-320`. */
export function releasedVariant(variant: string): string {
  if (/^7\d7-/.test(variant)) return `Boeing ${variant}`;
  return /^A3\d\d/.test(variant) ? `Airbus ${variant}` : variant;
}

/** Reads the set. @throws Error naming file and line */
export function readAircraft(root: string, rows: RowReader): ImageSet {
  const base = findBase(root, "data/images_variant_train.txt", ["fgvc-aircraft-2013b"]);
  const file = (name: string): string => path.join(root, base, "data", name);
  const names = readLines(file("variants.txt"), rows).map(({ text }) => releasedVariant(text));
  const known = new Set(names);
  const images = FILES.flatMap(([name, portion]) =>
    rows.map(readLines(file(`images_variant_${name}.txt`), rows), (line) => {
      const [id, variant] = fields(line, /^(\d+)\s+(.+)$/, "an image number and its variant");
      if (!known.has(releasedVariant(variant)))
        throw new Error(`${line.where}: variant ${JSON.stringify(variant)} is not in variants.txt`);
      return { ...line, path: joined(base, "data/images", `${id}.jpg`), name: releasedVariant(variant), portion };
    }),
  );
  return { name: "aircraft", root, names, images: collectImages(images, rows), skipped: rows.skipped };
}
