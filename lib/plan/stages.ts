/** What each stage of a run does, counted: images, tokens, operations, bytes. No device and no time yet. */
import type { ModelConfig } from "../model/config";
import { cacheFloats } from "../model/memory-plan";
import { decoderFlops, decoderProducts, decoderShape, trainingFactor, visionFlops, type Training } from "./flops";

/** How much is to be done. Defaults: `WORKLOAD`. */
export interface Workload {
  /** Sub-categories, seen and unseen. */
  subcategories: number;
  /** Share of them that is trained on. */
  seenShare: number;
  /** Training images of each. */
  shots: number;
  /** Tokens of an image in the decoder. */
  imageTokens: number;
  /** Tokens of a prompt's text. */
  textTokens: number;
  /** Tokens of a response, in the mean. */
  responseTokens: number;
  /** Stage 1: images of each sub-category that the teacher answers about. */
  taughtImages: number;
  /** Descriptions and rationales that it writes for an image. */
  descriptions: number;
  descriptionTokens: number;
  rationales: number;
  /** Of these images, the share whose record is kept. */
  keptShare: number;
  sftEpochs: number;
  /** Passes over the training images in Stage 2. */
  rlEpochs: number;
  /** Rollouts of a group, half from the anchor, half from the positive. */
  rollouts: number;
  /** Groups sampled for each that is trained on. */
  sampledPerUsed: number;
  /** Share of updates whose old log-probs take a pass of their own: all but a batch's first. */
  rescoredShare: number;
  /** Test images of a sub-category. */
  testImages: number;
  /** Questions about each: closed and open world. */
  questions: number;
  /** Models that are evaluated. */
  evaluated: number;
}

/** The paper's setting, as far as it is known; the rest measured or assumed, as each line says. */
export const WORKLOAD: Workload = {
  subcategories: 755, // of the six sets: 100 + 200 + 196 + 120 + 102 + 37
  seenShare: 452 / 755, // docs/real-data.md
  shots: 4,
  imageTokens: 752, // 589,824 pixels, LLaMA-Factory's limit in Stage 1: an upper bound for smaller photographs
  textTokens: 256,
  responseTokens: 750, // the released rationales have 3,492 characters in the mean; 4.7 a token is assumed
  taughtImages: 1, // cot.images, scale paper: the release has at most one record of each
  descriptions: 10, // cot.descriptionsPerImage, scale paper
  descriptionTokens: 100, // assumed: a list of concepts
  rationales: 4,
  keptShare: 404 / 452, // released records over seen sub-categories
  sftEpochs: 10,
  rlEpochs: 10,
  rollouts: 10,
  sampledPerUsed: 56819 / 33665, // tokens sampled over tokens trained in docs/gpu-report.json, the tiny base
  rescoredShare: 2 / 3, // rl.updatesPerStep 3
  testImages: 35566 / 755, // test rows of the six sets
  questions: 2,
  evaluated: 1,
};

/** Responses decoded together, and how weights and cache are held. */
export interface Decoding {
  rows: number;
  weightBytes: number;
  cacheBytes: number;
}

/** A training step computes so many layers one after another; what it does in them is in `flops`. */
interface TrainingWork {
  kind: "products";
  flops: number;
  layers: number;
}

/** Decoding steps: each reads weights once for all its rows, and each row's cache. */
interface DecodingWork {
  kind: "decoding";
  steps: number;
  flops: number;
  bytes: number;
  layers: number;
}

export type Work = TrainingWork | DecodingWork;

export const STAGES = ["CoT construction", "SFT", "RL rollouts", "RL updates", "evaluation"] as const;
export type StageName = (typeof STAGES)[number];

export interface StageWork {
  stage: StageName;
  /** Images through the vision tower, forward. */
  images: number;
  tokensRead: number;
  tokensWritten: number;
  tokensTrained: number;
  flops: number;
  work: Work[];
}

const patchesOf = ({ vision }: ModelConfig, imageTokens: number): number => imageTokens * vision.spatialMergeSize ** 2;

/** Reading `prompts` with an image each: vision tower and decoder, one place's logits. */
export function readingWork(config: ModelConfig, w: Workload, prompts: number): TrainingWork {
  const tokens = w.imageTokens + w.textTokens;
  const each = visionFlops(config, patchesOf(config, w.imageTokens)) + decoderFlops(decoderShape(config), tokens, 1);
  return { kind: "products", flops: prompts * each, layers: 0 };
}

/**
 * `rows` responses of `newTokens` after prompts that stand in the cache. A step reads the decoder's and the output
 * layer's weights once, and each row's keys and values of prompt and half its response (Pope et al. 2022,
 * arXiv:2211.05102, section 2).
 */
export function decodingWork(
  config: ModelConfig,
  w: Workload,
  rows: number,
  newTokens: number,
  { rows: together, weightBytes, cacheBytes }: Decoding,
): DecodingWork {
  const shape = decoderShape(config);
  const prompt = w.imageTokens + w.textTokens;
  const steps = Math.ceil(rows / together) * newTokens;
  const weights = weightBytes * (decoderProducts(shape) + shape.hiddenSize * shape.vocabSize);
  const cache = cacheBytes * cacheFloats(config, prompt + newTokens / 2);
  return {
    kind: "decoding",
    steps,
    flops: rows * decoderFlops(shape, newTokens, newTokens, prompt),
    bytes: steps * weights + rows * newTokens * cache,
    layers: steps * shape.numHiddenLayers,
  };
}

const stageOf = (
  stage: StageName,
  counts: Partial<Pick<StageWork, "images" | "tokensRead" | "tokensWritten" | "tokensTrained">>,
  work: Work[],
): StageWork => ({
  stage,
  images: 0,
  tokensRead: 0,
  tokensWritten: 0,
  tokensTrained: 0,
  ...counts,
  flops: work.reduce((sum, { flops }) => sum + flops, 0),
  work,
});

const seenOf = (w: Workload): number => Math.max(1, Math.round(w.subcategories * w.seenShare));

/** Images that are trained on. */
export const trainingImages = (w: Workload): number => seenOf(w) * w.shots;

/** Images that the teacher answers about. */
const taughtImages = (w: Workload): number => seenOf(w) * w.taughtImages;

/**
 * The teacher describes each image several times and writes rationales; two requests an image, each read once.
 * @param decoding with `rows` null the answers to a request are decoded together, and no others, as here
 */
export function cotStage(
  teacher: ModelConfig,
  w: Workload,
  decoding: Omit<Decoding, "rows"> & { rows: number | null },
): StageWork {
  const together = (answers: number): Decoding => ({ ...decoding, rows: decoding.rows ?? answers });
  const images = taughtImages(w);
  const [described, reasoned] = [images * w.descriptions, images * w.rationales];
  return stageOf(
    "CoT construction",
    {
      images: 2 * images,
      tokensRead: 2 * images * (w.imageTokens + w.textTokens),
      tokensWritten: described * w.descriptionTokens + reasoned * w.responseTokens,
    },
    [
      readingWork(teacher, w, 2 * images),
      decodingWork(teacher, w, described, w.descriptionTokens, together(w.descriptions)),
      decodingWork(teacher, w, reasoned, w.responseTokens, together(w.rationales)),
    ],
  );
}

/** How the model is trained. */
export interface TrainingOptions {
  decoder: Exclude<Training, "frozen">;
  recompute: boolean;
  /** Rows, or groups, of one part of a mini-batch. */
  rowsAtOnce: number;
  groupsAtOnce: number;
}

/** SFT: a row an image; the vision tower is frozen (paper), logits of responses alone. */
export function sftStage(config: ModelConfig, w: Workload, training: TrainingOptions): StageWork {
  const rows = Math.max(1, Math.round(taughtImages(w) * w.keptShare)) * w.sftEpochs;
  const tokens = w.imageTokens + w.textTokens + w.responseTokens;
  const shape = decoderShape(config);
  const factor = trainingFactor(training.decoder, training.recompute);
  const flops =
    rows *
    (factor * decoderFlops(shape, tokens, w.responseTokens) +
      trainingFactor("frozen", false) * visionFlops(config, patchesOf(config, w.imageTokens)));
  const steps = Math.ceil(rows / training.rowsAtOnce);
  return stageOf("SFT", { images: rows, tokensTrained: rows * tokens }, [
    { kind: "products", flops, layers: steps * (shape.numHiddenLayers + config.vision.depth) },
  ]);
}

/** Groups that enter updates: every training image once an epoch. */
const usedGroups = (w: Workload): number => trainingImages(w) * w.rlEpochs;

/** Rollouts: every group's prompt is read with its anchor and with its positive, its responses decoded. */
export function rolloutStage(config: ModelConfig, w: Workload, decoding: Decoding): StageWork {
  const groups = usedGroups(w) * w.sampledPerUsed;
  const rows = groups * w.rollouts;
  return stageOf(
    "RL rollouts",
    {
      images: 2 * groups,
      tokensRead: 2 * groups * (w.imageTokens + w.textTokens),
      tokensWritten: rows * w.responseTokens,
    },
    [readingWork(config, w, 2 * groups), decodingWork(config, w, rows, w.responseTokens, decoding)],
  );
}

/**
 * Updates: each group's prompt stands in the batch once, its responses attend to it; a pass under its own image and one
 * under the negative's, both with gradient (TAPO), the vision tower trained; old log-probs are a forward pass more
 * where the policy has changed since the rollouts.
 */
export function updateStage(config: ModelConfig, w: Workload, training: TrainingOptions): StageWork {
  const groups = usedGroups(w);
  const shape = decoderShape(config);
  const prompt = w.imageTokens + w.textTokens;
  const decoder =
    decoderFlops(shape, prompt, 0) + w.rollouts * decoderFlops(shape, w.responseTokens, w.responseTokens, prompt);
  const vision = visionFlops(config, patchesOf(config, w.imageTokens));
  const factor = trainingFactor(training.decoder, training.recompute);
  const flops = groups * (2 * factor + w.rescoredShare) * (decoder + vision);
  const steps = Math.ceil(groups / training.groupsAtOnce);
  return stageOf(
    "RL updates",
    { images: 2 * groups, tokensTrained: 2 * groups * (prompt + w.rollouts * w.responseTokens) },
    [{ kind: "products", flops, layers: steps * (2 * shape.numHiddenLayers + config.vision.depth) }],
  );
}

/** Evaluation: an answer to each question. */
export function evaluationStage(config: ModelConfig, w: Workload, decoding: Decoding): StageWork {
  const rows = Math.round(w.subcategories * w.testImages) * w.questions * w.evaluated;
  return stageOf(
    "evaluation",
    { images: rows, tokensRead: rows * (w.imageTokens + w.textTokens), tokensWritten: rows * w.responseTokens },
    [readingWork(config, w, rows), decodingWork(config, w, rows, w.responseTokens, decoding)],
  );
}
