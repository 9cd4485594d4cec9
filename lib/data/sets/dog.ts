/** Stanford Dogs: `train_list.mat`, `test_list.mat` (file_list, labels; in `lists/` or the root); `Images/nNNNNNNNN-name/*.jpg`. */
import * as path from "node:path";
import { integers, texts, variable } from "./mat-fields";
import { collectImages, findBase, joined, titleCase } from "./paths";
import type { ImageSet, SetImage } from "./types";

/** Reads the set. Names as in the released Stage-1 file: `n02098105-soft-coated_wheaten_terrier` is `Soft Coated Wheaten Terrier`. @throws Error naming file and element */
export function readDog(root: string): ImageSet {
  const base = findBase(root, "train_list.mat", ["lists"]);
  const byLabel = new Map<number, string>();
  const list = (name: string, portion: "train" | "test"): (SetImage & { where: string })[] => {
    const file = path.join(root, base, name);
    const files = texts(variable(file, "file_list"), `${file}, file_list`);
    const labels = integers(variable(file, "labels"), `${file}, labels`);
    if (labels.length !== files.length) throw new Error(`${file}: ${files.length} files and ${labels.length} labels`);
    return files.map((image, i) => {
      const where = `${file}, file_list, element ${i + 1}`;
      const match = /^n\d{8}-([^/]+)\/[^/]+$/.exec(image);
      if (!match) throw new Error(`${where}: ${JSON.stringify(image.slice(0, 80))}; nNNNNNNNN-name/file.jpg expected`);
      const breed = titleCase(match[1]);
      const before = byLabel.get(labels[i]) ?? breed;
      if (before !== breed) throw new Error(`${where}: label ${labels[i]} for ${breed}, elsewhere for ${before}`);
      byLabel.set(labels[i], breed);
      return { path: joined("Images", image), name: breed, portion, where };
    });
  };
  const images = collectImages([...list("train_list.mat", "train"), ...list("test_list.mat", "test")]);
  return { name: "dog", root, names: [...byLabel].sort(([a], [b]) => a - b).map(([, name]) => name), images };
}
