/**
 * Stanford Cars: `devkit/cars_meta.mat` (class_names), `devkit/cars_train_annos.mat`, `cars_test_annos_withlabels.mat`
 * (annotations with class and fname); `cars_train/*.jpg`, `cars_test/*.jpg`.
 */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { integer, text, texts, variable } from "./mat-fields";
import { collectImages, findBase, joined } from "./paths";
import { elements, type Place, type RowReader } from "./row-reader";
import type { ImageSet, SetImage } from "./types";

/** Reads the set. @throws Error naming file and element */
export function readCar(root: string, rows: RowReader): ImageSet {
  const base = findBase(root, "devkit/cars_meta.mat", ["stanford_cars", "stanford-cars"]);
  const file = (name: string): string => {
    const found = ["", "devkit"]
      .map((folder) => path.join(root, base, folder, name))
      .find((candidate) => existsSync(candidate));
    if (found === undefined)
      throw new Error(`${path.join(root, base)}: no ${name}, nor in devkit; the publisher offers it beside the devkit`);
    return found;
  };
  const meta = file("cars_meta.mat");
  const names = texts(variable(meta, "class_names"), `${meta}, class_names`);
  const annotations = (name: string, portion: "train" | "test"): (SetImage & Place)[] => {
    const at = file(name);
    const value = variable(at, "annotations");
    if (value.kind !== "struct") throw new Error(`${at}, annotations: ${value.kind}; structures expected`);
    return rows.map(elements(value.records, at, "annotations"), ({ value: record, where, ...place }) => {
      const label = integer(record.class, `${where}, class`);
      if (!(label >= 1 && label <= names.length))
        throw new Error(`${where}, class: ${label}; 1 to ${names.length} expected`);
      return {
        path: joined(base, `cars_${portion}`, text(record.fname, `${where}, fname`)),
        name: names[label - 1],
        portion,
        ...place,
        where,
      };
    });
  };
  return {
    name: "car",
    root,
    names,
    images: collectImages(
      [...annotations("cars_train_annos.mat", "train"), ...annotations("cars_test_annos_withlabels.mat", "test")],
      rows,
    ),
    skipped: rows.skipped,
  };
}
