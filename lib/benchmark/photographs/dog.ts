/**
 * Stanford Dogs: `train_list.mat`, `test_list.mat` (file_list, labels; in `lists/` or the root);
 * `Images/nNNNNNNNN-name/*.jpg`.
 */
import * as path from "node:path";
import { findBase, imageFolder } from "./layouts";
import { cells, numbers, text, variable, whole } from "./mat-fields";
import { collectImages, joined, titleCase } from "./paths";
import { elements, type Place, type RowReader } from "./row-reader";
import type { ImageSet, SetImage } from "./types";

/**
 * Reads the set. Names as in the released Stage-1 file: `n02098105-soft-coated_wheaten_terrier` is
 * `Soft Coated Wheaten Terrier`.
 * @throws Error naming file and element
 */
export function readDog(root: string, rows: RowReader): ImageSet {
  const { base, annotations } = findBase(root, "dog");
  const folder = imageFolder(root, base, "Images");
  const byLabel = new Map<number, string>();
  const list = (name: string, portion: "train" | "test"): (SetImage & Place)[] => {
    const file = path.join(root, annotations, name);
    const files = cells(variable(file, "file_list"), `${file}, file_list`);
    const labels = numbers(variable(file, "labels"), `${file}, labels`);
    if (labels.length !== files.length) throw new Error(`${file}: ${files.length} files and ${labels.length} labels`);
    return rows.map(elements(files, file, "file_list"), ({ value, index: i, where, ...place }) => {
      const image = text(value, where);
      whole(labels[i], `${file}, labels, element ${i + 1}`);
      const match = /^n\d{8}-([^/]+)\/[^/]+$/.exec(image);
      if (!match) throw new Error(`${where}: ${JSON.stringify(image.slice(0, 80))}; nNNNNNNNN-name/file.jpg expected`);
      const breed = titleCase(match[1]);
      const before = byLabel.get(labels[i]) ?? breed;
      if (before !== breed) throw new Error(`${where}: label ${labels[i]} for ${breed}, elsewhere for ${before}`);
      byLabel.set(labels[i], breed);
      return { path: joined(folder, image), name: breed, portion, ...place, where };
    });
  };
  const images = collectImages([...list("train_list.mat", "train"), ...list("test_list.mat", "test")], rows);
  return {
    name: "dog",
    root,
    names: [...byLabel].sort(([a], [b]) => a - b).map(([, name]) => name),
    images,
    skipped: rows.skipped,
  };
}
