import { describe, expect, it } from "vitest";
import { tf } from "../../lib/engine/tensorflow";
import { policyLoss, type PolicyBatch, type PolicyOptions } from "../../lib/loss/policy";
import { distance, gradient, numericalGradient } from "./differences";

const { log } = Math;

/** One token of ratio `r` and advantage `a`. */
function token(
  r: number,
  a: number,
  options?: PolicyOptions,
): { loss: number; grad: number; metrics: Record<string, number> } {
  const rest = { oldLogProbs: tf.tensor2d([[-1]]), advantages: tf.tensor1d([a]), responseMask: tf.tensor2d([[1]]) };
  const at = (logProbs: tf.Tensor): ReturnType<typeof policyLoss> => policyLoss({ logProbs, ...rest }, options);
  const x = tf.tensor2d([[-1 + log(r)]]);
  const { loss, metrics } = at(x);
  const numbers = Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, value.dataSync()[0]]));
  return { loss: loss.dataSync()[0], grad: gradient((l) => at(l).loss, x)[0], metrics: numbers };
}

describe("policyLoss on one token", () => {
  // [ratio, advantage, loss, d loss / d logp]; unclipped the gradient is -A r, clipped it is 0.
  it.each([
    [1, 2, -2, -2], //           on policy: -A r
    [1.1, 2, -2.2, -2.2], //     inside the clip range
    [1.5, 2, -2.56, 0], //       A > 0, above 1.28: -2 x 1.28
    [0.5, 2, -1, -1], //         A > 0, below 0.8: max(-1, -1.6) = -1, not clipped
    [0.5, -2, 1.6, 0], //        A < 0, below 0.8: max(1, 1.6) = 2 x 0.8
    [1.5, -2, 3, 3], //          A < 0, above 1.28: max(3, 2.56) = 3, not clipped (ratio 1.5 < 3)
    [4, -2, 6, 0], //            dual clip: min(8, 3 x 2) = 6
    [4, 2, -2.56, 0], //         no dual clip for A > 0
    [1.2, 0, 0, 0],
  ])("ratio %s, advantage %s: loss %s, gradient %s", (r, a, loss, grad) => {
    const got = token(r, a);
    expect(got.loss).toBeCloseTo(loss, 4);
    expect(got.grad).toBeCloseTo(grad, 4);
  });

  it("has a full gradient where the policy has not moved (a tie of both branches)", () => {
    expect(token(1, 1).grad).toBeCloseTo(-1, 6);
    expect(token(1, -1).grad).toBeCloseTo(1, 6);
  });

  it("takes its bounds from the options", () => {
    expect(token(1.5, 2, { clipRatioHigh: 0.1 }).loss).toBeCloseTo(-2.2, 4);
    expect(token(0.5, -2, { clipRatioLow: 0.4 }).loss).toBeCloseTo(1.2, 4);
    expect(token(4, -2, { clipRatioDual: 2 }).loss).toBeCloseTo(4, 4);
  });

  it("clamps the log ratio, so that nothing overflows", () => {
    const got = token(Math.exp(40), -1, { clipRatioDual: 1e30 });
    expect(got.loss / Math.exp(20)).toBeCloseTo(1, 4);
    expect(got.grad).toBe(0);
    expect(Number.isFinite(token(Math.exp(80), 1).loss)).toBe(true);
  });

  it("counts what was clipped", () => {
    expect(token(1.5, 2).metrics).toMatchObject({ clipFractionHigh: 1, clipFractionLow: 0, clipFractionDual: 0 });
    expect(token(0.5, -2).metrics).toMatchObject({ clipFractionHigh: 0, clipFractionLow: 1, clipFractionDual: 0 });
    expect(token(4, -2).metrics).toMatchObject({ clipFractionHigh: 0, clipFractionLow: 0, clipFractionDual: 1 });
    expect(token(1, 2).metrics).toMatchObject({ clipFractionHigh: 0, clipFractionLow: 0, clipFractionDual: 0 });
    expect(token(1.5, 2).metrics.ratioMean).toBeCloseTo(1.5, 5);
    expect(token(1.5, 2).metrics.approxKl).toBeCloseTo(-log(1.5), 5);
  });
});

/** Off-policy log-probs away from the kinks of clip, min and max, so that differences of 1e-2 stay on one side. */
function batch(): PolicyBatch {
  const old = [
    [-1, -2, -0.5],
    [-0.7, -1.5, -3],
    [-2, -0.2, -1],
    [-1, -1, -1],
  ];
  const ratios = [
    [1.1, 1.6, 0.9],
    [0.6, 1.15, 0.7],
    [4, 0.5, 1.4],
    [1.05, 3.5, 0.95],
  ];
  return {
    logProbs: tf.tensor2d(old.map((row, i) => row.map((v, j) => v + log(ratios[i][j])))),
    oldLogProbs: tf.tensor2d(old),
    advantages: tf.tensor1d([1.2, -0.8, -1.1, 0.7]),
    responseMask: tf.tensor2d([
      [1, 1, 1],
      [1, 1, 0],
      [1, 1, 1],
      [1, 0, 0],
    ]),
  };
}

/** The definition, in plain numbers. */
function reference({ logProbs, oldLogProbs, advantages, responseMask }: PolicyBatch): number {
  const [l, o, m] = [logProbs, oldLogProbs, responseMask].map((t) => t.arraySync() as number[][]);
  let sum = 0;
  let tokens = 0;
  (advantages.arraySync() as number[]).forEach((a, i) =>
    l[i].forEach((lp, j) => {
      if (m[i][j] === 0) return;
      const r = Math.exp(lp - o[i][j]);
      const upper = Math.max(-a * r, -a * Math.min(Math.max(r, 0.8), 1.28));
      sum += a < 0 ? Math.min(upper, -3 * a) : upper;
      tokens++;
    }),
  );
  return sum / tokens;
}

describe("policyLoss on a batch", () => {
  it("equals the definition", () => {
    expect(policyLoss(batch()).loss.dataSync()[0]).toBeCloseTo(reference(batch()), 5);
  });

  it("has the gradient finite differences say, also through the release's average", () => {
    for (const average of [{ kind: "token" }, { kind: "micro-batch", size: 2 }] as const) {
      const b = batch();
      const loss = (logProbs: tf.Tensor): tf.Tensor => policyLoss({ ...b, logProbs }, { average }).loss;
      expect(distance(gradient(loss, b.logProbs), numericalGradient(loss, b.logProbs))).toBeLessThan(1e-3);
    }
  });

  it("ignores masked tokens, in the loss, its gradient and the metrics", () => {
    const b = batch();
    const garbage = { ...b, logProbs: tf.add(b.logProbs, tf.mul(tf.sub(1, b.responseMask), 500)) };
    const [clean, dirty] = [b, garbage].map((x) => policyLoss(x));
    expect(dirty.loss.dataSync()[0]).toBe(clean.loss.dataSync()[0]);
    for (const name of Object.keys(clean.metrics)) {
      expect(dirty.metrics[name].dataSync()[0]).toBe(clean.metrics[name].dataSync()[0]);
    }
    const grad = gradient((logProbs) => policyLoss({ ...garbage, logProbs }).loss, garbage.logProbs);
    const masked = Array.from(b.responseMask.dataSync(), (m, i) => (m === 0 ? grad[i] : 0));
    expect(masked.every((g) => g === 0)).toBe(true);
  });

  it("is the same update in micro-batches, given the mini-batch's token count; not so in the release's way", () => {
    const b = batch();
    const rows = (x: tf.Tensor, start: number): tf.Tensor => tf.slice(x, start, 2);
    const part = (start: number, average: PolicyOptions["average"]): { loss: number; grad: number[] } => {
      const p = {
        oldLogProbs: rows(b.oldLogProbs, start),
        advantages: rows(b.advantages, start),
        responseMask: rows(b.responseMask, start),
      };
      const f = (logProbs: tf.Tensor): tf.Tensor => policyLoss({ logProbs, ...p }, { average }).loss;
      return { loss: f(rows(b.logProbs, start)).dataSync()[0], grad: gradient(f, rows(b.logProbs, start)) };
    };
    const whole = gradient((logProbs) => policyLoss({ ...b, logProbs }).loss, b.logProbs);
    const parts = [part(0, { kind: "token", normaliser: 9 }), part(2, { kind: "token", normaliser: 9 })];
    expect(parts[0].loss + parts[1].loss).toBeCloseTo(policyLoss(b).loss.dataSync()[0], 5);
    expect(distance([...parts[0].grad, ...parts[1].grad], whole)).toBeLessThan(1e-6);
    const release = [part(0, { kind: "micro-batch", size: 2 }), part(2, { kind: "micro-batch", size: 2 })];
    expect(
      distance(
        [...release[0].grad, ...release[1].grad].map((g) => g / 2),
        whole,
      ),
    ).toBeGreaterThan(1e-3);
  });

  it("takes advantages per sequence or per token", () => {
    const b = batch();
    const perToken = tf.mul(tf.expandDims(b.advantages, 1), tf.onesLike(b.logProbs));
    expect(policyLoss({ ...b, advantages: perToken }).loss.dataSync()[0]).toBe(policyLoss(b).loss.dataSync()[0]);
  });
});
