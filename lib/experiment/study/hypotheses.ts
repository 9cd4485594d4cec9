/**
 * The study's hypotheses, as `docs/study/protocol.md` states them, and their tests on predictions: each is one paired
 * difference of accuracy, or two that must both hold.
 */
import { holm } from "../../eval/holm";
import type { Split } from "../../eval/rows";
import { compareContrast, type Compared, type Contrast, type RowsByMethod } from "./contrasts";

export interface Hypothesis {
  name: string;
  claim: string;
  /** All must hold; the p-value is the largest (an intersection-union test). */
  contrasts: readonly Contrast[];
}

const BOTH: readonly Split[] = ["seen", "unseen"];

export const HYPOTHESES: readonly Hypothesis[] = [
  {
    name: "H1",
    claim: "CoT SFT is better than SFT on answers on unseen sub-categories",
    contrasts: [{ a: "sft", b: "sft-direct", splits: ["unseen"] }],
  },
  { name: "H2", claim: "TAPO is better than CoT SFT", contrasts: [{ a: "tapo", b: "sft", splits: BOTH }] },
  { name: "H3", claim: "TAPO is better than CLS-RL", contrasts: [{ a: "tapo", b: "cls-rl", splits: BOTH }] },
  {
    name: "H4",
    claim: "The intra-class augmentation helps",
    contrasts: [{ a: "tapo", b: "tapo-no-intra", splits: BOTH }],
  },
  {
    name: "H5",
    claim: "The inter-class augmentation helps",
    contrasts: [{ a: "tapo", b: "tapo-no-inter", splits: BOTH }],
  },
  {
    name: "H6",
    claim: "TAPO is better than the contrastive model on seen and on unseen sub-categories",
    contrasts: [
      { a: "tapo", b: "clip-fewshot", splits: ["seen"] },
      { a: "tapo", b: "clip-fewshot", splits: ["unseen"] },
    ],
  },
  {
    name: "H7",
    claim: "What TAPO gains over CoT SFT holds on unseen sub-categories",
    contrasts: [{ a: "tapo", b: "sft", splits: ["unseen"] }],
  },
];

/** A tested hypothesis. `p` is two-sided, over its contrasts the largest; a difference the wrong way has p 1. */
export interface Tested {
  hypothesis: Hypothesis;
  differences: Compared[];
  p: number;
  /** Adjusted for all hypotheses, also for those that cannot be tested yet. */
  holm: number;
  /** Whether every difference is above 0 and the adjusted p below 0.05. */
  holds: boolean;
}

/** Tests every hypothesis whose variants are all there and share a seed, and corrects for all that are given. */
export function testHypotheses(rows: RowsByMethod, hypotheses: readonly Hypothesis[] = HYPOTHESES): Tested[] {
  const tested = hypotheses.flatMap((hypothesis) => {
    const differences = hypothesis.contrasts.map((contrast) => compareContrast(rows, contrast));
    if (differences.includes(null)) return [];
    const whole = differences as Compared[];
    return [{ hypothesis, differences: whole, p: Math.max(...whole.map((d) => (d.difference > 0 ? d.p : 1))) }];
  });
  const adjusted = holm(
    tested.map(({ p }) => p),
    hypotheses.length,
  );
  return tested.map((one, i) => ({
    ...one,
    holm: adjusted[i],
    holds: one.differences.every(({ low }) => low > 0) && adjusted[i] < 0.05,
  }));
}
