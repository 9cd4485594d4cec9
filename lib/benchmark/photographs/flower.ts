/**
 * Oxford Flowers-102: `imagelabels.mat` (labels), `setid.mat` (trnid, valid, tstid); `jpg/image_NNNNN.jpg`. The
 * publisher's training portion is `trnid`.
 */
import * as path from "node:path";
import { FLOWER_NAMES } from "./flower-names";
import { findBase, imageFolder } from "./layouts";
import { numbers, variable, whole } from "./mat-fields";
import { collectImages, joined } from "./paths";
import { elements, type RowReader } from "./row-reader";
import type { ImageSet, Portion } from "./types";

const IDS: readonly (readonly [string, Portion])[] = [
  ["trnid", "train"],
  ["valid", "validation"],
  ["tstid", "test"],
];

/**
 * Reads the set. Its names are those of the labels that its images have: all 102 in the whole set.
 * @throws Error naming file and element
 */
export function readFlower(root: string, rows: RowReader): ImageSet {
  const { base } = findBase(root, "flower");
  const folder = imageFolder(root, base, "jpg");
  const labelFile = path.join(root, base, "imagelabels.mat");
  const idFile = path.join(root, base, "setid.mat");
  const labels = numbers(variable(labelFile, "labels"), `${labelFile}, labels`);
  const images = IDS.flatMap(([name, portion]) =>
    rows.map(
      elements(numbers(variable(idFile, name), `${idFile}, ${name}`), idFile, name),
      ({ value, where, ...place }) => {
        const id = whole(value, where);
        const label = labels[id - 1] as number | undefined;
        if (label === undefined)
          throw new Error(`${where}: image ${id} has no label; ${labelFile} has ${labels.length}`);
        whole(label, `${labelFile}, labels, element ${id}`);
        if (!(label >= 1 && label <= FLOWER_NAMES.length))
          throw new Error(`${labelFile}, labels, element ${id}: ${label}; 1 to ${FLOWER_NAMES.length} expected`);
        return {
          path: joined(folder, `image_${String(id).padStart(5, "0")}.jpg`),
          name: FLOWER_NAMES[label - 1],
          portion,
          ...place,
          where,
        };
      },
    ),
  );
  const used = new Set(images.map((image) => image.name));
  return {
    name: "flower",
    root,
    names: FLOWER_NAMES.filter((name) => used.has(name)),
    images: collectImages(images, rows),
    skipped: rows.skipped,
  };
}
