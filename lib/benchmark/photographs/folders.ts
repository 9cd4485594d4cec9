/** Any image set with a folder per class, or per super-category and class: `readFolders("data/sets/mine")`. */
import { readdirSync } from "node:fs";
import * as path from "node:path";
import { isPublishedName } from "../../formats/set-names";
import { fileReason } from "../../util/file-errors";
import { foldIn, random } from "../../util/random";
import { collectImages, folderName, isClutter, joined } from "./paths";
import type { Place } from "./row-reader";
import { readSplitFile } from "./split-file";
import type { Group, ImageSet, Portion, SetImage } from "./types";

const IMAGE = /\.(jpe?g|png|webp|gif|tiff?|avif|bmp)$/i;
const PORTION_FOLDERS: Readonly<Record<string, Portion>> = {
  train: "train",
  training: "train",
  val: "validation",
  valid: "validation",
  validation: "validation",
  test: "test",
};

export interface FolderOptions {
  /** Name of the set; the folder's name unless given, with `-folder` after it where that is a published set's. */
  name?: string;
  /**
   * Without `train/` and `test/` folders: the share of each class's images that is for the test, in [0, 1); 0.5 unless
   * given.
   */
  testShare?: number;
  /** Draws that share, per class. */
  seed?: number;
}

/** A class's folder of one portion. */
interface ClassFolder {
  /** Relative to the root. */
  at: string;
  /** Below the portion's folder: what the test share is drawn by. */
  key: string;
  name: string;
  /** Its super-category. */
  domain: string | null;
  files: string[];
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function entries(folder: string): { folders: string[]; images: string[] } {
  const all = readdirSync(folder, { withFileTypes: true }).filter((entry) => !isClutter(entry.name));
  const names = (of: typeof all): string[] => of.map((entry) => entry.name).sort(compare);
  return {
    folders: names(all.filter((entry) => entry.isDirectory())),
    images: names(all.filter((entry) => !entry.isDirectory() && IMAGE.test(entry.name))),
  };
}

/** The class folders of a portion: those that hold images, or of super-categories those in them. */
function classFolders(root: string, portion: string): ClassFolder[] {
  const one = (at: string, key: string, files: string[], domain: string | null): ClassFolder => {
    if (files.length === 0)
      throw new Error(`${path.join(root, at)}: no image in this class; remove the folder, or add images`);
    return { at, key, name: folderName(path.posix.basename(key)), domain, files };
  };
  return entries(path.join(root, portion)).folders.flatMap((top) => {
    const at = joined(portion, top);
    const { folders, images } = entries(path.join(root, at));
    if (folders.length === 0) return [one(at, top, images, null)];
    if (images.length > 0)
      throw new Error(
        `${path.join(root, at)}: images beside folders (${folders[0]}, …); a class has images alone, a super-category has class folders alone`,
      );
    return folders.map((sub) =>
      one(joined(at, sub), joined(top, sub), entries(path.join(root, at, sub)).images, folderName(top)),
    );
  });
}

/**
 * The super-category of each class; undefined where there are none.
 * @throws Error where a class has two, or only some have one
 */
function groupsOf(root: string, classes: readonly ClassFolder[]): Map<string, Group> | undefined {
  const first = new Map<string, ClassFolder>();
  for (const one of classes) {
    const before = first.get(one.name);
    if (before && before.domain !== one.domain)
      throw new Error(
        `${root}: "${one.name}" is in ${before.at} and in ${one.at}; a class has one super-category, and a name of its own`,
      );
    first.set(one.name, one);
  }
  const nested = classes.find(({ domain }) => domain !== null);
  if (!nested) return undefined;
  const flat = classes.find(({ domain }) => domain === null);
  if (flat)
    throw new Error(
      `${path.join(root, flat.at)}: a class beside super-categories (such as ${path.posix.dirname(nested.at)}); put it into one`,
    );
  return new Map([...first.values()].map(({ name, domain }) => [name, { domain: domain! }]));
}

/** What stands at the top of a set: the folders of portions, or one whole. */
function portionFolders(root: string): { folder: string; portion: Portion | null }[] {
  let top: string[];
  try {
    top = entries(root).folders;
  } catch (error) {
    throw new Error(`${root}: cannot be read: ${fileReason(error)}; a folder with one folder per class expected`);
  }
  const divided = top.length > 0 && top.every((folder) => Object.hasOwn(PORTION_FOLDERS, folder.toLowerCase()));
  return divided
    ? top.map((folder) => ({ folder, portion: PORTION_FOLDERS[folder.toLowerCase()] }))
    : [{ folder: "", portion: null }];
}

/**
 * Reads `root/CLASS/*.jpg` or `root/SUPER/CLASS/*.jpg`, each also below `train`, `val` and `test`. A class's name is
 * its folder's, `_` read as a space. Files that are no images by their ending are passed over. A split file at the root
 * (`seen.txt`, `unseen.txt`, `split.json`) says what is seen.
 * @throws Error where there is no such folder, no class in it, a class without an image, or a wrong split file
 */
export function readFolders(root: string, options: FolderOptions = {}): ImageSet {
  const { testShare = 0.5, seed = 0 } = options;
  if (!(testShare >= 0 && testShare < 1))
    throw new Error(`readFolders: testShare is ${testShare}; at least 0 and below 1 expected`);
  const parts = portionFolders(root).map((part) => ({ ...part, classes: classFolders(root, part.folder) }));
  const images = parts.flatMap(({ portion, classes }) =>
    classes.flatMap(({ at, key, name, files }): (SetImage & Place)[] => {
      const stream = random(foldIn(seed, "test", key.normalize("NFC")));
      const count = portion === null ? Math.round(testShare * files.length) : 0;
      const tested = new Set(stream.shuffle(files).slice(0, count));
      const where = path.join(root, at);
      return files.map((file) => ({
        path: joined(at, file),
        name,
        portion: portion ?? (tested.has(file) ? "test" : "train"),
        file: where,
        line: 0,
        where,
      }));
    }),
  );
  if (images.length === 0) throw new Error(`${root}: no class folder with images`);
  const names = [...new Set(images.map((image) => image.name))].sort(compare);
  const groups = groupsOf(
    root,
    parts.flatMap(({ classes }) => classes),
  );
  const seen = readSplitFile(root, names);
  return {
    name: options.name ?? nameOf(root),
    root: path.resolve(root),
    names,
    images: collectImages(images),
    ...(groups ? { groups } : {}),
    ...(seen ? { seen } : {}),
    skipped: [],
  };
}

/** A folder's name; never a published set's, whose split and questions are others. */
function nameOf(root: string): string {
  const name = path.basename(path.resolve(root)).normalize("NFC");
  return isPublishedName(name) ? `${name}-folder` : name;
}
