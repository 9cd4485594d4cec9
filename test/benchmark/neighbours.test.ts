import { describe, expect, it } from "vitest";
import { rankedNeighbours } from "../../lib/benchmark/neighbours";
import { closedOptions } from "../../lib/benchmark/options";
import type { Benchmark, Split, Subcategory } from "../../lib/benchmark/types";
import { nameSimilarity } from "../../lib/util/spelling";

const of = (domain: string, name: string, split: Split): Subcategory => ({
  id: `${domain}/${name}`,
  name,
  domain,
  split,
});
const all = [
  of("pear", "conference", "seen"),
  of("pear", "anjou", "unseen"),
  of("apple", "golden", "seen"),
  of("apple", "granny", "seen"),
  of("apple", "pink lady", "unseen"),
  of("apple", "royal gala", "unseen"),
];
const benchmark = {
  subcategories: ({ domain, split }: { domain?: string; split?: Split } = {}) =>
    all.filter((one) => one.domain === (domain ?? one.domain) && one.split === (split ?? one.split)),
} as unknown as Benchmark;
const neighbours = rankedNeighbours(benchmark, (a, b) => nameSimilarity(a.name, b.name));

describe("rankedNeighbours", () => {
  it("gives one that is alone on its side of the split those of its side in other domains, behind its own", () => {
    expect(neighbours(all[0]).map(({ name }) => name)).toEqual(["anjou", "golden", "granny"]);
    expect(neighbours(all[2]).map(({ name }) => name)).toEqual(["granny", "pink lady", "royal gala"]);
  });

  it("so that a group of two sub-categories has options and negatives", () => {
    expect(closedOptions(all[0], neighbours, 1).sort()).toEqual(["conference", "golden", "granny"]);
    expect(closedOptions(all[1], neighbours, 1).sort()).toEqual(["anjou", "pink lady", "royal gala"]);
  });
});
