import { readFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { loadEmojiFgvr } from "../../lib/benchmark/emoji-fgvr";
import { dataFolder } from "../../lib/benchmark/emoji-fgvr/paths";
import type { EvaluationRow } from "../../lib/benchmark/emoji-fgvr/types";

const data = loadEmojiFgvr();
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

describe("few-shot examples and triplets", () => {
  const examples = data.fewShotExamples();
  const triplets = data.triplets(3);

  it("are four images for each seen sub-category and none for the others", () => {
    const counts = new Map<string, number>();
    for (const e of examples) counts.set(e.conceptId, (counts.get(e.conceptId) ?? 0) + 1);
    expect([...counts.keys()].sort()).toEqual(
      data
        .subcategories({ split: "seen" })
        .map((c) => c.id)
        .sort(),
    );
    expect([...counts.values()].every((n) => n === 4)).toBe(true);
    expect(examples.every((e) => data.roleOf(e.style) === "fewshot")).toBe(true);
    expect(new Set(examples.map((e) => e.path)).size).toBe(examples.length);
  });

  it("pair each anchor with another designer's drawing and with the most similar other seen sub-category", () => {
    expect(triplets.map((t) => t.anchor)).toEqual(examples);
    for (const { anchor, positive, negative } of triplets) {
      expect(positive.conceptId).toBe(anchor.conceptId);
      expect(positive.designer).not.toBe(anchor.designer);
      expect(negative.conceptId).toBe(data.nearestNegatives(anchor.conceptId, { split: "seen" })[0].id);
      expect(negative.domain).toBe(anchor.domain);
    }
  });

  it("follow from the seed", () => {
    expect(data.triplets(3)).toEqual(triplets);
    expect(data.triplets(4)).not.toEqual(triplets);
  });
});

describe("evaluation rows", () => {
  const closed = data.evaluationRows({ role: "test", setting: "closed", seed: 5 });
  const idOf = new Map(subcategories.map((c) => [`${c.domain}/${c.name}`, c]));

  it("are one for each drawing, in both settings", () => {
    expect(closed).toHaveLength(2 * subcategories.length);
    const open = data.evaluationRows({ role: "test", setting: "open", seed: 5 });
    expect(open.every((row) => row.options === undefined)).toBe(true);
    expect(open.map((row) => row.image_path)).toEqual(closed.map((row) => row.image_path));
    const dev = data.evaluationRows({ role: "dev", setting: "open", seed: 5 });
    expect(dev).toHaveLength(145);
    expect(dev.every((row) => row.designer === "streamline")).toBe(true);
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
    const rank = (name: string, other: string, row: EvaluationRow): number =>
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
    const rows: EvaluationRow[] = [closed, data.evaluationRows({ role: "test", setting: "closed", seed: 6 })].flat();
    const places = [0, 0, 0, 0];
    for (const row of rows) places[(row.options as string[]).indexOf(row.ground_truth)]++;
    for (const n of places) expect(Math.abs(n / rows.length - 0.25)).toBeLessThan(0.07);
  });

  it("follow from the seed", () => {
    expect(data.evaluationRows({ role: "test", setting: "closed", seed: 5 })).toEqual(closed);
    expect(data.evaluationRows({ role: "test", setting: "closed", seed: 7 })).not.toEqual(closed);
  });
});
