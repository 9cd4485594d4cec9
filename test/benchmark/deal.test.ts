import { describe, expect, it } from "vitest";
import { dealRoles, joinFamilies } from "../../lib/benchmark/emoji-fgvr/deal";

const FAMILIES = [["noto", "noto-v1"], ["fluent", "fluent-flat"], ["twemoji"], ["openmoji"], ["fxemoji"], ["emojione"]];
const SHARES = { test: 2, fewshot: 4, pretraining: 1 };
const familyOf = (style: string): number => FAMILIES.findIndex((family) => family.includes(style));

describe("dealRoles", () => {
  const seeds = Array.from({ length: 50 }, (_, i) => i);

  it("gives every role its number, and no family two roles", () => {
    for (const seed of seeds) {
      const roles = dealRoles(FAMILIES, SHARES, seed)!;
      const of = (role: string): string[] => Object.keys(roles).filter((style) => roles[style] === role);
      expect([of("test").length, of("fewshot").length]).toEqual([2, 4]);
      expect(of("pretraining").length).toBeGreaterThanOrEqual(1);
      const byFamily = FAMILIES.map((family) => new Set(family.flatMap((style) => roles[style] ?? [])));
      expect(byFamily.every((own) => own.size <= 1)).toBe(true);
      expect(new Set(of("test").map(familyOf)).size).toBe(2);
    }
  });

  it("every designer has every role now and then", () => {
    const found = new Set(
      seeds.flatMap((seed) =>
        Object.entries(dealRoles(FAMILIES, SHARES, seed)!).map(([style, role]) => `${familyOf(style)} ${role}`),
      ),
    );
    for (const family of [0, 1, 2, 3, 4, 5])
      for (const role of ["test", "fewshot", "pretraining"]) expect(found).toContain(`${family} ${role}`);
  });

  it("depends on the seed alone", () => {
    expect(dealRoles(FAMILIES, SHARES, 3)).toEqual(dealRoles(FAMILIES, SHARES, 3));
    expect(new Set(seeds.map((seed) => JSON.stringify(dealRoles(FAMILIES, SHARES, seed)))).size).toBeGreaterThan(10);
  });

  it("is null where there are too few families", () => {
    expect(dealRoles([["a", "b"], ["c"], ["d"]], SHARES, 0)).toBeNull();
    // three pairs: two test drawings leave one pair, and four few-shot drawings need two
    expect(
      dealRoles(
        [
          ["a", "b"],
          ["c", "d"],
          ["e", "f"],
        ],
        SHARES,
        0,
      ),
    ).toBeNull();
  });
});

describe("joinFamilies", () => {
  it("joins families with drawings that look alike, over several steps too", () => {
    const alike = new Set(["twemoji openmoji", "openmoji noto"]);
    const same = (a: string, b: string): boolean => alike.has(`${a} ${b}`) || alike.has(`${b} ${a}`);
    const joined = joinFamilies(FAMILIES, same).map((family) => [...family].sort());
    expect(joined).toContainEqual(["noto", "noto-v1", "openmoji", "twemoji"]);
    expect(joined).toContainEqual(["fxemoji"]);
    expect(joined.flat().sort()).toEqual(FAMILIES.flat().sort());
  });
});
