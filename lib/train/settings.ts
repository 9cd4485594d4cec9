/** Settings of the two training stages. */
import type { Compiler } from "../engine/compiler";

/** Supervised fine-tuning. */
export interface SftSettings {
  epochs: number;
  batchSize: number;
  /** Parts that a batch is computed in, one after another; less memory, the same update. */
  gradientAccumulationSteps: number;
  /** `layers`: the backward pass computes each layer again from its input; less memory, about a third more time, the same update. */
  gradientCheckpointing: "none" | "layers";
  /** Of the update: `auto` is XLA on a GPU where nothing is computed again. */
  compiler: Compiler;
  learningRate: number;
  /** Factor on the learning rate of the vision tower; 0 freezes it (paper). */
  visionLearningRateScale: number;
  weightDecay: number;
  warmupSteps: number;
  maxGradNorm: number;
  /** Strength of image augmentation; 0 for none (paper). */
  augmentation: number;
  /** Fewest and most pixels of an image; 0 for the checkpoint's own limits. */
  minPixels: number;
  maxPixels: number;
  /** Pre-training rows added to each batch (0 in the paper): keeps a tiny base from forgetting unseen names. */
  replayRows: number;
}

/** Reinforcement learning. Each named switch is a row of the table paper / release / here in the README. */
export interface RlSettings {
  steps: number;
  /** Groups that enter the updates of one step (rollout batch). */
  groupsPerStep: number;
  /** Updates per step, each on groupsPerStep / updatesPerStep groups. */
  updatesPerStep: number;
  /** Parts that an update's groups are computed in, one after another; less memory, the same update. */
  gradientAccumulationSteps: number;
  /** `layers`: the backward pass computes each layer again from its input; less memory, about a third more time, the same update. */
  gradientCheckpointing: "none" | "layers";
  /** Of the update: `auto` is TensorFlow's kernels, since XLA would compile each of several shapes. */
  compiler: Compiler;
  /** Groups sampled per generation batch. */
  groupsPerGeneration: number;
  /** How many of them are sampled at a time, 0 for all; less memory, the same draws. */
  promptsPerCall: number;
  /** n1 + n2 of the paper. */
  numGenerations: number;
  /** n2: how many of them are sampled from the positive image (intra-class augmentation). */
  positiveGenerations: number;
  maxNewTokens: number;
  temperature: number;
  topP: number;
  learningRate: number;
  visionLearningRateScale: number;
  weightDecay: number;
  warmupSteps: number;
  /** `constant` (paper) or `cosine` to a twentieth. */
  schedule: "constant" | "cosine";
  maxGradNorm: number;
  clipRatioLow: number;
  clipRatioHigh: number;
  clipRatioDual: number;
  /** gamma: weight of the inter-class KL. */
  klCoefficient: number;
  /** eta1, eta2: weights of the two entropy terms. */
  entropyCoefficient: number;
  negativeEntropyCoefficient: number;
  augmentation: number;
  /** Fewest and most pixels of an image; 0 for the checkpoint's own limits. */
  minPixels: number;
  maxPixels: number;
  /** Share of open-world prompts. */
  openShare: number;
  /** Deviation 1: responses are conditioned on the anchor (paper) or on the image each was sampled from (release). */
  conditionOn: "anchor" | "sampled";
  /** Deviation 2: the negative's log-probs are recomputed with gradient at each update (paper) or taken once without (release). */
  negativeLogProbs: "recomputed" | "stale";
  /** Deviation 3: how many generation batches fill one step at most. */
  maxGenerationBatches: number;
  /** Deviation 3: when no group survives: stop with the counts (paper, bounded) or keep all groups (release). */
  whenNoGroupSurvives: "skip" | "keep-all" | "stop";
  /** Deviation 4: one mean over the mini-batch's tokens (paper) or per micro-batch of 4 sequences (release). */
  lossAverage: "token" | "micro-batch";
  /** Deviation 5: substring match (paper and release) or `strict`: an answer naming another sub-category fails. */
  reward: "substring" | "strict";
}
