/**
 * Where the parts of a published layout are. Publishers' archives and their mirrors put the same files below a wrapper
 * folder or two (`fgvc-aircraft-2013b/data`, `dataset/classes.csv`), and some double a folder
 * (`cars_train/cars_train`).
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import * as path from "node:path";
import { PUBLISHED_NAMES, type PublishedName } from "../../formats/set-names";
import { isClutter, joined } from "./paths";

/** Files that tell a layout. */
interface Layout {
  /** Where its first annotation file may be, relative to the folder that holds the set. */
  readonly markers: readonly string[];
  /** Files beside it that only this layout has. */
  readonly beside: readonly string[];
}

const LAYOUTS: Readonly<Record<PublishedName, Layout>> = {
  aircraft: { markers: ["data/images_variant_train.txt"], beside: ["variants.txt"] },
  bird: { markers: ["image_class_labels.txt"], beside: ["train_test_split.txt", "classes.txt"] },
  car: {
    markers: [
      "devkit/cars_meta.mat",
      "car_devkit/devkit/cars_meta.mat",
      "devkit/devkit/cars_meta.mat",
      "car_devkit/cars_meta.mat",
    ],
    beside: ["cars_train_annos.mat"],
  },
  dog: { markers: ["train_list.mat", "lists/train_list.mat"], beside: ["test_list.mat"] },
  flower: { markers: ["imagelabels.mat"], beside: ["setid.mat"] },
  pet: { markers: ["annotations/list.txt"], beside: ["trainval.txt", "test.txt"] },
  grocery: { markers: ["classes.csv"], beside: ["train.txt", "test.txt"] },
};

/** How many wrapper folders may be above a marker. */
const WRAPPERS = 2;

const folderOf = (file: string): string => (file.includes("/") ? path.posix.dirname(file) : "");

const isFolder = (at: string): boolean => statSync(at, { throwIfNoEntry: false })?.isDirectory() ?? false;

const foldersIn = (root: string, folder: string): string[] =>
  readdirSync(path.join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !isClutter(entry.name))
    .map((entry) => joined(folder, entry.name))
    .sort();

/** The folders at each depth below `root`, relative to it: `[""]`, then its folders, then theirs. */
function* wrappers(root: string): Generator<string[]> {
  let level = [""];
  for (let depth = 0; ; depth++) {
    yield level;
    if (depth === WRAPPERS) return;
    level = level.flatMap((folder) => foldersIn(root, folder));
  }
}

/** A set's place below a root; both relative to the root, "" for the root itself. */
export interface Base {
  /** The folder that holds the set. */
  base: string;
  /** The folder of its first annotation file. */
  annotations: string;
}

/**
 * Finds a set's annotation files in `root`, or in a folder or two below.
 * @throws Error naming what was looked for
 */
export function findBase(root: string, name: PublishedName): Base {
  const { markers } = LAYOUTS[name];
  for (const level of wrappers(root)) {
    for (const base of level) {
      const marker = markers.find((one) => existsSync(path.join(root, base, one)));
      if (marker !== undefined) return { base, annotations: joined(base, folderOf(marker)) };
    }
  }
  const [first, ...others] = markers;
  const elsewhere = [...others.map(folderOf), "a folder or two below"];
  throw new Error(`${root}: no ${first}, nor in ${elsewhere.join(", ")}; unpack the publisher's files there`);
}

/**
 * The folder of images called `folder`: beside the annotations or in a folder around them, doubled (`images/images`) or
 * not; else wherever it is in a folder or two below the root.
 * @returns relative to the root; where the publisher has it, if there is none
 */
export function imageFolder(root: string, base: string, folder: string): string {
  const around = base.split("/").map((_, i, parts) => parts.slice(0, parts.length - i).join("/"));
  const candidates = [...new Set([...around, ""])];
  const last = path.posix.basename(folder);
  const find = (at: string): string | undefined =>
    [joined(at, folder, last), joined(at, folder)].find((one) => isFolder(path.join(root, one)));
  for (const at of candidates) {
    const found = find(at);
    if (found !== undefined) return found;
  }
  for (const level of wrappers(root)) {
    const found = level.map(find).find((one) => one !== undefined);
    if (found !== undefined) return found;
  }
  return joined(base, folder);
}

/**
 * Which published layout a folder has, itself or in a folder or two below.
 * @returns null where it has none of them
 * @throws Error where it holds several sets
 */
export function detectSet(root: string): PublishedName | null {
  if (!isFolder(root)) return null;
  const folders = [...wrappers(root)].flat().map((base) => path.join(root, base));
  const found = PUBLISHED_NAMES.filter((name) => folders.some((folder) => hasLayout(folder, name)));
  if (found.length > 1)
    throw new Error(`${root}: holds ${found.length} image sets (${found.join(", ")}); give the folder of one of them`);
  return found.at(0) ?? null;
}

function hasLayout(folder: string, name: PublishedName): boolean {
  const { markers, beside } = LAYOUTS[name];
  return markers.some((marker) =>
    [marker, ...beside.map((file) => joined(folderOf(marker), file))].every((file) =>
      existsSync(path.join(folder, file)),
    ),
  );
}
