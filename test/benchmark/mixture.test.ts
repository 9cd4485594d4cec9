import * as path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { nameSimilarity } from "../../lib/util/spelling";
import { mixture } from "../../lib/benchmark/mixture";
import { rankedNeighbours } from "../../lib/benchmark/neighbours";
import { openBenchmark } from "../../lib/benchmark/open";
import { questionsOf } from "../../lib/benchmark/questions";
import { fewShotImages } from "../../lib/benchmark/roles";
import { drawTriplets, type Neighbours } from "../../lib/benchmark/triplets";
import type { Benchmark } from "../../lib/benchmark/types";
import { writeMiniature } from "../helpers/miniature-sets";
import { temporaryFolder } from "./photographs/trees";

const sets = temporaryFolder();
let [pet, grocery, both]: Benchmark[] = [];
const open = (benchmark: string, shots?: number): Promise<Benchmark> => openBenchmark({ benchmark, sets, shots });
beforeAll(async () => {
  for (const name of ["pet", "grocery"] as const) await writeMiniature(name, path.join(sets, name));
  [pet, grocery, both] = [await open("pet"), await open("grocery"), await open("pet+grocery")];
});
const bySpelling = (benchmark: Benchmark): Neighbours =>
  rankedNeighbours(benchmark, (a, b) => nameSimilarity(a.name, b.name));

describe("a mixture", () => {
  it("has the domains, names, sub-categories and images of its parts, in their order", () => {
    expect([both.name, both.title]).toEqual(["pet+grocery", `${pet.title} + ${grocery.title}`]);
    expect(both.domains).toEqual(["pet", "Fruit", "Packages", "Vegetables"]);
    expect(both.subcategories()).toEqual([...pet.subcategories(), ...grocery.subcategories()]);
    expect(both.subcategories({ split: "unseen" })).toEqual([
      ...pet.subcategories({ split: "unseen" }),
      ...grocery.subcategories({ split: "unseen" }),
    ]);
    expect(both.subcategories({ domain: "Fruit" })).toEqual(grocery.subcategories({ domain: "Fruit" }));
    for (const role of ["fewshot", "dev", "test"] as const)
      expect(both.images(role)).toEqual([...pet.images(role), ...grocery.images(role)]);
    const [fruit] = both.subcategories({ domain: "Fruit" });
    expect(both.images("test", fruit)).toEqual(grocery.images("test", fruit));
    expect(both.kin!(fruit)).toBe("Apple");
    expect([both.question("pet"), both.question("Fruit")]).toEqual([pet.question("pet"), grocery.question("Fruit")]);
    expect(both.kind("pet")).toBe(pet.kind("pet"));
    expect(() => both.question("bird")).toThrow('no domain "bird": there are pet, Fruit');
  });

  it("keeps sub-categories and images of its sets apart by the set's name", () => {
    for (const list of [both.subcategories(), both.images("test")])
      for (const { id } of list) expect(id).toMatch(/^(pet|grocery)\//);
    const ids = both.subcategories().map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("takes so many shots of every sub-category of each set", async () => {
    const two = await open("pet+grocery", 2);
    for (const one of both.subcategories()) {
      expect(both.images("fewshot", one)).toHaveLength(4);
      expect(two.images("fewshot", one)).toHaveLength(2);
    }
    expect(two.fingerprint).not.toBe(both.fingerprint);
  });

  it("has another fingerprint when a part has, or when parts are in another order", async () => {
    const other = { ...grocery, fingerprint: "0".repeat(64) };
    const prints = [both, mixture([pet, other]), await open("grocery+pet"), pet, grocery].map((one) => one.fingerprint);
    expect(new Set(prints).size).toBe(5);
    expect(mixture([pet, grocery]).fingerprint).toBe(both.fingerprint);
  });

  it("asks what its parts ask, with options of the image's own domain", () => {
    const request = { setting: "closed", source: "own", seed: 3 } as const;
    const { questions } = questionsOf(both, bySpelling(both), request);
    const alone = [pet, grocery].flatMap((part) => questionsOf(part, bySpelling(part), request).questions);
    expect(questions).toEqual(alone);
    expect(questions).toHaveLength(both.images("test").length);
    for (const { domain, split, options } of questions) {
      const names = both.subcategories({ domain, split }).map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(options!));
    }
    const released = questionsOf(both, bySpelling(both), { ...request, source: "released" }).questions;
    expect(released.filter(({ domain }) => domain === "pet")).toEqual(
      questionsOf(pet, bySpelling(pet), { ...request, source: "released" }).questions,
    );
    expect(questionsOf(both, bySpelling(both), { ...request, limit: 7 }).questions).toHaveLength(7);
  });

  it("draws triplets within a domain", () => {
    const images = fewShotImages(both, both.subcategories({ split: "seen" }), 4);
    for (const { anchor, positive, negative } of drawTriplets(images, bySpelling(both), 1)) {
      expect(positive.subcategory).toBe(anchor.subcategory);
      expect([negative.subcategory.domain, negative.subcategory.split]).toEqual([anchor.subcategory.domain, "seen"]);
      expect(negative.subcategory.id).not.toBe(anchor.subcategory.id);
    }
  });

  it("of one is that one; of equal squares, or of the same set twice, none", () => {
    expect(mixture([pet])).toBe(pet);
    const squares: Benchmark = {
      ...grocery,
      name: "drawings",
      squares: { size: 8, load: () => Promise.reject(new Error("not asked")) },
    };
    expect(() => mixture([pet, squares])).toThrow("drawings is of equal squares and stands alone");
    expect(() => mixture([pet, pet])).toThrow('pet and pet both have the domain "pet"');
  });
});
