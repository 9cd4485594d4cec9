/** Oxford-IIIT Pet: `annotations/{list,trainval,test}.txt` with lines `Abyssinian_100 1 1 1`; `images/*.jpg`. */
import * as path from "node:path";
import { findBase, imageFolder } from "./layouts";
import { collectImages, fields, joined, readLines, titleCase, type Line } from "./paths";
import type { RowReader } from "./row-reader";
import type { ImageSet } from "./types";

/**
 * Reads the set; `trainval` is the training portion. Names: `american_bulldog_203` is `American Bulldog`.
 * @throws Error naming file and line
 */
export function readPet(root: string, rows: RowReader): ImageSet {
  const { base, annotations } = findBase(root, "pet");
  const folder = imageFolder(root, base, "images");
  const read = (name: string): (Line & { id: string; label: string })[] =>
    rows.map(
      readLines(path.join(root, annotations, name), rows).filter(({ text }) => !text.startsWith("#")),
      (line) => {
        const [id, label] = fields(line, /^(\S+)\s+(\d+)\s+[12]\s+\d+$/, "image, class, species and breed");
        return { ...line, id, label };
      },
    );
  const breeds = new Map<string, string>();
  const listed = new Map<string, string>();
  rows.map(read("list.txt"), ({ id, label, where }) => {
    const name = titleCase(id.replace(/_\d+$/, ""));
    const before = breeds.get(label) ?? name;
    if (before !== name) throw new Error(`${where}: class ${label} for ${name}, elsewhere for ${before}`);
    if (listed.has(id)) throw new Error(`${where}: ${id} a second time`);
    breeds.set(label, name);
    listed.set(id, label);
  });
  const images = (["train", "test"] as const).flatMap((portion) =>
    rows.map(read(portion === "train" ? "trainval.txt" : "test.txt"), ({ id, label, where, ...place }) => {
      if (listed.get(id) !== label)
        throw new Error(`${where}: ${id} has class ${label}, in list.txt ${listed.get(id) ?? "it is missing"}`);
      return { path: joined(folder, `${id}.jpg`), name: breeds.get(label)!, portion, ...place, where };
    }),
  );
  return {
    name: "pet",
    root,
    names: [...breeds].sort(([a], [b]) => Number(a) - Number(b)).map(([, name]) => name),
    images: collectImages(images, rows),
    skipped: rows.skipped,
  };
}
