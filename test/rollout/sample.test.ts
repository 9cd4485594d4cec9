import { describe, expect, it } from "vitest";
import { random } from "../../lib/engine/random";
import { argmax, sampleToken } from "../../lib/rollout/sample";

const row = Float32Array.from([0.05, 0.3, 0.02, 0.4, 0.13, 0.1]);
const draw = (topP: number, bannedTokenIds: number[], n = 20_000): number[] => {
  const counts = new Array<number>(row.length).fill(0);
  const { uniform } = random(17);
  for (let i = 0; i < n; i++) counts[sampleToken(row, 0, row.length, { topP, bannedTokenIds, greedy: false }, uniform)]++;
  return counts;
};
/** The nucleus by sorting, renormalised, without the banned tokens. */
const nucleus = (topP: number, banned: number[]): number[] => {
  const order = Array.from(row.keys()).sort((a, b) => row[b] - row[a]);
  let above = 0;
  const inside = new Set<number>();
  for (const token of order) {
    if (above < topP - 1e-7) inside.add(token);
    above += row[token];
  }
  const kept = Array.from(row, (p, i) => (inside.has(i) && !banned.includes(i) ? p : 0));
  const total = kept.reduce((a, b) => a + b);
  return kept.map((p) => p / total);
};

describe("sampleToken", () => {
  it.each([[1, []], [0.75, []], [0.65, []], [0.3, []], [0.9, [3]], [1, [1, 3]]] as [number, number[]][])("draws the nucleus distribution: top-p %s, banned %j", (topP, banned) => {
    const counts = draw(topP, banned);
    const expected = nucleus(topP, banned);
    let chiSquare = 0;
    counts.forEach((n, i) => {
      if (expected[i] === 0) expect(n, `token ${i}`).toBe(0);
      else chiSquare += (n - 20_000 * expected[i]) ** 2 / (20_000 * expected[i]);
    });
    expect(chiSquare).toBeLessThan(22); // 5 degrees of freedom: p = 0.0005
  });

  it("reads its row of several, and repeats for the same stream", () => {
    const two = Float32Array.from([1, 0, 0, 0, 0, 1]);
    expect(sampleToken(two, 3, 3, { topP: 1, bannedTokenIds: [], greedy: false }, random(1).uniform)).toBe(2);
    expect(draw(0.9, [], 50)).toEqual(draw(0.9, [], 50));
  });

  it("never draws a token of probability 0, at either end of the stream", () => {
    const gap = Float32Array.from([0, 0.5, 0.5, 0]);
    for (const u of [0, 0.25, 0.999999999]) {
      let calls = 0; // what rounding leaves over is drawn again
      expect([1, 2]).toContain(sampleToken(gap, 0, 4, { topP: 1, bannedTokenIds: [], greedy: false }, () => (calls++ === 0 ? u : 0.3)));
    }
  });

  it("is the most probable token that is not banned when greedy", () => {
    const greedy = { topP: 0.1, bannedTokenIds: [3], greedy: true };
    expect(argmax(row, 0, 6, [])).toBe(3);
    expect(sampleToken(row, 0, 6, greedy, () => 0.99)).toBe(1);
  });

  it("falls back to the best allowed token where nearly all mass is banned", () => {
    expect(sampleToken(Float32Array.from([1, 0, 1e-30]), 0, 3, { topP: 1, bannedTokenIds: [0], greedy: false }, random(2).uniform)).toBe(2);
  });

  it.each([true, false])("reports probabilities that are not numbers (greedy %s)", (greedy) => {
    const nan = new Float32Array(4).fill(NaN);
    for (const topP of [1, 0.5]) expect(() => sampleToken(nan, 0, 4, { topP, bannedTokenIds: [], greedy }, random(0).uniform)).toThrow(/not numbers \(NaN\).*diverged/);
  });
});
