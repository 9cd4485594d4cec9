import { describe, expect, it } from "vitest";
import type { Knowledge } from "../../../lib/benchmark/emoji-fgvr/knowledge";
import { namedDrawings } from "../../../lib/cot/corpus";
import { countPairs, drawPairs, sampleByWeight } from "../../../lib/experiment/baselines/pairs";
import { random } from "../../../lib/util/random";

const knowledge: Knowledge[] = Array.from({ length: 12 }, (_, i) => ({
  id: `id-${i}`, name: `name${"abcdefghijkl"[i]}`, evaluated: i < 6, question: "What is this?", kind: "toy", colors: ["red"], words: [`part${i}`, `edge${i}`], neighbours: [],
  drawings: [0, 1, 2].map((d) => ({ path: `${i}-${d}.png`, colors: ["red", "blue"], shape: ["round"] })),
})); // prettier-ignore
const batch = { images: 8, named: 5, evaluatedWeight: 2 };

describe("drawPairs", () => {
  it("names the drawings that the base's pre-training names, and no other", () => {
    expect(countPairs(knowledge)).toEqual({ concepts: 12, named: 12, described: 36 });
    const alone = new Set<boolean>();
    for (let seed = 0; seed < 100; seed++) {
      const pairs = drawPairs(knowledge, batch, seed);
      pairs.forEach(({ image, conceptId, caption }, i) => {
        const k = knowledge.find((one) => one.id === conceptId)!;
        expect(k.drawings.map((d) => d.path)).toContain(image);
        expect(caption.includes(k.name)).toBe(i < batch.named);
        if (i < batch.named) expect(namedDrawings(k).map((d) => d.path)).toContain(image);
        else expect(caption).toMatch(/^ red blue, (part\d+ edge\d+|edge\d+ part\d+)\.$/);
        if (i < batch.named) alone.add(caption === ` ${k.name}`);
      });
      expect(new Set(pairs.map((pair) => pair.conceptId)).size).toBe(batch.images);
    }
    expect(alone).toEqual(new Set([true, false]));
  });

  it("gives the same batch for a seed, another for another, and says where concepts are too few", () => {
    expect(drawPairs(knowledge, batch, 3)).toEqual(drawPairs(knowledge, batch, 3));
    expect(drawPairs(knowledge, batch, 3)).not.toEqual(drawPairs(knowledge, batch, 4));
    expect(() => drawPairs(knowledge, { ...batch, images: 13 }, 0)).toThrow(
      "13 pairs of distinct concepts asked of 12",
    );
  });
});

describe("sampleByWeight", () => {
  it("draws first elements in proportion to their weights", () => {
    const r = random(1);
    const firsts = Array.from({ length: 4000 }, () => sampleByWeight(["a", "b"], 1, (x) => (x === "a" ? 3 : 1), r)[0]);
    const share = firsts.filter((x) => x === "a").length / firsts.length;
    expect(Math.abs(share - 0.75)).toBeLessThan(0.03); // standard error 0.007
  });
});
