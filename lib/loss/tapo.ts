/** The loss of Triplet Augmented Policy Optimization. */
import { tf } from "../engine/tensorflow";
import { interClassKl, type ContrastOptions } from "./contrast";
import { sampledEntropy } from "./entropy";
import { average, tokenMean } from "./masked";
import { policyLoss, type PolicyBatch, type PolicyOptions } from "./policy";
import { stopGradient } from "./stop-gradient";

export interface TapoBatch extends PolicyBatch {
  /** [B, T]: the responses re-scored with x- in place of their image; null without inter-class augmentation. */
  negativeLogProbs: tf.Tensor | null;
}

/** Coefficients of the loss and the switches of its parts; see `TAPO_LOSS` and `DAPO_LOSS`. */
export interface TapoOptions extends PolicyOptions, Omit<ContrastOptions, "logRatioClamp"> {
  /** gamma. */
  klCoefficient: number;
  /** eta1, of H[pi(.|image)]. */
  entropyCoefficient: number;
  /** eta2, of H[pi(.|x-)]. */
  negativeEntropyCoefficient: number;
}

/** The paper's coefficients. */
export const TAPO_LOSS: TapoOptions = {
  klCoefficient: 0.01,
  entropyCoefficient: 0.03,
  negativeEntropyCoefficient: 0.03,
};
/** The policy loss alone: CLS-RL, and TAPO without inter-class augmentation (with `negativeLogProbs: null`). */
export const DAPO_LOSS: TapoOptions = { klCoefficient: 0, entropyCoefficient: 0, negativeEntropyCoefficient: 0 };

/**
 * `policy - 0.01 mean(k3) + 0.03 H[pi(.|image)] + 0.03 H[pi(.|x-)]`. Paper: both entropies shape the policy, logp_neg
 * is recomputed at each update and has a gradient. Release (`gradientThroughNegative: false`): logp_neg is a constant,
 * so H[pi(.|x-)] only shifts the number and k3 pulls on logp.
 */
export function tapoLoss(
  batch: TapoBatch,
  options: TapoOptions = TAPO_LOSS,
): { loss: tf.Scalar; metrics: Record<string, tf.Scalar> } {
  const { klCoefficient, entropyCoefficient, negativeEntropyCoefficient, gradientThroughNegative = true } = options;
  const { logProbs, responseMask } = batch;
  return tf.tidy(() => {
    const { loss: policy, metrics } = policyLoss(batch, options);
    let loss: tf.Scalar = policy;
    const add = (term: tf.Scalar, coefficient: number): void => {
      if (coefficient !== 0) loss = tf.add(loss, tf.mul(term, coefficient));
    };
    add(sampledEntropy(logProbs, responseMask, options.average), entropyCoefficient);
    Object.assign(metrics, { policyLoss: policy.clone(), entropy: sampledEntropy(logProbs, responseMask) });
    if (batch.negativeLogProbs) {
      const negative = gradientThroughNegative ? batch.negativeLogProbs : stopGradient(batch.negativeLogProbs);
      const k3 = interClassKl(logProbs, negative, { klClamp: options.klClamp, logRatioClamp: options.logRatioClamp });
      add(average(k3, responseMask, options.average), -klCoefficient);
      add(sampledEntropy(negative, responseMask, options.average), negativeEntropyCoefficient);
      metrics.interClassKl = tokenMean(k3, responseMask);
      metrics.negativeEntropy = sampledEntropy(negative, responseMask);
    }
    return { loss, metrics };
  });
}
