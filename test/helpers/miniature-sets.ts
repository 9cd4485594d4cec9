/**
 * Miniatures of the published image sets with real JPEGs: five or six sub-categories a side, six training and three
 * test images a class (and two for validation where the publisher has such a portion). Names and, where there are
 * released rows, the names of test images are theirs, so that split and released questions are found.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import sharp from "sharp";
import { FLOWER_NAMES } from "../../lib/benchmark/photographs/flower-names";
import { readReleased, releasedFile } from "../../lib/benchmark/photographs/released";
import type { Portion } from "../../lib/benchmark/photographs/types";
import type { PublishedName, SetName } from "../../lib/formats/set-names";
import { foldIn, random } from "../../lib/util/random";
import { writeMat } from "./mat-writer";

/** Images of a class. */
const COUNTS: Readonly<Record<Portion, number>> = { train: 6, validation: 2, test: 3 };
/** Sub-categories of a side. */
const SIDE = 5;

/** An image to write: below the miniature's folder. */
interface Planned {
  file: string;
  /** Of its class, from 0. */
  label: number;
}

/** A photograph of sorts: a background of its class's hue, a blob of the image's, and noise; JPEG bytes. */
async function jpeg(label: number, of: string): Promise<Buffer> {
  const stream = random(foldIn(label, of));
  const [width, height] = [60 + stream.integer(61), 60 + stream.integer(61)];
  const hue = [0, 1, 2].map((channel) => (foldIn(label, "hue", channel) % 200) + 20);
  const blob = [0, 1, 2].map(() => stream.integer(256));
  const [cx, cy, radius] = [stream.integer(width), stream.integer(height), 8 + stream.integer(20)];
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < 3; c++) {
        const base = (x - cx) ** 2 + (y - cy) ** 2 < radius ** 2 ? blob[c] : hue[c];
        pixels[(y * width + x) * 3 + c] = Math.min(255, base + stream.integer(24));
      }
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 85 })
    .toBuffer();
}

function writeText(file: string, lines: readonly string[]): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, lines.map((line) => `${line}\n`).join(""));
}

const stem = (image: string): string => path.posix.basename(image).replace(/\.[^.]+$/, "");

/** Some classes of a side by the released rows, each with the names of three of its images; none without a file. */
function releasedClasses(name: SetName, side: "seen" | "unseen"): { name: string; tests: string[] }[] {
  if (!existsSync(releasedFile(name, side))) return [];
  const of = new Map<string, string[]>();
  for (const { ground_truth, image_path } of readReleased(releasedFile(name, side)).rows)
    of.set(ground_truth, [...(of.get(ground_truth) ?? []), stem(image_path)]);
  return [...of].slice(0, SIDE).map(([truth, tests]) => ({ name: truth, tests: tests.slice(0, COUNTS.test) }));
}

/** Both sides of a set of which both files are released. */
const bothSides = (name: "aircraft" | "pet") => [...releasedClasses(name, "seen"), ...releasedClasses(name, "unseen")];

const times = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));

function aircraft(folder: string): Planned[] {
  const data = path.join(folder, "fgvc-aircraft-2013b/data");
  const classes = bothSides("aircraft").map(({ name, tests }) => ({
    variant: name.replace(/^Boeing (?=7\d7-)|^Airbus /, ""),
    tests,
  }));
  writeText(
    path.join(data, "variants.txt"),
    classes.map(({ variant }) => variant),
  );
  const planned: Planned[] = [];
  const portions: [string, (label: number) => string[]][] = [
    ["train", (label) => times(COUNTS.train, (i) => `9${label}10${i}`)],
    ["val", (label) => times(COUNTS.validation, (i) => `9${label}20${i}`)],
    ["test", (label) => classes[label].tests],
  ];
  for (const [portion, ids] of portions) {
    const lines = classes.flatMap(({ variant }, label) => {
      planned.push(...ids(label).map((id) => ({ file: `fgvc-aircraft-2013b/data/images/${id}.jpg`, label })));
      return ids(label).map((id) => `${id} ${variant}`);
    });
    writeText(path.join(data, `images_variant_${portion}.txt`), lines);
  }
  return planned;
}

/** Six that the released Stage-1 records have, and five others of the set. */
const BIRDS = [
  ...["002.Laysan_Albatross", "005.Crested_Auklet", "013.Bobolink", "016.Painted_Bunting", "019.Gray_Catbird"],
  ...["001.Black_footed_Albatross", "008.Rhinoceros_Auklet", "009.Brewer_Blackbird", "014.Indigo_Bunting"],
  ...["017.Cardinal", "035.Purple_Finch"],
];

function bird(folder: string): Planned[] {
  const images = BIRDS.flatMap((name, label) =>
    times(COUNTS.train + COUNTS.test, (i) => ({
      at: `${name}/${name.slice(4)}_000${i}_${label}.jpg`,
      label,
      training: i < COUNTS.train,
    })),
  );
  const list = (name: string, line: (image: (typeof images)[number]) => string): void =>
    writeText(
      path.join(folder, "CUB_200_2011", name),
      images.map((image, i) => `${i + 1} ${line(image)}`),
    );
  writeText(
    path.join(folder, "CUB_200_2011/classes.txt"),
    BIRDS.map((name, label) => `${label + 1} ${name}`),
  );
  list("images.txt", ({ at }) => at);
  list("image_class_labels.txt", ({ label }) => String(label + 1));
  list("train_test_split.txt", ({ training }) => (training ? "1" : "0"));
  return images.map(({ at, label }) => ({ file: `CUB_200_2011/images/${at}`, label }));
}

/** Published names that no released row has as its truth: the unseen side. */
const UNSEEN_CARS = [
  "AM General Hummer SUV 2000",
  "Acura RL Sedan 2012",
  "Acura TL Sedan 2012",
  "Acura ZDX Hatchback 2012",
  "Audi 100 Wagon 1994",
];

function car(folder: string): Planned[] {
  const others = UNSEEN_CARS.map((name, i) => ({ name, tests: times(COUNTS.test, (k) => `9${i}00${k}`) }));
  const classes = [...releasedClasses("car", "seen"), ...others];
  mkdirSync(path.join(folder, "devkit"), { recursive: true });
  const write = (name: string, portion: "train" | "test", names: (label: number) => string[]): Planned[] => {
    const rows = classes.flatMap((_, label) => names(label).map((id) => ({ label, fname: `${id}.jpg` })));
    const box = { bbox_x1: 1, bbox_y1: 1, bbox_x2: 60, bbox_y2: 60 };
    writeMat(path.join(folder, name), {
      annotations: { records: rows.map(({ label, fname }) => ({ ...box, class: label + 1, fname })) },
    });
    return rows.map(({ label, fname }) => ({ file: `cars_${portion}/${fname}`, label }));
  };
  writeMat(path.join(folder, "devkit/cars_meta.mat"), { class_names: { cells: classes.map(({ name }) => name) } });
  return [
    ...write("devkit/cars_train_annos.mat", "train", (label) => times(COUNTS.train, (i) => `0${label}00${i}`)),
    ...write("cars_test_annos_withlabels.mat", "test", (label) => classes[label].tests),
  ];
}

/** Seven that the released Stage-1 records have, and five others of the set. */
const DOGS = [
  ...["n02085936-Maltese_dog", "n02086240-Shih-Tzu", "n02086910-papillon", "n02088094-Afghan_hound"],
  ...["n02088364-beagle", "n02108089-boxer", "n02113624-toy_poodle"],
  ...["n02085620-Chihuahua", "n02085782-Japanese_spaniel", "n02086079-Pekinese", "n02088238-basset", "n02110958-pug"],
];

function dog(folder: string): Planned[] {
  const name = (dog: string, i: number): string => `${dog}/${dog.slice(0, 9)}_${100 + i}.jpg`;
  mkdirSync(path.join(folder, "lists"), { recursive: true });
  const write = (portion: "train" | "test", from: number): Planned[] => {
    const rows = DOGS.flatMap((dog, label) => times(COUNTS[portion], (i) => ({ label, at: name(dog, from + i) })));
    writeMat(path.join(folder, `lists/${portion}_list.mat`), {
      file_list: { cells: rows.map(({ at }) => at) },
      labels: rows.map(({ label }) => label + 1),
    });
    return rows.map(({ at, label }) => ({ file: `Images/${at}`, label }));
  };
  return [...write("train", 0), ...write("test", COUNTS.train)];
}

function flower(folder: string): Planned[] {
  const unseen = releasedClasses("flower", "unseen");
  const truths = new Set(readReleased(releasedFile("flower", "unseen")).rows.map((row) => row.ground_truth));
  const used = new Set(
    readReleased(releasedFile("flower", "unseen")).rows.map(({ image_path }) => Number(stem(image_path).slice(6))),
  );
  const free = times(8189, (i) => i + 1).filter((id) => !used.has(id));
  const take = (n: number): number[] => free.splice(0, n);
  const seen = FLOWER_NAMES.filter((name) => !truths.has(name)).slice(0, SIDE);
  const classes = [
    ...seen.map((name) => ({ name, tests: take(COUNTS.test) })),
    ...unseen.map(({ name, tests }) => ({ name, tests: tests.map((test) => Number(test.slice(6))) })),
  ].map((one) => ({ ...one, training: take(COUNTS.train), validation: take(COUNTS.validation) }));
  const labels = times(8189, () => 0); // of images that are not here
  const planned = classes.flatMap(({ name, tests, training, validation }, label) =>
    [...training, ...validation, ...tests].map((id) => {
      labels[id - 1] = FLOWER_NAMES.indexOf(name) + 1;
      return { file: `jpg/image_${String(id).padStart(5, "0")}.jpg`, label };
    }),
  );
  mkdirSync(folder, { recursive: true });
  writeMat(path.join(folder, "imagelabels.mat"), { labels });
  writeMat(path.join(folder, "setid.mat"), {
    trnid: classes.flatMap(({ training }) => training),
    valid: classes.flatMap(({ validation }) => validation),
    tstid: classes.flatMap(({ tests }) => tests),
  });
  return planned;
}

function pet(folder: string): Planned[] {
  const classes = bothSides("pet");
  const lines = (ids: (label: number) => string[]): string[] =>
    classes.flatMap((_, label) => ids(label).map((id) => `${id} ${label + 1} 1 ${label + 1}`));
  const training = (label: number): string[] => {
    const breed = classes[label].tests[0].replace(/_\d+$/, "");
    return times(COUNTS.train, (i) => `${breed}_${900 + i}`);
  };
  const tests = (label: number): string[] => classes[label].tests;
  const list = (name: string, rows: string[]): void => writeText(path.join(folder, "annotations", name), rows);
  list("list.txt", ["#Image CLASS-ID SPECIES BREED ID", ...lines((label) => [...training(label), ...tests(label)])]);
  list("trainval.txt", lines(training));
  list("test.txt", lines(tests));
  return classes.flatMap((_, label) =>
    [...training(label), ...tests(label)].map((id) => ({ file: `images/${id}.jpg`, label })),
  );
}

/** Super-category, coarse class and class, as classes.csv spells them. */
const GROCERIES = [
  ...["Golden-Delicious", "Granny-Smith", "Pink-Lady"].map((name) => ["Fruit", "Apple", name]),
  ...["Anjou", "Conference"].map((name) => ["Fruit", "Pear", name]),
  ...["Bravo-Apple-Juice", "Bravo-Orange-Juice"].map((name) => ["Packages", "Juice", name]),
  ...["Arla-Standard-Milk", "Garant-Ecological-Standard-Milk"].map((name) => ["Packages", "Milk", name]),
  ["Packages", "Oatghurt", "Oatly-Natural-Oatghurt"],
  ["Vegetables", "Asparagus", "Asparagus"],
  ...["Floury-Potato", "Solid-Potato"].map((name) => ["Vegetables", "Potato", name]),
  ...["Beef-Tomato", "Vine-Tomato"].map((name) => ["Vegetables", "Tomato", name]),
] as const;

function grocery(folder: string): Planned[] {
  const coarse = [...new Set(GROCERIES.map(([, kin]) => kin))];
  const place = ([domain, kin, name]: readonly string[]): string =>
    [domain, kin, ...(kin === name ? [] : [name])].join("/"); // a class that is a coarse class has one folder
  const iconic = "/iconic-images-and-descriptions";
  writeText(path.join(folder, "dataset/classes.csv"), [
    "Class Name (str),Class ID (int),Coarse Class Name (str),Coarse Class ID (int),Iconic Image Path (str),Product Description Path (str)",
    ...GROCERIES.map((one, label) => {
      const [, kin, name] = one;
      const files = `${iconic}/${place(one)}/${name}_Iconic.jpg,${iconic}/${place(one)}/${name}_Description.txt`;
      return `${name},${label},${kin},${coarse.indexOf(kin)},${files}`;
    }),
  ]);
  const portions = [
    ["train", COUNTS.train],
    ["val", COUNTS.validation],
    ["test", COUNTS.test],
  ] as const;
  return portions.flatMap(([portion, count]) => {
    const rows = GROCERIES.flatMap((one, label) =>
      times(count, (i) => ({ at: `${portion}/${place(one)}/${one[2]}_00${i + 1}.jpg`, label })),
    );
    writeText(
      path.join(folder, `dataset/${portion}.txt`),
      rows.map(({ at, label }) => `${at}, ${label}, ${coarse.indexOf(GROCERIES[label][1])}`),
    );
    return rows.map(({ at, label }) => ({ file: `dataset/${at}`, label }));
  });
}

const WRITERS: Readonly<Record<PublishedName, (folder: string) => Planned[]>> = {
  aircraft,
  bird,
  car,
  dog,
  flower,
  pet,
  grocery,
};

/**
 * Writes the miniature of a set. The same call writes the same bytes.
 * @param folder becomes the set's root, as `data/sets/<name>` is
 * @returns the folder
 */
export async function writeMiniature(name: PublishedName, folder: string): Promise<string> {
  const planned = WRITERS[name](folder);
  for (const at of new Set(planned.map(({ file }) => path.dirname(path.join(folder, file)))))
    mkdirSync(at, { recursive: true });
  await Promise.all(
    planned.map(async ({ file, label }) => writeFileSync(path.join(folder, file), await jpeg(label, file))),
  );
  return folder;
}
