/** Options must not tell the truth by themselves. */
import { describe, expect, it } from "vitest";
import { drawOptions } from "../../lib/benchmark/options";
import { foldIn, random } from "../../lib/util/random";

/** 20 concepts on a circle; the neighbours of one are those beside it, nearest first. */
const circle = Array.from({ length: 20 }, (_, i) => i);
const gap = (a: number, b: number): number => Math.min((a - b + 20) % 20, (b - a + 20) % 20);
const neighbours = (x: number): number[] =>
  circle.filter((y) => y !== x).sort((a, b) => gap(x, a) - gap(x, b) || a - b);

describe("drawOptions", () => {
  it("draws the truth and three others, at any place, the same for the same seed", () => {
    const places = [0, 0, 0, 0];
    for (let i = 0; i < 400; i++) {
      const options = drawOptions(7, neighbours, 4, 6, random(foldIn(1, i)));
      expect(new Set(options).size).toBe(4);
      expect(drawOptions(7, neighbours, 4, 6, random(foldIn(1, i)))).toEqual(options);
      places[options.indexOf(7)]++;
    }
    for (const n of places) expect(n).toBeGreaterThan(60); // 100 expected, deviation 8.7
  });

  it("gives no advantage to the option that is most similar to the others", () => {
    let central = 0;
    const draws = 4000;
    for (let i = 0; i < draws; i++) {
      const stream = random(foldIn(2, i));
      const truth = stream.integer(20);
      const options = drawOptions(truth, neighbours, 4, 6, stream);
      const distance = options.map((a) => options.reduce((sum, b) => sum + gap(a, b), 0));
      const least = Math.min(...distance);
      const ties = distance.filter((d) => d === least).length;
      if (distance[options.indexOf(truth)] === least) central += 1 / ties;
    }
    expect(central / draws).toBeGreaterThan(0.2);
    expect(central / draws).toBeLessThan(0.3);
  });

  it("fails where the neighbourhood is too small", () => {
    expect(() => drawOptions("a", () => ["b", "c"], 4, 6, random(1))).toThrow(/asked of a list/);
  });
});
