import * as path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { openBenchmark } from "../../lib/benchmark/open";
import { assertDisjointRoles, assertTrainable, fewShotImages, trainedSubcategories } from "../../lib/benchmark/roles";
import type { Benchmark, Role } from "../../lib/benchmark/types";
import { writeMiniature } from "../helpers/miniature-sets";
import { temporaryFolder } from "./photographs/trees";

const sets = temporaryFolder();
let pet: Benchmark;
beforeAll(async () => {
  await writeMiniature("pet", path.join(sets, "pet"));
  pet = await openBenchmark({ benchmark: "pet", sets });
});

const idsOf = (benchmark: Benchmark, role: Role, split: "seen" | "unseen"): string[] =>
  benchmark.subcategories({ split }).flatMap((one) => benchmark.images(role, one).map(({ id }) => id));

describe("assertTrainable", () => {
  it("takes few-shot images of seen sub-categories", () => {
    const ids = idsOf(pet, "fewshot", "seen");
    expect(ids).toHaveLength(4 * 5);
    expect(() => assertTrainable(pet, ids)).not.toThrow();
    expect(() => assertTrainable(pet, [])).not.toThrow();
  });

  it("refuses every image of an unseen sub-category, a few-shot one too", () => {
    const [trainable] = idsOf(pet, "fewshot", "seen");
    for (const id of idsOf(pet, "fewshot", "unseen"))
      expect(() => assertTrainable(pet, [trainable, id])).toThrow(
        new RegExp(`^${id}: is no training image of pet \\(".+" is an unseen sub-category\\)$`),
      );
  });

  it.each(["dev", "test"] as const)("refuses every %s image, seen or not", (role) => {
    const ids = [...idsOf(pet, role, "seen"), ...idsOf(pet, role, "unseen")];
    expect(ids.length).toBeGreaterThan(10);
    for (const id of ids)
      expect(() => assertTrainable(pet, [id])).toThrow(`${id}: is no training image of pet (it is a ${role} image)`);
  });

  it("refuses an image that is none of the benchmark's, unless pre-training saw it", () => {
    expect(() => assertTrainable(pet, ["pet/other.jpg"])).toThrow("(it is none of its images)");
    const extras = {
      knowledge: [],
      appearance: () => Promise.reject(new Error("not asked")),
      pretrainingImages: new Set(["drawn.png"]),
    };
    expect(() => assertTrainable({ ...pet, extras }, ["drawn.png"])).not.toThrow();
    expect(() => assertTrainable({ ...pet, extras }, ["other.png"])).toThrow("other.png");
  });
});

describe("assertDisjointRoles", () => {
  it("names the first image that has two roles, and both", () => {
    expect(() => assertDisjointRoles(pet)).not.toThrow();
    const [shot] = pet.images("fewshot");
    const leaking: Benchmark = {
      ...pet,
      images: (role, of) => (role === "test" ? [...pet.images("test", of), shot] : pet.images(role, of)),
    };
    expect(() => assertDisjointRoles(leaking)).toThrow(`pet: image ${shot.id} is a fewshot image and a test image`);
  });
});

describe("trainedSubcategories", () => {
  it("are seen ones only: all, or a sample by the seed in the benchmark's order", () => {
    const seen = pet.subcategories({ split: "seen" });
    expect(trainedSubcategories(pet, 0, 1)).toEqual(seen);
    expect(trainedSubcategories(pet, 99, 1)).toEqual(seen);
    const two = trainedSubcategories(pet, 2, 1);
    expect(two).toHaveLength(2);
    expect(seen.filter((one) => two.includes(one))).toEqual(two);
    expect(trainedSubcategories(pet, 2, 1)).toEqual(two);
    const drawn = Array.from({ length: 20 }, (_, seed) =>
      trainedSubcategories(pet, 2, seed)
        .map(({ id }) => id)
        .join(),
    );
    expect(new Set(drawn).size).toBeGreaterThan(3);
    expect(fewShotImages(pet, two, 4).map(({ subcategory }) => subcategory.id)).toEqual(
      two.flatMap(({ id }) => [id, id, id, id]),
    );
    expect(fewShotImages(pet, two, 3)).toEqual(
      two.flatMap(({ id }) =>
        fewShotImages(pet, two, 4)
          .filter(({ subcategory }) => subcategory.id === id)
          .slice(0, 3),
      ),
    );
  });
});
