import { describe, expect, it } from "vitest";
import { findSubcategories } from "../../lib/benchmark/find";
import type { Subcategory } from "../../lib/benchmark/types";

const of = (...names: string[]) => ({
  title: "Birds",
  subcategories: (): Subcategory[] => names.map((name) => ({ id: name, name, domain: "bird", split: "seen" })),
});
const names = (found: readonly Subcategory[]): string[] => found.map(({ name }) => name);

describe("findSubcategories", () => {
  const birds = of("Common Tern", "Arctic_Tern", "Tern", "Brandt Cormorant", "Rüppell's Weaver");

  it("finds a part of a name in any case, a whole name first", () => {
    expect(names(findSubcategories(birds, "tern"))).toEqual(["Tern", "Common Tern", "Arctic_Tern"]);
    expect(names(findSubcategories(birds, "arctic tern"))).toEqual(["Arctic_Tern"]);
  });

  it("takes no notice of accents and punctuation", () => {
    for (const part of ["ruppells", "Rüppell’s weaver", "RÜPPELL'S"])
      expect(names(findSubcategories(birds, part))).toEqual(["Rüppell's Weaver"]);
  });

  it("names the nearest where there is none, and refuses an empty part", () => {
    expect(() => findSubcategories(birds, "Cormorent")).toThrow(/nearest: Brandt Cormorant \(bird\)/);
    expect(() => findSubcategories(birds, " - ")).toThrow(/give a part of a name/);
  });
});
