import { describe, expect, it } from "vitest";
import { compile } from "../../lib/engine/compile";
import { tf } from "../../lib/engine/tensorflow";
import { sampledEntropy } from "../../lib/loss/entropy";
import { tokenLogProbs } from "../../lib/loss/log-probs";
import { policyLoss } from "../../lib/loss/policy";
import { sftLoss } from "../../lib/loss/sft";
import { DAPO_LOSS, TAPO_LOSS, tapoLoss, type TapoBatch, type TapoOptions } from "../../lib/loss/tapo";
import { distance, gradient, numericalGradient } from "./differences";

function batch(): TapoBatch & { negativeLogProbs: tf.Tensor } {
  return {
    logProbs: tf.tensor2d([
      [-1, -2, -0.5],
      [-0.7, -1.5, -3],
    ]),
    oldLogProbs: tf.tensor2d([
      [-1.1, -1.9, -0.5],
      [-0.6, -1.6, -3],
    ]),
    negativeLogProbs: tf.tensor2d([
      [-2, -2.2, -0.4],
      [-1.2, -1.1, -9],
    ]),
    advantages: tf.tensor1d([1, -1]),
    responseMask: tf.tensor2d([
      [1, 1, 1],
      [1, 1, 0],
    ]),
  };
}

const value = (x: tf.Tensor): number => x.dataSync()[0];

describe("tapoLoss", () => {
  it("is policy - 0.01 k3 + 0.03 H + 0.03 H_neg, by hand for one token", () => {
    // logp = logp_old = -1, A = 2: policy -2. logp_neg = -2: d = -1, k3 = e^-1 = 0.3678794. H = 1, H_neg = 2.
    // -2 - 0.01 x 0.3678794 + 0.03 x 1 + 0.03 x 2 = -1.9136788
    const one = (x: number): tf.Tensor => tf.tensor2d([[x]]);
    const { loss, metrics } = tapoLoss({
      logProbs: one(-1),
      oldLogProbs: one(-1),
      negativeLogProbs: one(-2),
      responseMask: one(1),
      advantages: tf.tensor1d([2]),
    });
    expect(value(loss)).toBeCloseTo(-1.9136788, 5);
    expect(value(metrics.policyLoss)).toBeCloseTo(-2, 6);
    expect(value(metrics.interClassKl)).toBeCloseTo(0.3678794, 6);
    expect(value(metrics.entropy)).toBeCloseTo(1, 6);
    expect(value(metrics.negativeEntropy)).toBeCloseTo(2, 6);
  });

  it("has the gradients finite differences say, in logp and in logp_neg", () => {
    const b = batch();
    const inPositive = (logProbs: tf.Tensor): tf.Tensor => tapoLoss({ ...b, logProbs }).loss;
    const inNegative = (negativeLogProbs: tf.Tensor): tf.Tensor => tapoLoss({ ...b, negativeLogProbs }).loss;
    expect(distance(gradient(inPositive, b.logProbs), numericalGradient(inPositive, b.logProbs))).toBeLessThan(1e-3);
    // The terms in logp_neg are small: a loss of larger coefficients lifts them above float32's rounding.
    const large = { ...TAPO_LOSS, klCoefficient: 1, negativeEntropyCoefficient: 3 };
    const lifted = (negativeLogProbs: tf.Tensor): tf.Tensor => tapoLoss({ ...b, negativeLogProbs }, large).loss;
    expect(distance(gradient(lifted, b.negativeLogProbs), numericalGradient(lifted, b.negativeLogProbs))).toBeLessThan(
      2e-3,
    );
    // By hand, first token: d = -1; 0.01 x (1 - e^-1) / 5 - 0.03 / 5 = 0.00126424 - 0.006
    expect(gradient(inNegative, b.negativeLogProbs)[0]).toBeCloseTo(-0.00473576, 6);
  });

  it("gives the release no gradient in logp_neg, and the same loss", () => {
    const b = batch();
    const release = { ...TAPO_LOSS, gradientThroughNegative: false };
    expect(value(tapoLoss(b, release).loss)).toBe(value(tapoLoss(b).loss));
    expect(gradient((n) => tapoLoss({ ...b, negativeLogProbs: n }, release).loss, b.negativeLogProbs)).toEqual([
      0, 0, 0, 0, 0, 0,
    ]);
  });

  it("pulls the right way: a step down the gradient widens k3 and lowers both entropies", () => {
    const b = batch();
    const options: TapoOptions = {
      ...TAPO_LOSS,
      entropyCoefficient: 0,
      negativeEntropyCoefficient: 0,
      klCoefficient: 1,
    };
    const still = { ...b, advantages: tf.zeros([2]) };
    const step = (o: TapoOptions, name: "logProbs" | "negativeLogProbs" = "logProbs"): TapoBatch => {
      const g = gradient((x) => tapoLoss({ ...still, [name]: x }, o).loss, b[name]);
      return { ...still, [name]: tf.sub(b[name], tf.mul(tf.tensor2d(g, [2, 3]), 0.1)) };
    };
    expect(value(tapoLoss(step(options)).metrics.interClassKl)).toBeGreaterThan(
      value(tapoLoss(still).metrics.interClassKl),
    );
    const entropies = (of: TapoBatch): number[] => {
      const { entropy, negativeEntropy } = tapoLoss(of).metrics;
      return [value(entropy), value(negativeEntropy)];
    };
    const [own, negative] = entropies(still);
    expect(entropies(step({ ...DAPO_LOSS, entropyCoefficient: 1 }))[0]).toBeLessThan(own);
    const ofNegative = { ...DAPO_LOSS, negativeEntropyCoefficient: 1 };
    expect(entropies(step(ofNegative, "negativeLogProbs"))[1]).toBeLessThan(negative);
  });

  it("is DAPO without the triplet's terms (CLS-RL, TAPO without inter)", () => {
    const b = batch();
    const plain = value(policyLoss(b).loss);
    expect(value(tapoLoss({ ...b, negativeLogProbs: null }, DAPO_LOSS).loss)).toBe(plain);
    expect(value(tapoLoss(b, DAPO_LOSS).loss)).toBe(plain);
    expect(tapoLoss({ ...b, negativeLogProbs: null }, DAPO_LOSS).metrics.interClassKl).toBeUndefined();
    expect(value(tapoLoss(b).loss)).not.toBe(plain);
  });

  it("ignores masked tokens of all three log-probs", () => {
    const b = batch();
    const dirt = tf.mul(tf.sub(1, b.responseMask), -300);
    const dirty = {
      ...b,
      logProbs: tf.add(b.logProbs, dirt),
      negativeLogProbs: tf.sub(b.negativeLogProbs, dirt),
      oldLogProbs: tf.add(b.oldLogProbs, tf.mul(dirt, 2)),
    };
    expect(value(tapoLoss(dirty).loss)).toBe(value(tapoLoss(b).loss));
    expect(gradient((n) => tapoLoss({ ...dirty, negativeLogProbs: n }).loss, dirty.negativeLogProbs)[5]).toBeCloseTo(
      0,
      12,
    );
    expect(gradient((p) => tapoLoss({ ...dirty, logProbs: p }).loss, dirty.logProbs)[5]).toBeCloseTo(0, 12);
  });

  it("is the same sum over micro-batches with the mini-batch's normaliser", () => {
    const b = batch();
    const rows = (i: number): TapoBatch => ({
      logProbs: tf.slice(b.logProbs, i, 1),
      oldLogProbs: tf.slice(b.oldLogProbs, i, 1),
      advantages: tf.slice(b.advantages, i, 1),
      negativeLogProbs: tf.slice(b.negativeLogProbs, i, 1),
      responseMask: tf.slice(b.responseMask, i, 1),
    });
    const average = { kind: "token", normaliser: 5 } as const;
    const sum = [0, 1].reduce((s, i) => s + value(tapoLoss(rows(i), { ...TAPO_LOSS, average }).loss), 0);
    expect(sum).toBeCloseTo(value(tapoLoss(b).loss), 6);
  });

  it("runs compiled, from logits to gradients, with the eager numbers and no leak", () => {
    const b = batch();
    const weights = tf.tensor2d(
      Array.from({ length: 24 }, (_, i) => Math.sin(i)),
      [6, 4],
    );
    const tokens = tf.tensor1d([0, 1, 2, 3, 0, 1], "int32");
    const fn = (w: tf.Tensor2D, t: tf.Tensor1D, rest: TapoBatch): { grad: tf.Tensor; entropy: tf.Tensor } => {
      let entropy: tf.Tensor | null = null;
      const grad = tf.grad((x: tf.Tensor) => {
        const logProbs = tf.reshape(tokenLogProbs(x as tf.Tensor2D, t, 1), [2, 3]);
        const out = tapoLoss({ ...rest, logProbs });
        entropy = tf.keep(out.metrics.entropy);
        return out.loss;
      })(w);
      return { grad, entropy: entropy! };
    };
    const eager = fn(weights, tokens, b);
    const compiled = compile(fn);
    const first = compiled(weights, tokens, b);
    expect(distance(first.grad.dataSync(), eager.grad.dataSync())).toBeLessThan(1e-7);
    const before = tf.memory().numTensors;
    for (let i = 0; i < 3; i++) tf.dispose(compiled(weights, tokens, b) as never);
    const again = compiled(weights, tokens, b);
    expect(distance(again.grad.dataSync(), eager.grad.dataSync())).toBeLessThan(1e-7);
    expect(value(again.entropy)).toBeCloseTo(value(eager.entropy), 6);
    expect(tf.memory().numTensors).toBe(before + 2);
  });
});

describe("sampledEntropy and sftLoss", () => {
  it("are minus the mean log-prob over the mask", () => {
    const b = batch();
    // (1 + 2 + 0.5 + 0.7 + 1.5) / 5 = 1.14
    expect(value(sampledEntropy(b.logProbs, b.responseMask))).toBeCloseTo(1.14, 6);
    expect(value(sftLoss(b.logProbs, b.responseMask))).toBeCloseTo(1.14, 6);
    expect(value(sftLoss(b.logProbs, b.responseMask, { kind: "token", normaliser: 10 }))).toBeCloseTo(0.57, 6);
  });

  it("has cross entropy's gradient (softmax - onehot) / tokens through the logits", () => {
    const x = tf.tensor2d([
      [1, 0],
      [0, 2],
      [5, 5],
    ]);
    const t = tf.tensor1d([0, 0, 1], "int32");
    const mask = tf.tensor2d([[1, 1, 0]]);
    const loss = (z: tf.Tensor): tf.Tensor => sftLoss(tf.reshape(tokenLogProbs(z as tf.Tensor2D, t), [1, 3]), mask);
    const got = gradient(loss, x);
    // row 0: softmax [0.7310586, 0.2689414]; row 1: [0.1192029, 0.8807971]; row 2 is masked
    expect(distance(got, [-0.1344707, 0.1344707, -0.4403985, 0.4403985, 0, 0])).toBeLessThan(1e-5);
    expect(distance(got, numericalGradient(loss, x))).toBeLessThan(1e-3);
  });
});
