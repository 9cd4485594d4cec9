/** Settings of the two training stages: each declared once, with its default in the shipped experiment. */
import { COMPILERS } from "../engine/compiler";
import { amount, choice, count, text, type Values } from "../util/declared";

const CHECKPOINTING = ["none", "layers"] as const;
const CHECKPOINTING_HELP =
  "`layers`: the backward pass computes each layer again from its input; less memory, about a third more time, the same update.";
const ACCUMULATION_HELP = "Parts that an update is computed in, one after another; less memory, the same update.";
const MIN_PIXELS = "Fewest pixels of an image; 0 for the checkpoint's own limit.";
const MAX_PIXELS = "Most pixels of an image; 0 for the checkpoint's own limit.";
const TRANSPARENCY = "Transparent images: the channel dropped (the release's training), or put on white.";

const SAVE_TOTAL_LIMIT =
  "Latest checkpoints that are kept while a training runs; the best, by loss or reward, is kept besides.";

/** Supervised fine-tuning. */
export const SFT_SETTINGS = {
  epochs: count(3, "Passes over the records."),
  batchSize: count(32, "Rows of a mini-batch."),
  gradientAccumulationSteps: count(1, ACCUMULATION_HELP),
  gradientCheckpointing: choice(CHECKPOINTING, "none", CHECKPOINTING_HELP),
  compiler: choice(COMPILERS, "auto", "Of the update: `auto` is XLA on a GPU where nothing is computed again."),
  learningRate: amount(1.5e-4, "Peak learning rate."),
  visionLearningRateScale: amount(0.1, "Factor on the learning rate of the vision tower; 0 freezes it (paper)."),
  weightDecay: amount(0.1, "Decoupled weight decay (AdamW)."),
  warmupSteps: count(6, "Steps of linear warm-up.", 0),
  maxGradNorm: amount(1, "Gradients are scaled down to this global norm."),
  augmentation: amount(0.6, "Strength of image augmentation, 0 to 1; 0 for none (paper). Square drawings only."),
  minPixels: count(0, MIN_PIXELS, 0),
  maxPixels: count(0, MAX_PIXELS, 0),
  alpha: choice(["drop", "white"], "drop", TRANSPARENCY),
  maxLength: count(4096, "Longest row in tokens; a longer record is left out and reported, or an error."),
  replayRows: count(
    16,
    "Pre-training rows added to each batch (0 in the paper): keeps a tiny base from forgetting unseen names.",
    0,
  ),
  saveSteps: count(16, "Steps after which a checkpoint is written; 0 for never.", 0),
  saveTotalLimit: count(1, SAVE_TOTAL_LIMIT),
};
export type SftSettings = Values<typeof SFT_SETTINGS>;

/** Reinforcement learning. Each named switch is a row of docs/paper-vs-release.md. */
export const RL_SETTINGS = {
  steps: count(16, "Steps: rollout batches."),
  groupsPerStep: count(16, "Groups that enter the updates of one step."),
  updatesPerStep: count(2, "Updates of a step, each on groupsPerStep / updatesPerStep groups."),
  gradientAccumulationSteps: count(1, ACCUMULATION_HELP),
  gradientCheckpointing: choice(CHECKPOINTING, "none", CHECKPOINTING_HELP),
  compiler: choice(
    COMPILERS,
    "auto",
    "Of the update: `auto` is TensorFlow's kernels, since XLA would compile each of several shapes.",
  ),
  groupsPerGeneration: count(12, "Groups sampled in one generation batch."),
  promptsPerCall: count(0, "How many of them are sampled at a time, 0 for all; less memory, the same draws.", 0),
  numGenerations: count(10, "Rollouts of a group: n1 + n2 of the paper."),
  positiveGenerations: count(5, "n2: rollouts sampled from the second view (intra-class augmentation).", 0),
  maxNewTokens: count(72, "Longest response in tokens."),
  temperature: amount(1, "Sampling temperature."),
  topP: amount(0.99, "Nucleus: sampled from the most probable tokens of this total probability."),
  rollouts: text(
    "local",
    "Where responses are sampled: `local`, or the base URL of `fine-r1 serve` or vLLM (docs/serving.md).",
    /^(?:local|https?:\/\/\S+)$/,
    "local or a URL",
  ),
  rolloutModel: text("policy", "Rollouts elsewhere: the model's name there."),
  rolloutWeights: text(
    "data/runs/rollout-weights",
    "Rollouts elsewhere: the folder that policies are saved in for the server; `fine-r1 serve` has it as `--weights`.",
  ),
  pushEvery: count(
    1,
    "Rollouts elsewhere: steps after which the weights are pushed to the server; a run that goes on pushes at once, so that above 1 it samples otherwise than one without a stop.",
  ),
  importanceCap: amount(2, "Rollouts elsewhere: bound of a token's importance weight, trainer over server."),
  learningRate: amount(1.5e-4, "Peak learning rate."),
  visionLearningRateScale: amount(0.1, "Factor on the learning rate of the vision tower; 0 freezes it."),
  weightDecay: amount(0.01, "Decoupled weight decay (AdamW)."),
  warmupSteps: count(4, "Steps of linear warm-up (`cosine` alone).", 0),
  schedule: choice(["constant", "cosine"], "cosine", "`constant` (paper), or `cosine` to a twentieth."),
  maxGradNorm: amount(1, "Gradients are scaled down to this global norm."),
  clipRatioLow: amount(0.2, "The probability ratio is clipped below 1 - this."),
  clipRatioHigh: amount(0.28, "The probability ratio is clipped above 1 + this (DAPO's clip-higher)."),
  clipRatioDual: amount(3, "Dual clip: bound of the loss of a negative advantage."),
  klCoefficient: amount(0.01, "gamma: weight of the inter-class KL."),
  entropyCoefficient: amount(
    0.03,
    "eta1: weight of the entropy under the own image, which is minimised (methods with the inter-class part).",
  ),
  negativeEntropyCoefficient: amount(
    0.03,
    "eta2: weight of the entropy under the negative image, which is minimised (methods with the inter-class part).",
  ),
  secondView: choice(
    ["positive", "noisy"],
    "positive",
    "What the n2 rollouts come from: the positive image (TAPO), or the anchor with Gaussian noise (NoisyRollout).",
  ),
  contrastImage: choice(
    ["hardest", "random", "masked"],
    "hardest",
    "What the inter-class terms contrast with: an image of the most similar other seen sub-category (TAPO), of a random one of the domain, or the anchor with blackened patches (PAPO).",
  ),
  gaussianNoiseStep: count(
    500,
    "Noise of a noisy second view at first: that of this step of a diffusion process, 0 to 999.",
    0,
  ),
  noiseDecayMode: choice(["sigmoid", "linear", "none"], "sigmoid", "How that step falls over the training."),
  noiseDecayCoef: amount(30, "Steepness of the sigmoid, over the whole training."),
  noiseDecayMidpoint: amount(
    40 / 60,
    "Share of the steps after which the sigmoid has halved it (step 40 of 60 in the release).",
  ),
  maskRatio: amount(0.6, "Share of the patches of a masked contrast image that are black, 0 to 1."),
  augmentation: amount(0.6, "Strength of image augmentation, 0 to 1; 0 for none (paper). Square drawings only."),
  minPixels: count(0, MIN_PIXELS, 0),
  maxPixels: count(0, MAX_PIXELS, 0),
  alpha: choice(["drop", "white"], "drop", TRANSPARENCY),
  replayRows: count(
    0,
    "Pre-training rows whose SFT loss enters each update (0 in the paper): keeps a tiny base from forgetting what is not rewarded.",
    0,
  ),
  replayWeight: amount(0.5, "Weight of the replayed rows' loss, a token mean."),
  openShare: amount(0.5, "Share of open-world prompts, 0 to 1; the others show options."),
  conditionOn: choice(
    ["anchor", "sampled"],
    "anchor",
    "Deviation 1: responses are conditioned on the anchor (paper), or on the image each was sampled from (release).",
  ),
  negativeLogProbs: choice(
    ["recomputed", "stale"],
    "recomputed",
    "Deviation 2: log-probs under the negative are recomputed with gradient at each update (paper), or taken once without (release).",
  ),
  maxGenerationBatches: count(4, "Deviation 3: how many generation batches fill one step at most."),
  whenNoGroupSurvives: choice(
    ["skip", "keep-all", "stop"],
    "skip",
    "Deviation 3: skip the step's updates, keep all groups (release), or stop with the counts (paper, bounded).",
  ),
  lossAverage: choice(
    ["token", "micro-batch"],
    "token",
    "Deviation 4: one mean over the mini-batch's tokens (paper), or one for each micro-batch of 4 sequences (release); each part of an update must split into those.",
  ),
  reward: choice(
    ["substring", "strict"],
    "strict",
    "Deviation 5: text inclusion (paper and release), or `strict`: an answer that names another sub-category fails.",
  ),
  saveSteps: count(4, "Steps after which a checkpoint is written; 0 for never.", 0),
  saveTotalLimit: count(1, SAVE_TOTAL_LIMIT),
};
export type RlSettings = Values<typeof RL_SETTINGS>;
