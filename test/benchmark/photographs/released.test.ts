/** The released rows, the split of sub-categories that follows from them, shots and questions. */
import { existsSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import {
  assertDisjoint,
  closedWorldOptions,
  fewShots,
  FLOWER_NAMES,
  linkReleased,
  namesContain,
  orderOptions,
  questionRows,
  rankNames,
  readImageSet,
  readReleased,
  releasedFile,
  releasedQuestions,
  releasedVariant,
  seededSplit,
  SETS,
  splitSubcategories,
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
    expect(() => readReleased(path.join(folder, "none.jsonl"))).toThrow(/none\.jsonl: cannot be read \(ENOENT\)/);
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

describe("seen and unseen", () => {
  it("both files: exactly theirs", () => {
    for (const name of ["aircraft", "pet"] as const) {
      const [seen, unseen] = [truths(name, "seen"), truths(name, "unseen")];
      const split = splitSubcategories(name, [...unseen, ...seen]);
      expect(split).toEqual({ seen, unseen, source: "released" });
      expect(() => splitSubcategories(name, [...unseen, ...seen, "Extra"])).toThrow(/"Extra" is on neither side/);
      expect(() => splitSubcategories(name, seen)).toThrow(/_unseen\.jsonl: ".*" is no sub-category/);
    }
  });

  it("one file: the other side is the rest, with the paper's counts", () => {
    const flower = splitSubcategories("flower", FLOWER_NAMES);
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
      const split = splitSubcategories(name, names);
      expect([split.source, split.seen.length, split.unseen.length]).toEqual([
        "stage-1",
        SETS[name].paper.seen,
        SETS[name].paper.unseen,
      ]);
      expect(stage1.filter((one) => !split.seen.includes(one))).toEqual([]);
      const reversed = splitSubcategories(name, [...names].reverse());
      expect(reversed.seen.sort()).toEqual([...split.seen].sort()); // the order of names decides nothing
      expect(() => splitSubcategories(name, names.slice(1))).toThrow(/is known as seen, but is no sub-category/);
    }
    expect(seededSplit("mine", ["a", "b", "c", "d", "e"])).toMatchObject({
      seen: { length: 3 },
      unseen: { length: 2 },
      source: "seeded",
    });
    expect(existsSync(releasedFile("bird", "seen"))).toBe(false);
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
  });
});

describe("closed-world options", () => {
  const similarity = (a: string, b: string): number => -Math.abs(names.indexOf(a) - names.indexOf(b));

  it("the truth and three others of its split, none containing it or contained in it", () => {
    expect([namesContain("Arctic_Fox", "fox"), namesContain("fox", "arctic fox"), namesContain("fox", "wolf")]).toEqual(
      [true, true, false],
    );
    expect(rankNames(["a", "b", "c"], (x, y) => (x + y === "ac" || x + y === "ca" ? 1 : 0)).get("a")).toEqual([
      "c",
      "b",
    ]);
    const ranked = rankNames(names, similarity);
    const places = [0, 0, 0, 0];
    for (let seed = 0; seed < 400; seed++) {
      const options = closedWorldOptions("fox", ranked, seed);
      expect(new Set(options).size).toBe(4);
      expect(options).not.toContain("arctic fox");
      places[options.indexOf("fox")]++;
      expect(closedWorldOptions("fox", ranked, seed)).toEqual(options);
    }
    for (const n of places) expect(n).toBeGreaterThan(60); // 100 expected, deviation 8.7
    expect(() => closedWorldOptions("fox", rankNames(["fox", "arctic fox", "wolf", "dog"], similarity), 0)).toThrow(
      /"fox": 2 others may stand beside it/,
    );
  });

  it("questions on test images only, each with options of its own split", () => {
    const split = { seen: ["fox", "wolf", "dog", "cat"], unseen: ["lynx", "bear"] };
    const open = questionRows(set, split, { setting: "open", question: "Which animal?", seed: 0 });
    expect(open).toHaveLength(6 * 50); // arctic fox is on neither side
    expect(open.every((row) => row.image_path.startsWith("mine/test/") && !("options" in row))).toBe(true);
    const closed = questionRows({ ...set, images: set.images.filter(({ name }) => split.seen.includes(name)) }, split, {
      setting: "closed",
      question: "Which animal?",
      seed: 0,
      similarity,
    });
    for (const row of closed) expect([...row.options!].sort()).toEqual([...split.seen].sort());
    expect(() => questionRows(set, split, { setting: "closed", question: "?", seed: 0, similarity })).toThrow(
      /"lynx": 1 others/,
    );
    expect(() => questionRows(set, split, { setting: "closed", question: "?", seed: 0 })).toThrow(/need a similarity/);
  });

  it("released rows find their images by file name", () => {
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
