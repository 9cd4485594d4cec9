/**
 * Miniatures of all published layouts with real images: found by their marker files, divided, and opened as benchmarks.
 */
import { cpSync, mkdirSync, renameSync } from "node:fs";
import * as path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import {
  detectSet,
  factsOf,
  openImageSet,
  PUBLISHED_NAMES,
  readImageSet,
  SET_NAMES,
  setDescription,
  splitOf,
  type PublishedName,
} from "../../../lib/benchmark/photographs";
import { checkImageSet } from "../../../lib/benchmark/photographs/check";
import { openBenchmark } from "../../../lib/benchmark/open";
import { writeMiniature } from "../../helpers/miniature-sets";
import { temporaryFolder, writeTree } from "./trees";

const folder = temporaryFolder();
const sets = path.join(folder, "sets");
const at = (name: PublishedName): string => path.join(sets, name);

beforeAll(async () => {
  for (const name of PUBLISHED_NAMES) await writeMiniature(name, at(name));
});

describe("each published layout", () => {
  it.each<[PublishedName, string, number, number]>([
    ["aircraft", "released (10 of 100 published sub-categories)", 5, 5],
    ["bird", "stage-1 (11 of 200 published sub-categories)", 6, 5],
    ["car", "complement (10 of 196 published sub-categories)", 5, 5],
    ["dog", "stage-1 (12 of 120 published sub-categories)", 7, 5],
    ["flower", "complement (10 of 102 published sub-categories)", 5, 5],
    ["pet", "released (10 of 37 published sub-categories)", 5, 5],
    ["grocery", "seeded", 9, 6],
  ])("%s: all images are there, both sides have sub-categories", async (name, source, seen, unseen) => {
    expect(detectSet(at(name))).toBe(name);
    const report = await checkImageSet(name, at(name), { decode: true });
    expect(report).toMatchObject({
      problem: null,
      missing: [],
      unreadable: [],
      duplicates: [],
      division: { source, seen, unseen },
      subcategories: { listed: seen + unseen, published: factsOf(name).subcategories },
    });
    const { train, test } = report.portions;
    expect([train.found, test.found]).toEqual([6 * (seen + unseen), 3 * (seen + unseen)]);
    const benchmark = await openBenchmark({ benchmark: name, sets });
    expect(benchmark.images("fewshot")).toHaveLength(4 * (seen + unseen));
    expect(benchmark.images("dev")).toHaveLength(2 * (seen + unseen));
    expect(benchmark.images("test").every(({ file }) => file !== null)).toBe(true);
    const sides = await openBenchmark({ benchmark: at(name) }); // by the folder's path
    expect(sides.fingerprint).toBe(benchmark.fingerprint);
  });

  it("released questions find the miniatures' images", async () => {
    for (const name of ["aircraft", "pet"] as const) {
      const benchmark = await openBenchmark({ benchmark: name, sets });
      const { questions } = benchmark.questions!({ setting: "closed" })!;
      expect(questions.filter(({ image }) => image !== null)).toHaveLength(30);
    }
  });

  it("is described: title, question, kind", () => {
    expect(setDescription("pet").kind("pet")).toBe("cat or dog");
    for (const name of SET_NAMES) {
      const { title, question, kind } = setDescription(name);
      expect([title, kind(name)]).toEqual([factsOf(name).title, name === "pet" ? "cat or dog" : name]);
      expect(question(name)).toMatch(/^What .*\?$/);
    }
    const { title, question, kind } = setDescription("grocery");
    expect(title).toBe("Grocery Store Dataset");
    expect(["Fruit", "Packages", "Vegetables"].map((domain) => [question(domain), kind(domain)])).toEqual([
      ["What type of fruit is shown in the image?", "fruit"],
      ["What packaged product is shown in the image?", "packaged product"],
      ["What type of vegetable is shown in the image?", "vegetable"],
    ]);
    expect(factsOf("grocery")).not.toHaveProperty("paper");
    expect(SET_NAMES).toHaveLength(6);
  });
});

describe("Grocery Store Dataset", () => {
  it("names, super-categories and coarse classes of classes.csv, three portions", () => {
    const set = readImageSet("grocery", at("grocery"));
    expect([set.names[0], set.names[8], set.names.length]).toEqual([
      "Golden Delicious",
      "Garant Ecological Standard Milk",
      15,
    ]);
    expect(set.groups!.get("Vine Tomato")).toEqual({ domain: "Vegetables", kin: "Tomato" });
    expect(set.images.find(({ portion }) => portion === "validation")).toEqual({
      path: "dataset/val/Fruit/Apple/Golden-Delicious/Golden-Delicious_001.jpg",
      name: "Golden Delicious",
      portion: "validation",
    });
    const { seen } = splitOf(set);
    const domains = ["Fruit", "Packages", "Vegetables"];
    expect(domains.map((one) => seen.filter((name) => set.groups!.get(name)!.domain === one).length)).toEqual([
      3, 3, 3,
    ]);
  });

  it("its root is the clone, its dataset folder, or a folder that holds either", async () => {
    const [clone, dataset] = [at("grocery"), path.join(at("grocery"), "dataset")];
    const around = path.join(folder, "around");
    cpSync(clone, path.join(around, "GroceryStoreDataset"), { recursive: true });
    for (const root of [clone, dataset, around]) {
      const set = openImageSet(root);
      expect([set.name, set.images.length]).toEqual(["grocery", 15 * 11]);
      expect((await checkImageSet("grocery", root)).missing).toEqual([]);
    }
  });

  it.each<[Record<string, string>, RegExp]>([
    [{ "train.txt": "train/a.jpg, 99, 0\n" }, /train\.txt, line 1: class 99 is not in classes\.csv/],
    [{ "train.txt": "train/a.jpg, 0, 5\n" }, /line 1: coarse class 5; in classes\.csv "Golden Delicious" has 0/],
    [{ "test.txt": "test/a.jpg 0\n" }, /test\.txt, line 1: .*expected path, class, coarse class/],
    [{ "val.txt": "../a.jpg, 0, 0\n" }, /val\.txt, line 1: .* is no path below/],
    [{ "classes.csv": "Apple,0,Apple\n" }, /classes\.csv, line 1: .*expected class, number/],
  ])("a bad row names file and line, or is left out: %j", (files, message) => {
    const root = path.join(folder, `bad-${Object.keys(files)[0]}-${message.source.length}`);
    cpSync(path.join(at("grocery"), "dataset"), root, { recursive: true, filter: (file) => !file.endsWith(".jpg") });
    writeTree(root, files);
    expect(() => readImageSet("grocery", root)).toThrow(message);
    expect(readImageSet("grocery", root, "skip").skipped.length).toBeGreaterThan(0);
  });

  it("absent: one command gets it", async () => {
    const clone = /git clone https:\/\/github\.com\/marcusklasson\/GroceryStoreDataset data\/sets\/grocery/;
    const none = path.join(folder, "no-sets");
    expect(() => openImageSet("grocery", { setsFolder: none })).toThrow(clone);
    const report = await checkImageSet("grocery", path.join(none, "grocery"));
    expect([report.status, report.problem]).toEqual(["absent", expect.stringMatching(clone)]);
  });
});

describe("folders that are not as the publisher's", () => {
  it("doubled folders and wrappers of mirrors", async () => {
    const car = path.join(folder, "car-mirror");
    cpSync(at("car"), car, { recursive: true });
    for (const portion of ["cars_train", "cars_test"]) {
      renameSync(path.join(car, portion), path.join(car, "moved"));
      mkdirSync(path.join(car, portion));
      renameSync(path.join(car, "moved"), path.join(car, portion, portion));
    }
    mkdirSync(path.join(car, "car_devkit"));
    renameSync(path.join(car, "devkit"), path.join(car, "car_devkit/devkit"));
    renameSync(path.join(car, "cars_test_annos_withlabels.mat"), path.join(car, "cars_test_annos_withlabels (1).mat"));
    const pet = path.join(folder, "pet-mirror/archive");
    cpSync(path.join(at("pet"), "images"), path.join(pet, "images/images"), { recursive: true });
    cpSync(path.join(at("pet"), "annotations"), path.join(pet, "annotations/annotations"), { recursive: true });
    const dog = path.join(folder, "dog-mirror");
    cpSync(path.join(at("dog"), "Images"), path.join(dog, "images/Images"), { recursive: true });
    cpSync(path.join(at("dog"), "lists"), path.join(dog, "lists"), { recursive: true });
    const two = path.join(folder, "aircraft-mirror");
    cpSync(at("aircraft"), path.join(two, "archive"), { recursive: true });
    for (const [name, root] of [
      ["car", car],
      ["pet", path.dirname(pet)],
      ["dog", dog],
      ["aircraft", two],
    ] as const) {
      expect(detectSet(root), name).toBe(name);
      const report = await checkImageSet(path.basename(root), root); // not under the set's name
      expect(report, name).toMatchObject({ title: factsOf(name).title, problem: null, missing: [] });
      expect(report.portions.train.found).toBeGreaterThan(0);
    }
    const [image] = readImageSet("car", car).images;
    expect(image.path).toMatch(/^cars_train\/cars_train\/\d+\.jpg$/);
  });

  it("Stanford Cars: its page is gone, and what people use is named", async () => {
    const { problem, source } = await checkImageSet("car", path.join(folder, "no-car"));
    expect(problem).toMatch(/page is gone.*jessicali9530.*cars_test_annos_withlabels\.mat/);
    expect(source!.page).toMatch(/gone/);
    expect(() => openImageSet("car", { setsFolder: path.join(folder, "none") })).toThrow(/page is gone/);
  });

  it("are opened by name, by the sets' folder, or by path; several sets in one, and none, are errors", () => {
    cpSync(at("pet"), path.join(sets, "my-pets"), { recursive: true });
    const own = writeTree(path.join(sets, "own"), { "a/1.jpg": "", "b/1.jpg": "" });
    expect(openImageSet("my-pets", { setsFolder: sets }).name).toBe("pet");
    expect(openImageSet("own", { setsFolder: sets }).names).toEqual(["a", "b"]);
    expect(openImageSet(own).name).toBe("own");
    expect(detectSet(own)).toBeNull();
    expect(detectSet(path.join(folder, "nowhere"))).toBeNull();
    expect(() => detectSet(sets)).toThrow(/holds 7 image sets \(aircraft, .*\); give the folder of one of them/);
    expect(() => openImageSet("nowhere", { setsFolder: sets })).toThrow(
      /no benchmark "nowhere": neither emoji-fgvr, nor a set's name/,
    );
    expect(() => openImageSet(path.join(own, "a/1.jpg"))).toThrow(/1\.jpg: a file; an image set is a folder/);
    expect(() => openImageSet("")).toThrow(/no benchmark ""/);
  });

  it("a leak is one of the duplicates, and is counted once", async () => {
    const root = path.join(folder, "leak");
    for (const [file, label] of [
      ["train/a/1.jpg", "1"],
      ["test/a/1.jpg", "1"],
      ["train/a/2.jpg", "2"],
      ["train/b/3.jpg", "2"],
    ])
      cpSync(path.join(at("pet"), "images", `american_bulldog_90${label}.jpg`), path.join(root, file));
    const { duplicates, leaks } = await checkImageSet("leak", root);
    expect([duplicates.length, leaks]).toEqual([2, [["test/a/1.jpg", "train/a/1.jpg"]]]);
    expect(duplicates.filter((group) => !leaks.includes(group))).toEqual([["train/a/2.jpg", "train/b/3.jpg"]]);
  });
});
