/** Contrastive losses of image-text pairs; row i of both belongs together. */
import { tf, type Tensor } from "../engine/tensorflow";

/** `sigmoid` (SigLIP) or `softmax` (CLIP). */
export const CONTRASTIVE_LOSSES = ["sigmoid", "softmax"] as const;
export type ContrastiveLoss = (typeof CONTRASTIVE_LOSSES)[number];

/**
 * Every pair of the batch as its own yes-or-no question, `-1/N Σ_ij log σ(z_ij (t x_i·y_j + b))`, z = 1 on the diagonal
 * and -1 off it (Zhai et al. 2023, "Sigmoid loss for language image pre-training", algorithm 1).
 * @param logits `[N,N]` scaled and shifted similarities, images down
 */
export function sigmoidLoss(logits: Tensor): Tensor {
  return tf.tidy(() => {
    const count = logits.shape[0];
    const sign = tf.sub(tf.mul(tf.eye(count), 2), 1);
    return tf.div(tf.sum(tf.softplus(tf.neg(tf.mul(sign, logits)))), count);
  });
}

/**
 * The mean of two cross-entropies: which text an image has among the batch's, and which image a text has (InfoNCE;
 * Radford et al. 2021, "Learning transferable visual models from natural language supervision", figure 3).
 * @param logits `[N,N]` scaled similarities, images down; a shift changes nothing
 */
export function softmaxLoss(logits: Tensor): Tensor {
  return tf.tidy(() => {
    const diagonal = tf.eye(logits.shape[0]);
    const one = (z: Tensor): Tensor => tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(z as tf.Tensor2D), diagonal), 1)));
    return tf.div(tf.add(one(logits), one(tf.transpose(logits))), 2);
  });
}

/** The loss of that name. */
export function contrastiveLoss(kind: ContrastiveLoss, logits: Tensor): Tensor {
  return kind === "sigmoid" ? sigmoidLoss(logits) : softmaxLoss(logits);
}
