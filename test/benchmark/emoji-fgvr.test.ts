import { readFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { emojiBenchmark, loadEmojiFgvr } from "../../lib/benchmark/emoji-fgvr";
import { dataFolder } from "../../lib/benchmark/emoji-fgvr/paths";
import { questionsOf } from "../../lib/benchmark/questions";
import { assertDisjointRoles, fewShotImages } from "../../lib/benchmark/roles";
import { drawTriplets, type Neighbours, type Triplet } from "../../lib/benchmark/triplets";
import type { Question, QuestionRequest } from "../../lib/benchmark/types";

const data = loadEmojiFgvr();
const benchmark = emojiBenchmark(data, []); // what concepts look like is not asked here
const neighbours: Neighbours = (of) => benchmark.neighbours(of)!;
const subcategories = data.subcategories();
const roles = ["pretraining", "fewshot", "dev", "test"] as const;

describe("designers", () => {
  it("have one role each, and four sets of two versions count once", () => {
    const designers = roles.map(
      (role) =>
        new Set(
          Object.keys(data.styles)
            .filter((s) => data.roleOf(s) === role)
            .map((s) => data.designerOf(s)),
        ),
    );
    const all = designers.flatMap((set) => [...set]);
    expect(new Set(all).size).toBe(all.length);
    expect([...designers[3]].sort()).toEqual(["openmoji", "twemoji"]);
    expect([...designers[2]]).toEqual(["streamline"]);
    for (const [a, b] of [
      ["noto", "noto-v1"],
      ["fluent-emoji", "fluent-emoji-flat"],
      ["emojione", "emojione-v1"],
    ])
      // prettier-ignore
      expect(data.designerOf(a)).toBe(data.designerOf(b));
  });

  it("throws on an unknown style and an unknown id", () => {
    expect(() => data.roleOf("comic")).toThrow(/"comic"/);
    expect(() => data.roleOf("constructor")).toThrow(/"constructor"/);
    expect(() => data.concept("zz")).toThrow(/"zz"/);
  });
});

describe("sub-categories", () => {
  it("are counted as in the data card", () => {
    const counts = data.domains.map((domain) => data.subcategories({ domain }).length);
    expect(counts).toEqual([34, 35, 40, 39, 40, 27]);
    for (const domain of data.domains) {
      const all = data.subcategories({ domain }).length;
      expect(data.subcategories({ domain, split: "seen" }).length).toBe(Math.round(0.6 * all));
    }
    expect(data.concepts.length - subcategories.length).toBe(573);
  });

  it("have no name inside another name of their domain", () => {
    for (const domain of data.domains) {
      const names = data.subcategories({ domain }).map((c) => c.name);
      for (const a of names) for (const b of names) if (a !== b) expect(b.includes(a), `${a} / ${b}`).toBe(false);
    }
  });

  it("have both test drawings, four few-shot ones by two designers or more, and one for pre-training", () => {
    for (const c of subcategories) {
      const shots = data.drawings(c, "fewshot");
      expect(
        data
          .drawings(c, "test")
          .map((d) => d.designer)
          .sort(),
      ).toEqual(["openmoji", "twemoji"]);
      expect(shots).toHaveLength(4);
      expect(new Set(shots.map((d) => d.designer)).size).toBeGreaterThanOrEqual(2);
      expect(data.drawings(c, "pretraining").length).toBeGreaterThanOrEqual(1);
      expect(data.drawings(c, "dev").length).toBeLessThanOrEqual(1);
    }
  });

  it("take their visual words from the committed table", () => {
    const file = path.join(dataFolder(), "visual-words.json");
    const table = JSON.parse(readFileSync(file, "utf8")) as Record<string, Record<string, string[]>>;
    for (const c of subcategories) expect(c.visualWords).toEqual(table[c.domain][c.name]);
    expect(Object.values(table).flatMap(Object.keys).length).toBe(subcategories.length);
  });

  it("rank all others of their domain as hard negatives, of either split on request", () => {
    for (const c of subcategories) {
      const others = data.subcategories({ domain: c.domain }).filter((o) => o.id !== c.id);
      expect([...c.hardNegatives].sort()).toEqual(others.map((o) => o.id).sort());
      const seen = data.nearestNegatives(c.id, { split: "seen" });
      expect(seen.every((o) => o.split === "seen" && o.id !== c.id)).toBe(true);
      expect(seen.map((o) => o.id)).toEqual(c.hardNegatives.filter((id) => data.concept(id).split === "seen"));
    }
    const name = (id: string): string => data.nearestNegatives(id, { limit: 1 })[0].name;
    expect(["ewe", "goat"]).toContain(name("1f40f")); // ram
  });
});

describe("concepts of pre-training only", () => {
  it("are drawn by pre-training designers alone, and share no name with a sub-category", () => {
    const names = new Set(subcategories.map((c) => c.name));
    for (const c of data.concepts.filter((other) => other.domain === null)) {
      expect(c.split).toBe("pretraining");
      expect(Object.keys(c.drawings).every((style) => data.roleOf(style) === "pretraining")).toBe(true);
      expect(Object.keys(c.drawings).length).toBeGreaterThanOrEqual(2);
      expect(names.has(c.name)).toBe(false);
      expect(c.hardNegatives).toEqual([]);
    }
  });
});

describe("few-shot images and triplets", () => {
  const seen = benchmark.subcategories({ split: "seen" });
  const images = fewShotImages(benchmark, seen, 4);
  const triplets = (seed: number): Triplet[] => drawTriplets(images, neighbours, seed);

  it("are four images for each seen sub-category and none for the others", () => {
    const counts = new Map<string, number>();
    for (const { subcategory } of images) counts.set(subcategory.id, (counts.get(subcategory.id) ?? 0) + 1);
    expect([...counts.keys()].sort()).toEqual(seen.map((c) => c.id).sort());
    expect([...counts.values()].every((n) => n === 4)).toBe(true);
    expect(new Set(images.map(({ id }) => id)).size).toBe(images.length);
    for (const { id, file, subcategory } of images) {
      const [, style, concept] = /([^/]+)\/([^/]+)\.png$/.exec(id)!;
      expect([data.roleOf(style), concept]).toEqual(["fewshot", subcategory.id]);
      expect(file!.endsWith(`/${id}`)).toBe(true);
    }
  });

  it("pair each anchor with another designer's drawing and with the most similar other seen sub-category", () => {
    const drawn = triplets(3);
    expect(drawn.map(({ anchor }) => anchor)).toEqual(images);
    for (const { anchor, positive, negative } of drawn) {
      expect(positive.subcategory.id).toBe(anchor.subcategory.id);
      expect(positive.source).not.toBe(anchor.source);
      expect(negative.subcategory.id).toBe(data.nearestNegatives(anchor.subcategory.id, { split: "seen" })[0].id);
      expect(negative.subcategory.domain).toBe(anchor.subcategory.domain);
    }
  });

  it("follow from the seed", () => {
    expect(triplets(3)).toEqual(triplets(3));
    expect(triplets(4)).not.toEqual(triplets(3));
  });
});

describe("as a benchmark", () => {
  it("has its images in disjoint roles, in the order of its sub-categories", () => {
    assertDisjointRoles(benchmark);
    for (const role of ["fewshot", "dev", "test"] as const) {
      const ids = benchmark.images(role).map(({ id }) => id);
      expect(ids).toEqual(subcategories.flatMap((c) => data.drawings(c, role).map((drawing) => drawing.path)));
    }
    expect(benchmark.subcategories({ domain: "food", split: "unseen" })).toEqual(
      data.subcategories({ domain: "food", split: "unseen" }),
    );
    expect(benchmark.fingerprint).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe("evaluation questions", () => {
  const asked = (request: Partial<QuestionRequest>): Question[] =>
    questionsOf(benchmark, neighbours, { setting: "closed", role: "test", seed: 5, ...request }).questions;
  const closed = asked({});
  const idOf = new Map(subcategories.map((c) => [`${c.domain}/${c.name}`, c]));

  it("are one for each drawing, in both settings", () => {
    expect(closed).toHaveLength(2 * subcategories.length);
    const open = asked({ setting: "open" });
    expect(open.every((row) => row.options === undefined)).toBe(true);
    expect(open.map((row) => row.image_path)).toEqual(closed.map((row) => row.image_path));
    const dev = asked({ role: "dev", setting: "open" });
    expect(dev).toHaveLength(145);
    expect(dev.every((row) => row.designer === "streamline")).toBe(true);
  });

  it("are those of one side on request, as they are among all", () => {
    const unseen = asked({ splits: ["unseen"] });
    expect(unseen).toEqual(closed.filter((row) => row.split === "unseen"));
    expect(unseen.length).toBe(2 * data.subcategories({ split: "unseen" }).length);
  });

  it("put the truth first in the released order, with the same options", () => {
    for (const [i, row] of asked({ optionOrder: "released" }).entries()) {
      expect(row.options![0]).toBe(row.ground_truth);
      expect([...row.options!].sort()).toEqual([...closed[i].options!].sort());
    }
  });

  it("offer four of one neighbourhood, all of the truth's split, none containing the truth", () => {
    for (const row of closed) {
      const options = row.options as string[];
      expect(new Set(options).size).toBe(4);
      const close = (name: string): string[] =>
        data.nearestNegatives(idOf.get(`${row.domain}/${name}`)!.id, { split: row.split, limit: 6 }).map((c) => c.name);
      // one of them, the centre, has the three others among its six closest
      expect(
        options.some((centre) => options.every((other) => other === centre || close(centre).includes(other))),
      ).toBe(true);
      const others = options.filter((name) => name !== row.ground_truth);
      expect(others).toHaveLength(3);
      for (const name of others) {
        expect(idOf.get(`${row.domain}/${name}`)?.split).toBe(row.split);
        expect(name.includes(row.ground_truth) || row.ground_truth.includes(name)).toBe(false);
      }
    }
  });

  it("don't tell the truth by its place among them: choosing the option most similar to the others is near chance", () => {
    const rank = (name: string, other: string, row: Question): number =>
      data.nearestNegatives(idOf.get(`${row.domain}/${name}`)!.id).findIndex((c) => c.name === other);
    const central = closed.filter((row) => {
      const options = row.options as string[];
      const distance = options.map((name) =>
        options.reduce((sum, other) => sum + (other === name ? 0 : rank(name, other, row)), 0),
      );
      return options[distance.indexOf(Math.min(...distance))] === row.ground_truth;
    });
    expect(central.length / closed.length).toBeGreaterThan(0.15);
    expect(central.length / closed.length).toBeLessThan(0.35);
  });

  it("put the truth anywhere: each place between 18 % and 32 %", () => {
    const rows = [...closed, ...asked({ seed: 6 })];
    const places = [0, 0, 0, 0];
    for (const row of rows) places[(row.options as string[]).indexOf(row.ground_truth)]++;
    for (const n of places) expect(Math.abs(n / rows.length - 0.25)).toBeLessThan(0.07);
  });

  it("follow from the seed", () => {
    expect(asked({})).toEqual(closed);
    expect(asked({ seed: 7 })).not.toEqual(closed);
  });
});
