/**
 * Stanford Cars: `devkit/cars_meta.mat` (class_names), `devkit/cars_train_annos.mat`, `cars_test_annos_withlabels.mat`
 * (annotations with class and fname); `cars_train/*.jpg`, `cars_test/*.jpg`.
 */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { findBase, imageFolder } from "./layouts";
import { integer, text, texts, variable } from "./mat-fields";
import { collectImages, joined } from "./paths";
import { elements, type Place, type RowReader } from "./row-reader";
import type { ImageSet, SetImage } from "./types";

/** How the file of test labels is called, by the publisher and as browsers save it from mirrors. */
const TEST_LABELS = ["cars_test_annos_withlabels.mat", "cars_test_annos_withlabels (1).mat"];

/** Reads the set. @throws Error naming file and element */
export function readCar(root: string, rows: RowReader): ImageSet {
  const { base, annotations: devkit } = findBase(root, "car");
  const file = (...names: string[]): string => {
    const found = [base, devkit, ""]
      .flatMap((folder) => names.map((name) => path.join(root, folder, name)))
      .find((candidate) => existsSync(candidate));
    if (found === undefined)
      throw new Error(
        `${path.join(root, base)}: no ${names[0]}, nor in ${devkit}; it is offered beside the devkit (\`data check car\` says where)`,
      );
    return found;
  };
  const meta = file("cars_meta.mat");
  const names = texts(variable(meta, "class_names"), `${meta}, class_names`).map((name) => name.normalize("NFC"));
  const annotations = (at: string, portion: "train" | "test"): (SetImage & Place)[] => {
    const folder = imageFolder(root, base, `cars_${portion}`);
    const value = variable(at, "annotations");
    if (value.kind !== "struct") throw new Error(`${at}, annotations: ${value.kind}; structures expected`);
    return rows.map(elements(value.records, at, "annotations"), ({ value: record, where, ...place }) => {
      const label = integer(record.class, `${where}, class`);
      if (!(label >= 1 && label <= names.length))
        throw new Error(`${where}, class: ${label}; 1 to ${names.length} expected`);
      return {
        path: joined(folder, text(record.fname, `${where}, fname`)),
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
      [...annotations(file("cars_train_annos.mat"), "train"), ...annotations(file(...TEST_LABELS), "test")],
      rows,
    ),
    skipped: rows.skipped,
  };
}
