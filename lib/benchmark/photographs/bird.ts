/**
 * CUB-200-2011: `images.txt`, `image_class_labels.txt`, `train_test_split.txt`, `classes.txt`;
 * `images/NNN.Class/*.jpg`.
 */
import * as path from "node:path";
import { findBase, imageFolder } from "./layouts";
import { collectImages, joined, readPairs, titleCase, type Valued } from "./paths";
import type { RowReader } from "./row-reader";
import type { ImageSet } from "./types";

/**
 * Reads the set. Names as in the released Stage-1 file: `190.Red_cockaded_Woodpecker` is `Red Cockaded Woodpecker`.
 * @throws Error naming file and line
 */
export function readBird(root: string, rows: RowReader): ImageSet {
  const { base } = findBase(root, "bird");
  const folder = imageFolder(root, base, "images");
  const file = (name: string): string => path.join(root, base, name);
  const classes = readPairs(file("classes.txt"), /^(\d+)\s+\d+\.(\S+)$/, "a class number and NNN.Class_name", rows);
  const labels = readPairs(
    file("image_class_labels.txt"),
    /^(\d+)\s+(\d+)$/,
    "an image number and a class number",
    rows,
  );
  const split = readPairs(
    file("train_test_split.txt"),
    /^(\d+)\s+([01])$/,
    "an image number and 0 (test) or 1 (training)",
    rows,
  );
  const paths = readPairs(file("images.txt"), /^(\d+)\s+(\S+)$/, "an image number and its path", rows);
  const numbered = (pairs: Map<string, Valued>): (Valued & { id: string })[] =>
    [...pairs].map(([id, line]) => ({ ...line, id }));
  const images = rows.map(numbered(paths), ({ id, value, where, ...place }) => {
    const label = labels.get(id);
    const training = split.get(id);
    if (label === undefined) throw new Error(`${where}: image ${id} is not in image_class_labels.txt`);
    if (training === undefined) throw new Error(`${where}: image ${id} is not in train_test_split.txt`);
    const name = classes.get(label.value);
    if (name === undefined) throw new Error(`${label.where}: class ${label.value} is not in classes.txt`);
    return {
      ...place,
      where,
      path: joined(folder, value),
      name: titleCase(name.value),
      portion: training.value === "1" ? ("train" as const) : ("test" as const),
    };
  });
  for (const [name, pairs] of [
    ["image_class_labels.txt", labels],
    ["train_test_split.txt", split],
  ] as const) {
    rows.map(numbered(pairs), ({ id, where }) => {
      if (!paths.has(id)) throw new Error(`${where}: image ${id} of ${name} is not in images.txt`);
    });
  }
  return {
    name: "bird",
    root,
    names: [...classes.values()].map(({ value }) => titleCase(value)),
    images: collectImages(images, rows),
    skipped: rows.skipped,
  };
}
