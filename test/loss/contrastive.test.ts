import { describe, expect, it } from "vitest";
import { tf } from "../../lib/engine/tensorflow";
import { contrastiveLoss, sigmoidLoss, softmaxLoss } from "../../lib/loss/contrastive";

const value = (x: tf.Tensor): number => {
  const [number] = x.dataSync();
  x.dispose();
  return number;
};
const softplus = (x: number): number => Math.log1p(Math.exp(x));

describe("contrastive losses", () => {
  const logits = tf.tensor2d([
    [2, -1],
    [0.5, 1],
  ]);

  it("asks of every pair whether it belongs together (sigmoid)", () => {
    // right: 2 and 1; wrong: -1 and 0.5; divided by the two images
    const byHand = (softplus(-2) + softplus(-1) + softplus(-1) + softplus(0.5)) / 2;
    expect(value(sigmoidLoss(logits))).toBeCloseTo(byHand, 5);
    expect(byHand).toBeCloseTo(0.8636, 3);
  });

  it("is the mean of both cross-entropies (softmax), and a shift changes nothing", () => {
    // rows: log(1+e^-3), log(1+e^-0.5); columns: log(1+e^-1.5), log(1+e^-2)
    const byHand = (softplus(-3) + softplus(-0.5) + softplus(-1.5) + softplus(-2)) / 4;
    expect(value(softmaxLoss(logits))).toBeCloseTo(byHand, 5);
    expect(value(softmaxLoss(tf.add(logits, 7)))).toBeCloseTo(byHand, 5);
    expect(value(sigmoidLoss(tf.add(logits, 7)))).not.toBeCloseTo(value(sigmoidLoss(logits)), 1);
  });

  it("pulls pairs together and pushes others apart", () => {
    for (const kind of ["sigmoid", "softmax"] as const) {
      const gradient = tf
        .grad((z) => contrastiveLoss(kind, z).asScalar())(logits)
        .dataSync();
      expect(gradient[0]).toBeLessThan(0);
      expect(gradient[3]).toBeLessThan(0);
      expect(gradient[1]).toBeGreaterThan(0);
      expect(gradient[2]).toBeGreaterThan(0);
    }
  });
});
