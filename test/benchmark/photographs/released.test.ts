/** The released rows, the split of sub-categories that follows from them, shots and questions. */
import { existsSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import {
  assertDisjoint,
  devImages,
  fewShots,
  FLOWER_NAMES,
  linkReleased,
  orderOptions,
  readImageSet,
  readReleased,
  releasedFile,
  releasedQuestions,
  releasedVariant,
  seededSplit,
  splitOf,
  SETS,
  stage1Subcategories,
  summariseReleased,
  type ImageSet,
  type ReleasedRow,
  type SetName,
} from "../../../lib/benchmark/photographs";
import { readSharegpt } from "../../../lib/formats/sharegpt";
import { stage1File } from "../../../lib/benchmark/photographs";
import { temporaryFolder, trees, writeTree } from "./trees";

const folder = temporaryFolder();
const files: [SetName, "seen" | "unseen"][] = [
  ["aircraft", "seen"],
  ["aircraft", "unseen"],
  ["car", "seen"],
  ["flower", "unseen"],
  ["pet", "seen"],
  ["pet", "unseen"],
];
const truths = (name: SetName, split: "seen" | "unseen"): string[] => [
  ...new Set(readReleased(releasedFile(name, split)).rows.map((row) => row.ground_truth)),
];

describe("the released files", () => {
  it.each(files)("%s, %s: the paper's counts, the truth always first", (name, split) => {
    const summary = summariseReleased(readReleased(releasedFile(name, split)));
    const { paper } = SETS[name];
    const rows = split === "seen" ? paper.seenImages : paper.unseenImages;
    expect(summary).toEqual({
      rows,
      skipped: 0,
      subcategories: paper[split],
      truthFirst: rows,
      ambiguous: name === "flower" ? 30 : 0,
    });
  });

  it("name what the readers name", () => {
    // Of Flowers-102's names 94 occur as truths or options; the other 8 are on the seen side, of which no file is here.
    const flowers = new Set(
      readReleased(releasedFile("flower", "unseen")).rows.flatMap((row) => [row.ground_truth, ...row.options]),
    );
    expect([...flowers].filter((name) => !FLOWER_NAMES.includes(name))).toEqual([]);
    expect(flowers.size).toBe(94);
    for (const { image, assistant } of readSharegpt(stage1File()).filter((record) =>
      record.image.startsWith("flower102"),
    )) {
      expect(FLOWER_NAMES, image).toContain(/<answer>(.*)<\/answer>/.exec(assistant)![1].trim());
    }
    const aircraft = [...truths("aircraft", "seen"), ...truths("aircraft", "unseen")];
    expect(aircraft.map((name) => releasedVariant(name.replace(/^Boeing (?=7\d7-)|^Airbus /, "")))).toEqual(aircraft);
  });

  const good: ReleasedRow = { image_path: "a/b.jpg", question: "Q?", options: ["x", "y"], ground_truth: "x" };
  it.each<[unknown, RegExp]>([
    ["{broken", /not JSON/],
    [[good], /not a JSON object/],
    [{ ...good, question: undefined }, /field "question" is missing/],
    [{ ...good, ground_truth: 3 }, /field "ground_truth" is no text/],
    [{ ...good, image_path: "../b.jpg" }, /field "image_path" is no relative path/],
    [{ ...good, image_path: "/b.jpg" }, /field "image_path"/],
    [{ ...good, options: "x, y" }, /field "options" is no list/],
    [{ ...good, options: ["x"] }, /field "options" is no list of at least two/],
    [{ ...good, options: ["x", "x"] }, /field "options" has an option twice/],
    [{ ...good, options: ["y", "z"] }, /field "options" lacks the ground truth/],
    [{ ...good, image_path: "first.jpg" }, /image first\.jpg stands in line 1 already/],
  ])("a bad line stops with file and line, or is skipped and counted: %j", (bad, reason) => {
    const file = path.join(folder, "rows.jsonl");
    writeFileSync(
      file,
      [{ ...good, image_path: "first.jpg" }, bad, good]
        .map((row) => (typeof row === "string" ? row : JSON.stringify(row)))
        .join("\n\n"),
    );
    expect(() => readReleased(file)).toThrow(new RegExp(`rows\\.jsonl, line 3: ${reason.source}`));
    const read = readReleased(file, "skip");
    expect(read.skipped).toMatchObject([{ file, line: 3 }]);
    expect(summariseReleased(read)).toMatchObject({ rows: 2, skipped: 1 });
  });

  it("a line that is not UTF-8 is a bad line; the others are read", () => {
    const file = path.join(folder, "latin1.jsonl");
    writeFileSync(
      file,
      Buffer.concat([
        Buffer.from(`${JSON.stringify(good)}\n`),
        Buffer.from(`${JSON.stringify({ ...good, ground_truth: "é" })}\n`, "latin1"),
      ]),
    );
    expect(readReleased(file, "skip")).toMatchObject({ rows: [good], skipped: [{ line: 2, reason: "not UTF-8" }] });
    expect(() => readReleased(path.join(folder, "none.jsonl"))).toThrow(/none\.jsonl: cannot be read: no such file/);
  });

  it("options are shuffled by a seed per row; in the released order the first is right", () => {
    const { rows } = readReleased(releasedFile("pet", "seen"));
    const shuffled = orderOptions(rows, "shuffled", 1);
    expect(shuffled).toEqual(orderOptions([...rows].reverse(), "shuffled", 1).reverse());
    for (const [i, row] of shuffled.entries()) expect([...row.options].sort()).toEqual([...rows[i].options].sort());
    const first = shuffled.filter((row) => row.options[0] === row.ground_truth).length / rows.length;
    expect(first).toBeGreaterThan(0.22); // 25 % expected, deviation 0.93 points
    expect(first).toBeLessThan(0.28);
    expect(orderOptions(rows, "released")).toEqual(rows);
    const [row] = releasedQuestions(rows, { domain: "pet", split: "seen", setting: "open" });
    expect(row).toEqual({
      image_path: rows[0].image_path,
      question: rows[0].question,
      ground_truth: rows[0].ground_truth,
      domain: "pet",
      split: "seen",
      setting: "open",
    });
  });
});

const named = (name: string, names: readonly string[], more: Partial<ImageSet> = {}): ImageSet => ({
  name,
  root: folder,
  names,
  images: [],
  skipped: [],
  ...more,
});

describe("seen and unseen", () => {
  it("both files: exactly theirs", () => {
    for (const name of ["aircraft", "pet"] as const) {
      const [seen, unseen] = [truths(name, "seen"), truths(name, "unseen")];
      expect(splitOf(named(name, [...unseen, ...seen]))).toEqual({ seen, unseen, source: "released" });
      expect(() => splitOf(named(name, [...unseen, ...seen.slice(1), "Extra"]))).toThrow(
        /_seen\.jsonl: ".*" is no sub-category of the set/,
      );
    }
  });

  it("a part of a published set: the released names that it lacks are left out, and the source says so", () => {
    const pets = [...truths("pet", "unseen").slice(2, 4), ...truths("pet", "seen").slice(0, 3)];
    expect(splitOf(named("pet", pets))).toEqual({
      seen: pets.slice(2),
      unseen: pets.slice(0, 2),
      source: "released (5 of 37 published sub-categories)",
    });
    expect(() => splitOf(named("pet", [...pets, "Extra"]))).toThrow(/"Extra" is on neither side/);
    const flowers = ["pink primrose", "sword lily", "moon orchid", "colt's foot"];
    const unseen = flowers.filter((name) => truths("flower", "unseen").includes(name));
    expect(splitOf(named("flower", flowers))).toEqual({
      seen: flowers.filter((name) => !unseen.includes(name)),
      unseen,
      source: "complement (4 of 102 published sub-categories)",
    });
    const cars = [truths("car", "seen")[0], "Acura RL Sedan 2012"];
    expect(splitOf(named("car", cars))).toMatchObject({ seen: [cars[0]], unseen: [cars[1]] });
    // 194 of the 196 published names occur in the released rows: two others may be right, a third is another spelling.
    expect(() => splitOf(named("car", [...cars, "Car 1", "Car 2", "Car 3"]))).toThrow(/"Car 1" is on neither side/);
    const dogs = [...stage1Subcategories("dog").slice(0, 3), "Pug", "Basset"];
    expect(splitOf(named("dog", dogs))).toEqual({
      seen: dogs.slice(0, 3),
      unseen: ["Pug", "Basset"],
      source: "stage-1 (5 of 120 published sub-categories)",
    });
  });

  it("one file: the other side is the rest, with the paper's counts", () => {
    const flower = splitOf(named("flower", FLOWER_NAMES));
    expect([flower.source, flower.seen.length, flower.unseen.length]).toEqual(["complement", 61, 41]);
    // Stage 1 is on seen sub-categories: none of its flowers may be on the other side.
    const stage1 = readSharegpt(stage1File())
      .filter(({ image }) => image.startsWith("flower102"))
      .map(({ assistant }) => /<answer>(.*)<\/answer>/.exec(assistant)![1].trim());
    expect(stage1).toHaveLength(59);
    expect(stage1.filter((name) => !flower.seen.includes(name))).toEqual([]);
  });

  it("no file: what Stage 1 trains on is seen, the rest by seed, with the paper's counts", () => {
    for (const [name, known] of [
      ["bird", 86],
      ["dog", 70],
    ] as const) {
      const stage1 = stage1Subcategories(name);
      expect(stage1).toHaveLength(known);
      const names = [...stage1, ...Array.from({ length: SETS[name].subcategories - known }, (_, i) => `other ${i}`)];
      const split = splitOf(named(name, names));
      expect([split.source, split.seen.length, split.unseen.length]).toEqual([
        "stage-1",
        SETS[name].paper.seen,
        SETS[name].paper.unseen,
      ]);
      expect(stage1.filter((one) => !split.seen.includes(one))).toEqual([]);
      const reversed = splitOf(named(name, [...names].reverse()));
      expect(reversed.seen.sort()).toEqual([...split.seen].sort()); // the order of names decides nothing
      expect(() => splitOf(named(name, [...names.slice(1), "one more"]))).toThrow(
        /is known as seen, but is no sub-category/,
      );
    }
    expect(existsSync(releasedFile("bird", "seen"))).toBe(false);
  });

  it("any other set: its split file, or 60 % by seed, a share of each super-category", () => {
    const names = ["a", "b", "c", "d", "e"];
    expect(splitOf(named("mine", names, { seen: ["d", "a"] }))).toEqual({
      seen: ["a", "d"],
      unseen: ["b", "c", "e"],
      source: "file",
    });
    expect(splitOf(named("mine", names))).toEqual(seededSplit("mine", names));
    expect(seededSplit("mine", names)).toMatchObject({ seen: { length: 3 }, unseen: { length: 2 }, source: "seeded" });
    expect(splitOf(named("mine", ["a", "b"]))).toMatchObject({ seen: { length: 1 }, unseen: { length: 1 } });
    expect(splitOf(named("mine", ["a"]))).toMatchObject({ seen: ["a"], unseen: [] });
    // 28, 31 and 22 sub-categories, 48 of 81 seen: shares 16.6, 18.4 and 13.04, the largest remainder rounded up.
    const sizes = { Fruit: 28, Packages: 31, Vegetables: 22 };
    const groups = new Map(
      Object.entries(sizes).flatMap(([domain, n]) =>
        Array.from({ length: n }, (_, i) => [`${domain} ${i}`, { domain }] as const),
      ),
    );
    const split = splitOf(named("shop", [...groups.keys()], { groups }));
    const count = (of: string[], domain: string): number => of.filter((name) => name.startsWith(domain)).length;
    expect(Object.keys(sizes).map((domain) => count(split.seen, domain))).toEqual([17, 18, 13]);
    expect(splitOf(named("shop", [...groups.keys()].reverse(), { groups })).seen.sort()).toEqual(split.seen.sort());
    // Where a super-category has two, one of them is unseen; where each has one, the whole is divided.
    const pairs = new Map(
      ["x", "y", "z"].flatMap((domain) => [1, 2].map((i) => [`${domain}${i}`, { domain }] as const)),
    );
    expect(splitOf(named("pairs", [...pairs.keys()], { groups: pairs })).seen.map((name) => name[0])).toEqual([
      ..."xyz",
    ]);
    const single = new Map(["x", "y", "z"].map((domain) => [domain, { domain }] as const));
    expect(splitOf(named("single", ["x", "y", "z"], { groups: single })).unseen).toHaveLength(2);
  });
});

const images = (name: string, portion: "train" | "test", n: number): ImageSet["images"] =>
  Array.from({ length: n }, (_, i) => ({ path: `${portion}/${name}/${i}.jpg`, name, portion }));
const names = ["fox", "arctic fox", "wolf", "dog", "cat", "lynx", "bear"];
const set: ImageSet = {
  name: "mine",
  root: folder,
  names,
  images: names.flatMap((name) => [...images(name, "train", 6), ...images(name, "test", 50)]),
  skipped: [],
};

describe("shots", () => {
  it("four of the training portion each, the same for a seed, never a test image", () => {
    for (let seed = 0; seed < 20; seed++) {
      const shots = fewShots(set, ["wolf", "fox"], { seed });
      expect(shots.map((shot) => shot.name)).toEqual(
        [..."wwww"].map(() => "wolf").concat([..."ffff"].map(() => "fox")),
      );
      expect(new Set(shots.map((shot) => shot.path)).size).toBe(8);
      expect(shots.every((shot) => shot.portion === "train")).toBe(true);
      expect(() =>
        assertDisjoint(
          shots,
          set.images.filter((image) => image.portion === "test"),
        ),
      ).not.toThrow();
      expect(fewShots({ ...set, images: [...set.images].reverse() }, ["wolf", "fox"], { seed })).toEqual(shots);
      expect(fewShots(set, ["fox"], { seed })).toEqual(shots.slice(4)); // another sub-category changes nothing
    }
    expect(fewShots(set, ["fox"], { seed: 1 })).not.toEqual(fewShots(set, ["fox"], { seed: 2 }));
  });

  it("a leak and a shortage are errors", () => {
    const leak = {
      ...set,
      images: [
        ...set.images,
        { path: "train/fox/0.jpg", name: "fox", portion: "test" as const },
        ...images("fox", "train", 6).map((image) => ({ ...image, portion: "test" as const })),
      ],
    };
    expect(() => fewShots(leak, ["fox"])).toThrow(/train\/fox\/\d\.jpg is a training shot and a test image/);
    expect(() => fewShots(set, ["fox"], { count: 7 })).toThrow(/"fox" has 6 training images; 7 needed/);
    expect(() => fewShots(set, ["eagle"])).toThrow(/"eagle" has 0 training images/);
    const all = fewShots(set, ["eagle", "fox"], { count: 7, allowFewer: true });
    expect(all.map(({ path: at }) => at).sort()).toEqual(images("fox", "train", 6).map(({ path: at }) => at));
    expect(() => fewShots(leak, ["fox"], { count: 7, allowFewer: true })).toThrow(
      /is a training shot and a test image/,
    );
  });

  it("images for choices: of the validation portion, else training images that are no shots", () => {
    const shots = fewShots(set, names);
    const dev = devImages(set, shots);
    expect(dev).toHaveLength(names.length * 2); // six training images, four of them shots
    expect(dev.filter((image) => shots.includes(image) || image.portion !== "train")).toEqual([]);
    expect(devImages(set, [])).toHaveLength(names.length * 4);
    expect(devImages(set, [], 1)).toHaveLength(names.length);
    const wolves = images("wolf", "train", 9).map((image) => ({
      ...image,
      path: `val/${image.path}`,
      portion: "validation" as const,
    }));
    const divided = { ...set, images: [...set.images, ...wolves] };
    const chosen = devImages(divided, shots).filter(({ name }) => name === "wolf");
    expect(chosen.map(({ portion }) => portion)).toEqual([..."four"].map(() => "validation"));
    expect(devImages({ ...divided, images: [...divided.images].reverse() }, shots)).toEqual(devImages(divided, shots));
    expect(devImages(divided, []).filter(({ name }) => name === "wolf")).toEqual(chosen);
  });
});

describe("released rows", () => {
  it("find their images by file name", () => {
    const pet = readImageSet("pet", writeTree(path.join(folder, "pet"), trees.pet));
    const row = {
      image_path: "oxford-pet/images/american_bulldog_203.jpg",
      question: "?",
      ground_truth: "American Bulldog",
      options: [],
    };
    const { images: linked, disagree } = linkReleased(pet, [
      row,
      { ...row, image_path: "oxford-pet/images/none.jpg" },
      { ...row, ground_truth: "Boxer" },
    ]);
    expect(linked.map((image) => image?.path ?? null)).toEqual([
      "images/american_bulldog_203.jpg",
      null,
      "images/american_bulldog_203.jpg",
    ]);
    expect(disagree.map((r) => r.ground_truth)).toEqual(["Boxer"]);
  });
});
