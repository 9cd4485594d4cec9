import { mkdirSync, symlinkSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import {
  checkedPath,
  FLOWER_NAMES,
  readFolders,
  readImageSet,
  releasedVariant,
  resolveImage,
  SET_NAMES,
  SETS,
  type SetName,
} from "../../../lib/benchmark/photographs";
import { temporaryFolder, trees, writeTree } from "./trees";

const folder = temporaryFolder();
let count = 0;
const tree = (name: SetName, changes: Record<string, string | Uint8Array> = {}): string =>
  writeTree(path.join(folder, `${name}-${count++}`), { ...trees[name], ...changes });
const lines = (name: SetName): string[] =>
  readImageSet(name, tree(name)).images.map((image) => `${image.portion} ${image.path}: ${image.name}`);

describe("published layouts", () => {
  it("FGVC-Aircraft: three lists, makers before Boeing's and Airbus's variants", () => {
    expect(lines("aircraft")).toEqual([
      "train fgvc-aircraft-2013b/data/images/0034309.jpg: Boeing 707-320",
      "train fgvc-aircraft-2013b/data/images/0034958.jpg: MD-87",
      "validation fgvc-aircraft-2013b/data/images/1000001.jpg: Airbus A300B4",
      "test fgvc-aircraft-2013b/data/images/1514522.jpg: Boeing 707-320",
      "test fgvc-aircraft-2013b/data/images/0747566.jpg: Airbus A300B4",
    ]);
    expect(["Boeing 717", "727-200", "A380", "An-12", "Model B200"].map(releasedVariant)).toEqual([
      "Boeing 717",
      "Boeing 727-200",
      "Airbus A380",
      "An-12",
      "Model B200",
    ]);
  });

  it("CUB-200-2011: four files joined by the image's number", () => {
    expect(lines("bird")).toEqual([
      "test images/001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg: Black Footed Albatross",
      "train images/002.Laysan_Albatross/Laysan_1.jpg: Laysan Albatross",
      "test images/002.Laysan_Albatross/Laysan_2.jpg: Laysan Albatross",
    ]);
  });

  it("Stanford Cars: annotations from .mat, the same file name in both portions, a slash in a name", () => {
    expect(lines("car")).toEqual([
      "train cars_train/00001.jpg: AM General Hummer SUV 2000",
      "train cars_train/00002.jpg: Acura RL Sedan 2012",
      "train cars_train/00003.jpg: Ram C/V Cargo Van Minivan 2012",
      "train cars_train/00004.jpg: Ram C/V Cargo Van Minivan 2012",
      "test cars_test/00001.jpg: Acura RL Sedan 2012",
      "test cars_test/00002.jpg: AM General Hummer SUV 2000",
    ]);
  });

  it("Stanford Dogs, Flowers-102 and Oxford-IIIT Pet", () => {
    expect(lines("dog")).toEqual([
      "train Images/n02085620-Chihuahua/n02085620_5927.jpg: Chihuahua",
      "train Images/n02085782-Japanese_spaniel/n02085782_1.jpg: Japanese Spaniel",
      "test Images/n02085620-Chihuahua/n02085620_7.jpg: Chihuahua",
    ]);
    expect(lines("flower")).toEqual([
      "train jpg/image_00001.jpg: pink primrose",
      "train jpg/image_00003.jpg: hard-leaved pocket orchid",
      "validation jpg/image_00005.jpg: blackberry lily",
      "test jpg/image_00002.jpg: pink primrose",
      "test jpg/image_00004.jpg: pink and yellow dahlia",
    ]);
    expect(lines("pet")).toEqual([
      "train images/Abyssinian_100.jpg: Abyssinian",
      "train images/american_bulldog_1.jpg: American Bulldog",
      "test images/Abyssinian_101.jpg: Abyssinian",
      "test images/american_bulldog_203.jpg: American Bulldog",
    ]);
  });

  it("the catalogue agrees with itself and with the paper's table", () => {
    expect(FLOWER_NAMES).toHaveLength(102);
    expect(new Set(FLOWER_NAMES).size).toBe(102);
    for (const name of SET_NAMES) {
      const { subcategories, paper, published } = SETS[name];
      expect(paper.seen + paper.unseen, name).toBe(subcategories);
      expect(paper.seenImages + paper.unseenImages, name).toBe(published.test);
      expect(paper.seen, name).toBe(Math.floor(0.6 * subcategories)); // 60 / 40, rounded down
    }
  });
});

describe("files that are not as published", () => {
  const data = "fgvc-aircraft-2013b/data/";
  it.each<[SetName, Record<string, string>, RegExp]>([
    [
      "aircraft",
      { [`${data}images_variant_test.txt`]: "1514522 707-320\nx y\n" },
      /images_variant_test\.txt, line 2: "x y"; expected an image number and its variant/,
    ],
    [
      "aircraft",
      { [`${data}images_variant_test.txt`]: "1514522 707-321\n" },
      /line 1: variant "707-321" is not in variants\.txt/,
    ],
    [
      "aircraft",
      { [`${data}images_variant_test.txt`]: "0034309 707-320\n" },
      /images_variant_test\.txt, line 1: .*0034309\.jpg a second time \(first: .*images_variant_train\.txt, line 1\)/,
    ],
    ["bird", { "images.txt": "1 001.A/a.jpg\n1 001.A/b.jpg\n" }, /images\.txt, line 2: 1 a second time/],
    [
      "bird",
      { "image_class_labels.txt": "1 1\n2 2\n" },
      /images\.txt, line 3: image 3 is not in image_class_labels\.txt/,
    ],
    ["bird", { "image_class_labels.txt": "1 1\n2 2\n3 2\n4 2\n" }, /image_class_labels\.txt, line 4: image 4/],
    [
      "bird",
      { "image_class_labels.txt": "1 1\n2 9\n3 2\n" },
      /image_class_labels\.txt, line 2: class 9 is not in classes\.txt/,
    ],
    ["bird", { "train_test_split.txt": "1 0\n2 2\n3 0\n" }, /train_test_split\.txt, line 2: "2 2"/],
    [
      "bird",
      { "images.txt": "1 ../../x.jpg\n2 a/b.jpg\n3 a/c.jpg\n" },
      /images\.txt, line 1: "images\/\.\.\/\.\.\/x\.jpg" is no path/,
    ],
    [
      "car",
      { "devkit/cars_train_annos.mat": "mat:cars_bad_class.mat" },
      /cars_train_annos\.mat, annotations, element 2, class: 4; 1 to 3/,
    ],
    [
      "car",
      { "devkit/cars_train_annos.mat": "mat:cars_bad_path.mat" },
      /cars_train_annos\.mat, annotations, element 1: .* is no path/,
    ],
    ["car", { "devkit/cars_train_annos.mat": "mat:kinds.mat" }, /no variable "annotations"; it has doubles/],
    ["dog", { "lists/train_list.mat": "mat:setid.mat" }, /no variable "file_list"/],
    ["flower", { "setid.mat": "mat:setid_beyond.mat" }, /setid\.mat, trnid, element 2: image 9 has no label/],
    [
      "pet",
      { "annotations/test.txt": "Abyssinian_101 2 1 1\n" },
      /test\.txt, line 1: Abyssinian_101 has class 2, in list\.txt 1/,
    ],
    [
      "pet",
      { "annotations/test.txt": "Abyssinian_100 1 1 1\n" },
      /test\.txt, line 1: .* a second time \(first: .*trainval/,
    ],
    [
      "pet",
      { "annotations/list.txt": "Abyssinian_100 1 1 1\nBengal_1 1 1 1\n" },
      /list\.txt, line 2: class 1 for Bengal, elsewhere for Abyssinian/,
    ],
  ])("%s: names file and line (%#)", (name, changes, message) => {
    expect(() => readImageSet(name, tree(name, changes))).toThrow(message);
  });

  it("a Latin-1 file is refused with its line, a missing set says where to get it", () => {
    const root = tree("aircraft", {
      [`${data}images_variant_test.txt`]: Buffer.from("1514522 707-320\n1 Caf\xe9\n", "latin1"),
    });
    expect(() => readImageSet("aircraft", root)).toThrow(/images_variant_test\.txt, line 2: not UTF-8/);
    expect(() => readImageSet("pet", path.join(folder, "none"))).toThrow(
      /Oxford-IIIT Pet is not at .*none; get it from Visual Geometry Group/,
    );
    expect(() => readImageSet("dog", writeTree(path.join(folder, "no-dog"), { "a.txt": "" }))).toThrow(
      /no train_list\.mat, nor in lists, a folder or two below; unpack the publisher's files there/,
    );
  });
});

describe("paths", () => {
  it.each(["", "/etc/passwd", "../a.jpg", "a/../../b", "a//b", "./a", "a\\b", "C:/a", "a\0b", "a/"])(
    "refuses %j",
    (bad) => {
      expect(() => checkedPath(bad, "list.txt, line 3")).toThrow(/list\.txt, line 3/);
    },
  );

  it("a link may not lead out of the root", () => {
    const root = writeTree(path.join(folder, "links"), { "in/a.jpg": "a" });
    writeTree(folder, { "outside.jpg": "o" });
    symlinkSync("../outside.jpg", path.join(root, "out.jpg"));
    symlinkSync("in/a.jpg", path.join(root, "inner.jpg"));
    expect(() => resolveImage(root, "out.jpg")).toThrow(/out\.jpg: a link that leads out/);
    expect(resolveImage(root, "inner.jpg")).toMatch(/in\/a\.jpg$/);
    expect(resolveImage(root, "none.jpg")).toBeNull();
  });
});

describe("folder per class", () => {
  const files = Object.fromEntries(
    ["red_fox", "wolf"].flatMap((name) => [0, 1, 2, 3].map((i) => [`${name}/${i}.jpg`, ""])),
  );

  it("is one line; a seeded share of each class is for the test", () => {
    const root = writeTree(path.join(folder, "flat"), { ...files, "wolf/notes.txt": "" });
    const set = readFolders(root);
    expect([set.name, set.names]).toEqual(["flat", ["red fox", "wolf"]]);
    expect(set.images.filter((image) => image.portion === "test").map((image) => image.name)).toEqual([
      "red fox",
      "red fox",
      "wolf",
      "wolf",
    ]);
    expect(readFolders(root)).toEqual(set);
    expect(readFolders(root, { seed: 1 }).images).not.toEqual(set.images);
    expect(readFolders(root, { testShare: 0 }).images.every((image) => image.portion === "train")).toBe(true);
  });

  it("takes train/ and test/ where they are, and refuses an empty class", () => {
    const root = writeTree(path.join(folder, "divided"), {
      "train/a/1.png": "",
      "test/a/2.png": "",
      "val/a/3.png": "",
    });
    expect(readFolders(root).images.map(({ path: at, portion }) => `${portion} ${at}`)).toEqual([
      "test test/a/2.png",
      "train train/a/1.png",
      "validation val/a/3.png",
    ]);
    mkdirSync(path.join(root, "train/b"));
    expect(() => readFolders(root)).toThrow(/train\/b: no image in this class/);
    expect(() => readFolders(path.join(folder, "nowhere"))).toThrow(/cannot be read: no such file/);
    expect(() => readFolders(root, { testShare: 1 })).toThrow(/testShare is 1/);
  });
});

describe("bad rows of annotation files", () => {
  const skip = (name: SetName, changes: Record<string, string | Uint8Array>) =>
    readImageSet(name, tree(name, changes), "skip");
  const places = (set: ReturnType<typeof readImageSet>): string[] =>
    set.skipped.map(({ file, line, reason }) => `${path.basename(file)} ${line}: ${reason}`);

  it("text lists: another form, another encoding, an unknown class, an image twice, a path out of the set", () => {
    const set = skip("aircraft", {
      "fgvc-aircraft-2013b/data/images_variant_train.txt": Buffer.from(
        "0034309 707-320\nwords\n0034958 \xff\n0034959 DC-3\n0034309 MD-87\n0034960 MD-87\n",
        "latin1",
      ),
    });
    expect(places(set)).toEqual([
      "images_variant_train.txt 3: not UTF-8; the file was altered, get it again",
      'images_variant_train.txt 2: "words"; expected an image number and its variant',
      'images_variant_train.txt 4: variant "DC-3" is not in variants.txt',
      expect.stringMatching(/images_variant_train\.txt 5: .*0034309\.jpg a second time \(first: .*line 1\)/),
    ]);
    expect(set.images.filter((image) => image.portion === "train").map((image) => path.basename(image.path))).toEqual([
      "0034309.jpg",
      "0034960.jpg",
    ]);
    expect(set.images.length).toBe(5);
    expect(
      places(
        skip("bird", {
          "images.txt": "1 001.Black_footed_Albatross/a.jpg\n2 ../b.jpg\n3 002.Laysan_Albatross/c.jpg\n",
        }),
      ),
    ).toEqual([
      'images.txt 2: "images/../b.jpg" is no path below the set\'s folder; the file was altered, or is another one',
    ]);
    expect(places(skip("pet", { "annotations/test.txt": "Abyssinian_101 1 1 1\nAbyssinian_999 1 1 1\n" }))).toEqual([
      "test.txt 2: Abyssinian_999 has class 1, in list.txt it is missing",
    ]);
  });

  it(".mat files: by variable and element, the other rows are read", () => {
    const training = ({ images }: ReturnType<typeof readImageSet>): string[] =>
      images.filter((image) => image.portion === "train").map((image) => image.path);
    const car = skip("car", { "devkit/cars_train_annos.mat": "mat:cars_bad_class.mat" }); // two rows, the second of class 4
    expect(places(car)).toEqual(["cars_train_annos.mat 2: " + car.skipped[0].reason]);
    expect(car.skipped[0].reason).toMatch(/annotations, element 2, class: 4; 1 to 3 expected$/);
    expect([training(car), car.images.length]).toEqual([["cars_train/00001.jpg"], 3]);
    const outside = skip("car", { "devkit/cars_train_annos.mat": "mat:cars_bad_path.mat" });
    expect(outside.skipped.map(({ line, reason }) => `${line} ${reason}`)).toEqual([
      expect.stringMatching(/^1 .*is no path below the set's folder/),
    ]);
    expect(training(outside)).toEqual([]);
    const flower = skip("flower", { "setid.mat": "mat:setid_beyond.mat" }); // images 1 and 9 of 5
    expect(places(flower)).toEqual([
      expect.stringMatching(/^setid\.mat 2: image 9 has no label; .*imagelabels\.mat has 5$/),
    ]);
    expect(training(flower)).toEqual(["jpg/image_00001.jpg"]);
  });

  it("none, where all rows are good", () => {
    for (const name of ["aircraft", "bird", "car", "dog", "flower", "pet"] as const)
      expect(readImageSet(name, tree(name), "skip")).toMatchObject({ skipped: [] });
  });
});
