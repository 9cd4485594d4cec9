import { describe, expect, it } from "vitest";
import { drawTriplets, type Neighbours } from "../../lib/benchmark/triplets";
import type { BenchmarkImage, Subcategory } from "../../lib/benchmark/types";

const of = (id: string, split: Subcategory["split"], domain = "fruit"): Subcategory => ({
  id,
  name: id,
  domain,
  split,
});
const [apple, pear, plum, quince] = [
  of("apple", "seen"),
  of("pear", "seen"),
  of("plum", "seen"),
  of("quince", "unseen"),
];
const bus = of("bus", "seen", "vehicle");

/** `sources`: one image each; without them `n` images of nobody. */
function images(subcategory: Subcategory, sources: readonly (string | undefined)[]): BenchmarkImage[] {
  return sources.map((source, i) => {
    const id = `${subcategory.id}${i}`;
    return { id, file: `/${id}.png`, subcategory, key: [id], ...(source === undefined ? {} : { source }) };
  });
}
const plain = [undefined, undefined, undefined];
/** The unseen quince is nearest to everything. */
const RANKS: Record<string, Subcategory[]> = {
  apple: [quince, pear, plum],
  pear: [quince, plum, apple],
  plum: [quince, apple, pear],
  bus: [],
};
const neighbours: Neighbours = ({ id }) => RANKS[id];
const fruit = [apple, pear, plum].flatMap((one) => images(one, plain));

describe("drawTriplets", () => {
  it("takes each image as anchor once, in order", () => {
    expect(drawTriplets(fruit, neighbours, 1).map(({ anchor }) => anchor)).toEqual(fruit);
  });

  it("takes negatives of the most similar sub-category that has images here, never of the unseen one", () => {
    const nearest: Record<string, string> = { apple: "pear", pear: "plum", plum: "apple" };
    for (let seed = 0; seed < 10; seed++)
      for (const { anchor, positive, negative } of drawTriplets(fruit, neighbours, seed)) {
        expect(negative.subcategory.id).toBe(nearest[anchor.subcategory.id]);
        expect(positive.subcategory).toBe(anchor.subcategory);
        expect(positive.id).not.toBe(anchor.id);
      }
    const withoutPear = fruit.filter(({ subcategory }) => subcategory !== pear);
    for (const { anchor, negative } of drawTriplets(withoutPear, neighbours, 1))
      expect(negative.subcategory).toBe(anchor.subcategory === apple ? plum : apple);
  });

  it("takes a negative of another domain only where the own has no other sub-category", () => {
    const all = [...images(bus, plain), ...fruit];
    const drawn = drawTriplets(all, neighbours, 1);
    expect(drawn.slice(0, 3).map(({ negative }) => negative.subcategory)).toEqual([apple, apple, apple]);
    expect(drawn.slice(3).some(({ negative }) => negative.subcategory === bus)).toBe(false);
  });

  it("takes positives by another source where there is one, else by any", () => {
    const drawn = images(apple, ["x", "x", "x", "y"]).concat(images(pear, ["x", "x"]));
    for (let seed = 0; seed < 10; seed++) {
      const triplets = drawTriplets(drawn, neighbours, seed);
      expect(triplets.slice(0, 3).map(({ positive }) => positive.id)).toEqual(["apple3", "apple3", "apple3"]);
      expect(triplets[3].positive.source).toBe("x");
      expect(triplets.slice(4).map(({ positive }) => positive.id)).toEqual(["pear1", "pear0"]);
    }
  });

  it("draws each anchor from its own seed: other sub-categories' images change nothing", () => {
    const ids = (list: BenchmarkImage[], seed: number): string[] =>
      drawTriplets(list, neighbours, seed).map(({ positive, negative }) => `${positive.id} ${negative.id}`);
    expect(ids(fruit, 1)).toEqual(ids(fruit, 1));
    expect(ids(fruit, 2)).not.toEqual(ids(fruit, 1));
    expect(ids([...fruit, ...images(bus, plain)], 1).slice(0, fruit.length)).toEqual(ids(fruit, 1));
  });

  it("takes random negatives of any other sub-category of the domain, and leaves the positives as they are", () => {
    const all = [...images(bus, plain), ...fruit];
    const met = new Map<string, number>();
    for (let seed = 0; seed < 200; seed++) {
      const drawn = drawTriplets(all, neighbours, seed, "random");
      const hardest = drawTriplets(all, neighbours, seed);
      expect(drawn.map(({ positive }) => positive.id)).toEqual(hardest.map(({ positive }) => positive.id));
      for (const { anchor, negative } of drawn) {
        expect(negative.subcategory.id).not.toBe(anchor.subcategory.id);
        if (anchor.subcategory === bus) continue; // alone in its domain: any other
        expect(negative.subcategory.domain).toBe("fruit");
        const key = `${anchor.subcategory.id} ${negative.id}`;
        met.set(key, (met.get(key) ?? 0) + 1);
      }
    }
    // each of three fruits meets the six images of the other two; 600 draws for each fruit
    expect(met.size).toBe(18);
    for (const n of met.values()) expect(n / 600).toBeCloseTo(1 / 6, 1);
    expect(() => drawTriplets(images(apple, plain), neighbours, 1, "random")).toThrow(
      '"apple" is the only sub-category',
    );
  });

  it("takes as many random negatives of a sub-category with few images as of one with many", () => {
    const uneven = [
      ...images(apple, plain),
      ...images(pear, [undefined, undefined]),
      ...images(plum, Array(20).fill(undefined)),
    ];
    let pears = 0;
    for (let seed = 0; seed < 400; seed++)
      pears += drawTriplets(uneven, neighbours, seed, "random")
        .slice(0, 3)
        .filter(({ negative }) => negative.subcategory === pear).length;
    expect(pears / 1200).toBeCloseTo(0.5, 1);
  });

  it("refuses a sub-category with one image, and one that is alone", () => {
    expect(() => drawTriplets([...fruit, ...images(bus, [undefined])], neighbours, 1)).toThrow(
      '"bus" has one image alone, so it has no positive',
    );
    expect(() => drawTriplets(images(apple, plain), neighbours, 1)).toThrow('"apple" is the only sub-category');
  });
});
