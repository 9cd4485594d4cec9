/**
 * Advantages, policy loss, dual clip, k3 and the whole TAPO loss against policy.py's transcription of the published
 * formulas.
 */
import * as fs from "node:fs";
import { tf, type Tensor } from "../../lib/engine/tensorflow";
import { groupAdvantages } from "../../lib/loss/advantages";
import { policyLoss } from "../../lib/loss/policy";
import { TAPO_LOSS, tapoLoss, type TapoBatch } from "../../lib/loss/tapo";
import type { Check } from "./checks";

interface Terms {
  policy: number;
  k3: number;
  entropy: number;
  negative_entropy: number;
  loss: number;
  /** [B][T] */
  policy_gradient: number[][];
  gradient: number[][];
  negative_gradient: number[][];
}

interface PolicyCase {
  rewards: number[];
  advantages: number[];
  log_probs: number[][];
  old_log_probs: number[][];
  negative_log_probs: number[][];
  mask: number[][];
  paper: Terms;
  release: Terms;
}

/** Largest |difference| of values and, relative to their norm, of gradients, by what is compared. */
function compareBatch(of: PolicyCase): Map<string, number> {
  const worst = new Map<string, number>();
  const note = (what: string, value: number): void =>
    void worst.set(what, Math.max(worst.get(what) ?? 0, Number.isNaN(value) ? Infinity : value));
  const values = (what: string, ours: Tensor, theirs: number): void =>
    note(what, Math.abs(ours.dataSync()[0] - theirs) / Math.max(1, Math.abs(theirs)));
  const gradients = (what: string, ours: Tensor, theirs: number[][]): void => {
    const [x, y] = [Array.from(ours.dataSync()), theirs.flat()];
    note(what, Math.hypot(...x.map((value, i) => value - y[i])) / Math.max(Math.hypot(...y), 1e-12));
  };
  groupAdvantages(of.rewards).forEach((ours, i) => note("advantages", Math.abs(ours - of.advantages[i])));
  tf.tidy(() => {
    const [logProbs, oldLogProbs, negativeLogProbs, responseMask] = [
      of.log_probs,
      of.old_log_probs,
      of.negative_log_probs,
      of.mask,
    ].map((rows) => tf.tensor2d(rows, undefined, "float32"));
    const batch: TapoBatch = {
      logProbs,
      oldLogProbs,
      negativeLogProbs,
      responseMask,
      advantages: tf.tensor1d(of.advantages),
    };
    gradients(
      "gradient of the policy loss",
      tf.grad((x) => policyLoss({ ...batch, logProbs: x }).loss)(logProbs),
      of.paper.policy_gradient,
    );
    for (const [name, terms] of [
      ["paper", of.paper],
      ["release", of.release],
    ] as const) {
      const options = { ...TAPO_LOSS, gradientThroughNegative: name === "paper" };
      const { loss, metrics } = tapoLoss(batch, options);
      values("policy loss", metrics.policyLoss, terms.policy);
      values("k3", metrics.interClassKl, terms.k3);
      values("entropy", metrics.entropy, terms.entropy);
      values("entropy under the negative", metrics.negativeEntropy, terms.negative_entropy);
      values("TAPO loss", loss, terms.loss);
      const [ours, negative] = tf.grads(
        (x, y) => tapoLoss({ ...batch, logProbs: x, negativeLogProbs: y }, options).loss,
      )([logProbs, negativeLogProbs]);
      gradients(`gradient of the TAPO loss, ${name}`, ours, terms.gradient);
      if (name === "paper")
        gradients("gradient of the TAPO loss on the negative's log-probs, paper", negative, terms.negative_gradient);
      else
        note(
          "gradient on the negative's log-probs, release (there is none)",
          Math.max(...Array.from(negative.dataSync(), Math.abs)),
        );
    }
  });
  return worst;
}

/**
 * Runs all batches of a file that policy.py wrote. Values within 1e-5 x max(1, |value|), gradients within 1e-5 of their
 * norm.
 */
export function comparePolicy(file: string): Check[] {
  const { cases } = JSON.parse(fs.readFileSync(file, "utf8")) as { cases: PolicyCase[] };
  const worst = new Map<string, number>();
  for (const batch of cases)
    for (const [what, value] of compareBatch(batch)) worst.set(what, Math.max(worst.get(what) ?? 0, value));
  return [...worst].map(([check, value]) => ({ check, worst: value, tolerance: 1e-5 }));
}
