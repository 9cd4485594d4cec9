/** Small image sets on disk, in the publishers' layouts. The .mat files are scipy's: test/fixtures/sets/make.py. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterAll } from "vitest";

const fixtures = path.resolve(__dirname, "../../fixtures/sets");

/** A folder that is removed after the tests of a file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "sets-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes files below a root: text, bytes, or `mat:NAME` for a fixture. */
export function writeTree(root: string, files: Readonly<Record<string, string | Uint8Array>>): string {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(root, name);
    mkdirSync(path.dirname(file), { recursive: true });
    if (typeof content === "string" && content.startsWith("mat:"))
      copyFileSync(path.join(fixtures, content.slice(4)), file);
    else writeFileSync(file, content);
  }
  return root;
}

/** Annotation files of five sets' miniatures. */
export const trees = {
  aircraft: {
    "fgvc-aircraft-2013b/data/variants.txt": "707-320\nA300B4\nMD-87\n",
    "fgvc-aircraft-2013b/data/images_variant_train.txt": "0034309 707-320\n0034958 MD-87\n",
    "fgvc-aircraft-2013b/data/images_variant_val.txt": "1000001 A300B4\n",
    "fgvc-aircraft-2013b/data/images_variant_test.txt": "1514522 707-320\r\n0747566 A300B4\r\n",
  },
  bird: {
    "classes.txt": "1 001.Black_footed_Albatross\n2 002.Laysan_Albatross\n",
    "images.txt":
      "1 001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg\n2 002.Laysan_Albatross/Laysan_1.jpg\n3 002.Laysan_Albatross/Laysan_2.jpg\n",
    "image_class_labels.txt": "1 1\n2 2\n3 2\n",
    "train_test_split.txt": "1 0\n2 1\n3 0\n",
  },
  car: {
    "devkit/cars_meta.mat": "mat:cars_meta.mat",
    "devkit/cars_train_annos.mat": "mat:cars_train_annos.mat",
    "cars_test_annos_withlabels.mat": "mat:cars_test_annos_withlabels.mat",
  },
  dog: { "lists/train_list.mat": "mat:train_list.mat", "lists/test_list.mat": "mat:test_list.mat" },
  flower: { "imagelabels.mat": "mat:imagelabels.mat", "setid.mat": "mat:setid.mat" },
  pet: {
    "annotations/list.txt":
      "#Image CLASS-ID SPECIES BREED ID\nAbyssinian_100 1 1 1\nAbyssinian_101 1 1 1\namerican_bulldog_203 2 2 1\namerican_bulldog_1 2 2 1\n",
    "annotations/trainval.txt": "Abyssinian_100 1 1 1\namerican_bulldog_1 2 2 1\n",
    "annotations/test.txt": "Abyssinian_101 1 1 1\namerican_bulldog_203 2 2 1\n",
  },
} as const;
