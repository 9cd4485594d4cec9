/** Every number of a base's pre-training, by the world that it is made for. */
import type { Edition } from "../../lib/benchmark/emoji-fgvr/paths";
import { NAMED_DRAWINGS } from "../../lib/cot/corpus";
import type { VisionConfig } from "../../lib/model/config";
import type { VisionWeights } from "../../lib/train/pretrain-vision";

/** The vision tower alone, before any language. */
export interface VisionRecipe {
  steps: number;
  /** Images a step, and how many of them are icons of which only the teacher's features are known. */
  images: number;
  icons: number;
  weights: VisionWeights;
  learningRate: number;
  weightDecay: number;
  warmupSteps: number;
  augmentation: number;
}

/** The whole model on dialogues about images. */
export interface Recipe {
  vocabSize: number;
  /** Changes to the tiny configuration's tower. */
  tower?: Partial<VisionConfig>;
  /** `normal` as transformers, or `scaled`. */
  init?: "normal" | "scaled";
  vision?: VisionRecipe;
  /**
   * Images a step; the first `named` of them come with a rationale and a direct answer, the others with questions on
   * what is to be seen.
   */
  images: number;
  named: number;
  texts: number;
  namedDrawings: number;
  steps: number;
  learningRate: number;
  /** Weight of the concept head's loss. */
  auxiliaryWeight: number;
  visionLearningRateScale: number;
  weightDecay: number;
  warmupSteps: number;
  maxGradNorm: number;
  augmentation: number;
  /** Benchmark sub-categories are drawn this many times as often as other concepts. */
  evaluatedWeight: number;
  bf16: boolean;
  /** Length of the padded rows, and scored places of their group (a multiple of `places`). */
  longRow: { tokens: number; places: number };
  shortRow: { tokens: number; places: number };
}

/** The base of the first benchmark, `data/base`. */
const first: Recipe = {
  vocabSize: 3072,
  images: 80,
  named: 32,
  texts: 12,
  namedDrawings: NAMED_DRAWINGS,
  steps: 2200,
  learningRate: 2e-3,
  auxiliaryWeight: 0.2,
  visionLearningRateScale: 0.5,
  weightDecay: 0.05,
  warmupSteps: 100,
  maxGradNorm: 1,
  augmentation: 1,
  evaluatedWeight: 2.5,
  bf16: true,
  longRow: { tokens: 120, places: 2304 },
  shortRow: { tokens: 80, places: 1280 },
};

/** The study's base, `data/study-base`: a larger tower that learns to see before it learns to speak. */
const study: Recipe = {
  ...first,
  vocabSize: 4096,
  tower: { depth: 5, hiddenSize: 160, intermediateSize: 320, numHeads: 5, fullattBlockIndexes: [1, 3, 4] },
  init: "scaled",
  vision: {
    steps: 4000,
    images: 128,
    icons: 48,
    weights: { concept: 1, words: 0.2, teacher: 4 },
    learningRate: 1e-3,
    weightDecay: 0.05,
    warmupSteps: 200,
    augmentation: 1,
  },
  steps: 1800,
  learningRate: 1.5e-3,
  visionLearningRateScale: 0.3,
  longRow: { tokens: 136, places: 3584 },
};

export const RECIPES: Readonly<Record<Edition, Recipe>> = { "emoji-fgvr": first, "emoji-study": study };
