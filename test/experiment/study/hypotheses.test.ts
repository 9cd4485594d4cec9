import { describe, expect, it } from "vitest";
import type { PredictionRow, Setting, Split } from "../../../lib/eval/rows";
import { HYPOTHESES, testHypotheses, type Hypothesis } from "../../../lib/experiment/study/hypotheses";
import { MAIN_VARIANTS, CONTRASTIVE } from "../../../lib/experiment/study/variants";
import { random } from "../../../lib/util/random";

/** Rows of a method whose answers are right with some probability, by split; 3 seeds, 40 sub-categories a split. */
function rowsOf(method: string, right: Record<Split, number>): PredictionRow[] {
  const r = random(7); // the same draws for all methods: a better one is right wherever a worse one is
  const rows: PredictionRow[] = [];
  for (const seed of [0, 1, 2])
    for (const split of ["seen", "unseen"] as const)
      for (let c = 0; c < 40; c++)
        for (const setting of ["closed", "open"] satisfies Setting[]) {
          const name = `${split} ${String.fromCharCode(97 + (c % 26))}${c}`;
          rows.push({
            method,
            seed,
            domain: "d",
            split,
            setting,
            image_path: `${name}.png`,
            question: "?",
            ground_truth: name,
            output: r.uniform() < right[split] ? `<answer> ${name}</answer>` : "<answer> none</answer>",
          });
        }
  return rows;
}

const both = (p: number): Record<Split, number> => ({ seen: p, unseen: p });

describe("testHypotheses", () => {
  const gain: Hypothesis = { name: "X", claim: "a > b", contrasts: [{ a: "a", b: "b", splits: ["seen", "unseen"] }] };

  it("holds where one method is right more often, and not the other way round", () => {
    const rows = new Map([
      ["a", rowsOf("a", both(0.7))],
      ["b", rowsOf("b", both(0.5))],
    ]);
    const [won] = testHypotheses(rows, [gain]);
    expect(won.holds).toBe(true);
    expect(won.differences[0].difference).toBeGreaterThan(0.1);
    const [lost] = testHypotheses(rows, [{ ...gain, contrasts: [{ a: "b", b: "a", splits: ["seen"] }] }]);
    expect([lost.holds, lost.p, lost.holm]).toEqual([false, 1, 1]);
  });

  it("looks at the splits it names only", () => {
    const rows = new Map([
      ["a", rowsOf("a", { seen: 0.8, unseen: 0.5 })],
      ["b", rowsOf("b", both(0.5))],
    ]);
    const on = (splits: Split[]): number =>
      testHypotheses(rows, [{ ...gain, contrasts: [{ a: "a", b: "b", splits }] }])[0].differences[0].difference;
    expect(on(["unseen"])).toBe(0);
    expect(on(["seen"])).toBeGreaterThan(0.2);
    expect(on(["seen", "unseen"])).toBeCloseTo(on(["seen"]) / 2, 10);
  });

  it("with two contrasts both must hold", () => {
    const rows = new Map([
      ["a", rowsOf("a", { seen: 0.8, unseen: 0.5 })],
      ["b", rowsOf("b", both(0.5))],
    ]);
    const contrasts = (["seen", "unseen"] as const).map((split) => ({ a: "a", b: "b", splits: [split] }));
    const [tested] = testHypotheses(rows, [{ ...gain, contrasts }]);
    expect([tested.holds, tested.p]).toEqual([false, 1]);
  });

  it("leaves out what has no rows, and corrects for all seven", () => {
    const rows = new Map([
      ["tapo", rowsOf("tapo", both(0.7))],
      ["sft", rowsOf("sft", both(0.5))],
      ["cls-rl", rowsOf("cls-rl", both(0.55))],
    ]);
    const tested = testHypotheses(rows);
    expect(tested.map(({ hypothesis }) => hypothesis.name)).toEqual(["H2", "H3", "H7"]);
    const least = Math.min(...tested.map(({ p }) => p));
    expect(Math.min(...tested.map(({ holm }) => holm))).toBeCloseTo(Math.min(1, HYPOTHESES.length * least), 12);
    expect(HYPOTHESES).toHaveLength(7);
  });

  it("names variants that the study runs", () => {
    const known: readonly string[] = [...MAIN_VARIANTS, CONTRASTIVE];
    for (const { contrasts } of HYPOTHESES)
      for (const { a, b } of contrasts) expect(known).toEqual(expect.arrayContaining([a, b]));
  });
});
