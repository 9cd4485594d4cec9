import { describe, expect, it } from "vitest";
import { random } from "../../lib/util/random";
import { argmax, logProbOf, sampleFromLogits, sampleToken, type LogitsOptions } from "../../lib/rollout/sample";

const row = Float32Array.from([0.05, 0.3, 0.02, 0.4, 0.13, 0.1]);
const draw = (topP: number, bannedTokenIds: number[], n = 20_000): number[] => {
  const counts = new Array<number>(row.length).fill(0);
  const { uniform } = random(17);
  for (let i = 0; i < n; i++)
    counts[sampleToken(row, 0, row.length, { topP, bannedTokenIds, greedy: false }, uniform)]++;
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
  it.each([
    [1, []],
    [0.75, []],
    [0.65, []],
    [0.3, []],
    [0.9, [3]],
    [1, [1, 3]],
  ] as [number, number[]][])("draws the nucleus distribution: top-p %s, banned %j", (topP, banned) => {
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
      expect([1, 2]).toContain(
        sampleToken(gap, 0, 4, { topP: 1, bannedTokenIds: [], greedy: false }, () => (calls++ === 0 ? u : 0.3)),
      );
    }
  });

  it("is the most probable token that is not banned when greedy", () => {
    const greedy = { topP: 0.1, bannedTokenIds: [3], greedy: true };
    expect(argmax(row, 0, 6, [])).toBe(3);
    expect(sampleToken(row, 0, 6, greedy, () => 0.99)).toBe(1);
  });

  it("falls back to the best allowed token where nearly all mass is banned", () => {
    expect(
      sampleToken(
        Float32Array.from([1, 0, 1e-30]),
        0,
        3,
        { topP: 1, bannedTokenIds: [0], greedy: false },
        random(2).uniform,
      ),
    ).toBe(2);
  });

  it.each([true, false])("reports probabilities that are not numbers (greedy %s)", (greedy) => {
    const nan = new Float32Array(4).fill(NaN);
    for (const topP of [1, 0.5])
      expect(() => sampleToken(nan, 0, 4, { topP, bannedTokenIds: [], greedy }, random(0).uniform)).toThrow(
        /not numbers \(NaN\).*diverged/,
      );
  });

  it.each([true, false])("reports that every token is banned (greedy %s)", (greedy) => {
    const options = { topP: 1, bannedTokenIds: [0, 1, 2], greedy };
    expect(() => sampleToken(Float32Array.from([0.5, 0.3, 0.2]), 0, 3, options, random(0).uniform)).toThrow(
      /no token can be chosen: .*or every token is banned/,
    );
  });

  it("takes the most probable token that is left after 1,000 rejections", () => {
    let draws = 0;
    const uniform = (): number => (draws++, 0.5); // always the banned token
    const options = { topP: 1, bannedTokenIds: [1], greedy: false };
    expect(sampleToken(Float32Array.from([0.1, 0.7, 0.2]), 0, 3, options, uniform)).toBe(2);
    expect(draws).toBe(1000);
  });
});

describe("sampleFromLogits", () => {
  const logits = Float32Array.from([9, 9, 1, 3, -2, 2, 0]); // a row of five at 2
  const plain: LogitsOptions = {
    temperature: 1,
    topK: 0,
    topP: 1,
    repetitionPenalty: 1,
    bannedTokenIds: [],
    greedy: false,
  };
  const counts = (options: Partial<LogitsOptions>, seen: number[] = [], n = 20_000): number[] => {
    const drawn = new Array<number>(5).fill(0);
    const { uniform } = random(5);
    for (let i = 0; i < n; i++) drawn[sampleFromLogits(logits, 2, 5, seen, { ...plain, ...options }, uniform)]++;
    return drawn;
  };
  /** Chi-square against softmax(scores), -Infinity for what must never come. */
  const expectSoftmax = (drawn: number[], scores: number[]): void => {
    const weights = scores.map(Math.exp);
    const total = weights.reduce((a, b) => a + b);
    const n = drawn.reduce((a, b) => a + b);
    drawn.forEach((count, i) => weights[i] === 0 && expect(count, `token ${i}`).toBe(0));
    const chiSquare = drawn.reduce(
      (sum, count, i) =>
        sum + (weights[i] === 0 ? 0 : (count - (n * weights[i]) / total) ** 2 / ((n * weights[i]) / total)),
      0,
    );
    expect(chiSquare).toBeLessThan(20); // 4 degrees of freedom: p = 0.0005
  };
  const none = -Infinity;

  it("draws the softmax, tempered", () => {
    expectSoftmax(counts({}), [1, 3, -2, 2, 0]);
    expectSoftmax(counts({ temperature: 2 }), [0.5, 1.5, -1, 1, 0]);
  });
  it("top-k keeps the k best, and those that equal the k-th", () => {
    expectSoftmax(counts({ topK: 2 }), [none, 3, none, 2, none]);
    expect(counts({ topK: 1 }, [], 50)).toEqual([0, 50, 0, 0, 0]);
    expectSoftmax(counts({ topK: 99 }), [1, 3, -2, 2, 0]);
    const equal = Float32Array.from([1, 2, 1, 0]);
    const drawn = new Set(
      Array.from({ length: 200 }, (_, i) =>
        sampleFromLogits(equal, 0, 4, [], { ...plain, topK: 2 }, random(i).uniform),
      ),
    );
    expect([...drawn].sort()).toEqual([0, 1, 2]);
  });
  it("top-p is taken after top-k and temperature", () => {
    // top-3 are logits 3, 2, 1: probabilities 0.665, 0.245, 0.090. 0.9 < 0.665 + 0.245, so two stay; of all five those
    // two hold 0.871 < 0.9.
    expectSoftmax(counts({ topK: 3, topP: 0.9 }), [none, 3, none, 2, none]);
    expectSoftmax(counts({ topP: 0.9 }), [1, 3, none, 2, none]);
    // at temperature 0.5 the scores are 6, 4, 2: 0.867 alone exceeds 0.8
    expectSoftmax(counts({ temperature: 0.5, topP: 0.8 }), [none, 6, none, none, none]);
    expect(counts({ topP: 1e-9 }, [], 20)).toEqual([0, 20, 0, 0, 0]);
  });
  it("the repetition penalty divides positive and multiplies negative logits of seen tokens", () => {
    // 3 / 2 = 1.5, -2 * 2 = -4, 0 stays
    expectSoftmax(counts({ repetitionPenalty: 2 }, [1, 2, 4]), [1, 1.5, -4, 2, 0]);
    expect(sampleFromLogits(logits, 2, 5, [1], { ...plain, repetitionPenalty: 2, greedy: true }, () => 0)).toBe(3); // 1.5 < 2
    expect(sampleFromLogits(logits, 2, 5, [], { ...plain, repetitionPenalty: 2, greedy: true }, () => 0)).toBe(1);
  });
  it("never takes a banned token, and counts top-k among the others", () => {
    expectSoftmax(counts({ bannedTokenIds: [1], topK: 2 }), [1, none, none, 2, none]);
    expect(() => sampleFromLogits(logits, 2, 5, [], { ...plain, bannedTokenIds: [0, 1, 2, 3, 4] }, () => 0)).toThrow(
      /every token is banned/,
    );
  });
  it("is greedy at tiny temperatures, without overflow", () =>
    expect(counts({ temperature: 1e-6 }, [], 20)).toEqual([0, 20, 0, 0, 0]));
  it.each([true, false])("reports logits that are not numbers (greedy %s)", (greedy) => {
    expect(() => sampleFromLogits(Float32Array.from([1, NaN, 2]), 0, 3, [], { ...plain, greedy }, () => 0)).toThrow(
      /not numbers \(NaN\).*diverged/,
    );
  });
  it("log-probs by hand", () => {
    // ln(e^1 + e^3 + e^-2 + e^2 + e^0) = 3.44469...
    const sum = Math.log(Math.exp(1) + Math.exp(3) + Math.exp(-2) + Math.exp(2) + 1);
    expect(logProbOf(logits, 2, 5, 3)).toBeCloseTo(2 - sum, 12);
    expect(logProbOf(Float32Array.from([1000, 998]), 0, 2, 1, 2)).toBeCloseTo(-1 - Math.log(1 + Math.exp(-1)), 12);
  });
});

describe("both cuts over a large vocabulary", () => {
  /** The lowest score that stays, by sorting all of them. */
  const reference = (logits: Float32Array, topK: number, topP: number, temperature: number): number => {
    const sorted = Array.from(logits).sort((a, b) => b - a);
    const limit = topK > 0 ? Math.min(topK, sorted.length) : sorted.length;
    const weights = sorted.map((x) => Math.exp((x - sorted[0]) / temperature));
    const total = weights.filter((_, i) => sorted[i] >= sorted[limit - 1]).reduce((a, b) => a + b, 0);
    let above = 0;
    let i = 0;
    for (; i < limit - 1 && above + weights[i] < topP * total; i++) above += weights[i];
    return sorted[topP < 1 ? i : limit - 1];
  };
  it.each([
    [0, 0.9, 1],
    [0, 0.999, 1],
    [0, 0.5, 5],
    [50, 1, 1],
    [50, 0.8, 0.7],
    [3000, 0.99, 1],
    [20000, 1, 3],
  ])("top-k %i, top-p %f at temperature %f keep what a full sort keeps", (topK, topP, temperature) => {
    const draw = random(17);
    const logits = Float32Array.from({ length: 20000 }, () => 3 * draw.normal());
    const lowest = reference(logits, topK, topP, temperature);
    const kept = Array.from(logits.keys()).filter((i) => logits[i] >= lowest);
    const options = { topP, topK, temperature, bannedTokenIds: [], greedy: false, repetitionPenalty: 1 };
    // the last uniform number below 1 draws the last kept token, 0 the first
    expect(sampleFromLogits(logits, 0, logits.length, [], options, () => 0)).toBe(kept[0]);
    expect(sampleFromLogits(logits, 0, logits.length, [], options, () => 1 - 2 ** -53)).toBe(kept[kept.length - 1]);
  });
});
