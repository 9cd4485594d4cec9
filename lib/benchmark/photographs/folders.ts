/** Any image set with a folder per class: `readFolders("data/sets/mine")`. */
import { readdirSync } from "node:fs";
import * as path from "node:path";
import { foldIn, random } from "../../util/random";
import { collectImages, joined } from "./paths";
import type { Place } from "./row-reader";
import type { ImageSet, Portion, SetImage } from "./types";

const IMAGE = /\.(jpe?g|png|webp|gif|tiff?|avif)$/i;
const PORTION_FOLDERS: Readonly<Record<string, Portion>> = {
  train: "train",
  training: "train",
  val: "validation",
  valid: "validation",
  validation: "validation",
  test: "test",
};

export interface FolderOptions {
  /** Name of the set; the folder's name unless given. */
  name?: string;
  /** Without `train/` and `test/` folders: the share of each class's images that is for the test, in [0, 1); 0.5 unless given. */
  testShare?: number;
  /** Draws that share, per class. */
  seed?: number;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function entries(folder: string): { name: string; isFolder: boolean }[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.name.startsWith("."))
    .map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }))
    .sort((a, b) => compare(a.name, b.name));
}

/**
 * Reads `root/CLASS/*.jpg`, or `root/{train,val,test}/CLASS/*.jpg`. A class's name is its folder's, `_` read as a space.
 * Files that are no images by their ending are passed over.
 * @throws Error where there is no such folder, no class in it, or a class without an image
 */
export function readFolders(root: string, options: FolderOptions = {}): ImageSet {
  const { name = path.basename(path.resolve(root)), testShare = 0.5, seed = 0 } = options;
  if (!(testShare >= 0 && testShare < 1))
    throw new Error(`readFolders: testShare is ${testShare}; at least 0 and below 1 expected`);
  let top: { name: string; isFolder: boolean }[];
  try {
    top = entries(root).filter(({ isFolder }) => isFolder);
  } catch (error) {
    throw new Error(
      `${root}: cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown error"}); a folder with one folder per class expected`,
    );
  }
  const divided = top.length > 0 && top.every((entry) => Object.hasOwn(PORTION_FOLDERS, entry.name.toLowerCase()));
  const parts: { folder: string; portion: Portion | null }[] = divided
    ? top.map((entry) => ({ folder: entry.name, portion: PORTION_FOLDERS[entry.name.toLowerCase()] }))
    : [{ folder: "", portion: null }];
  const images: (SetImage & Place)[] = [];
  for (const { folder, portion } of parts) {
    for (const sub of entries(path.join(root, folder)).filter(({ isFolder }) => isFolder)) {
      const at = joined(folder, sub.name);
      const files = entries(path.join(root, at))
        .filter((entry) => !entry.isFolder && IMAGE.test(entry.name))
        .map((entry) => entry.name);
      if (files.length === 0)
        throw new Error(`${path.join(root, at)}: no image in this class; remove the folder, or add images`);
      const tested = new Set(
        portion === null
          ? random(foldIn(seed, "test", sub.name))
              .shuffle(files)
              .slice(0, Math.round(testShare * files.length))
          : [],
      );
      const label = sub.name.replace(/_/g, " ").trim();
      for (const file of files)
        images.push({
          path: joined(at, file),
          name: label,
          portion: portion ?? (tested.has(file) ? "test" : "train"),
          file: path.join(root, at),
          line: 0,
          where: path.join(root, at),
        });
    }
  }
  if (images.length === 0) throw new Error(`${root}: no class folder with images`);
  return {
    name,
    root: path.resolve(root),
    names: [...new Set(images.map((image) => image.name))].sort(compare),
    images: collectImages(images),
    skipped: [],
  };
}
