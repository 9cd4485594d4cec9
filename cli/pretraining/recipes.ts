/** Every number of a base's pre-training, by the world that it is made for. */
import type { Edition } from "../../lib/benchmark/emoji-fgvr/paths";
import { defaultCorruption, NAMED_DRAWINGS } from "../../lib/cot/corpus";
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

/** The whole model on dialogues, with and without images. */
export interface LanguageRecipe {
  /**
   * Images a step; the first `named` of them come with a rationale and a direct answer, the others with questions on
   * what is to be seen.
   */
  images: number;
  named: number;
  /** Dialogues without an image a step. */
  texts: number;
  steps: number;
  learningRate: number;
  warmupSteps: number;
  /** Weight of the concept head's loss. */
  auxiliaryWeight: number;
  visionLearningRateScale: number;
  /** Length of the padded rows, and scored places of their group (a multiple of `places`). */
  longRow: { tokens: number; places: number };
  shortRow: { tokens: number; places: number };
  /**
   * Options of the corpus (`CorpusOptions`): how rationales compare, how often a description in words alone is another
   * concept's, and how often the answer is the candidate that fits best.
   */
  comparedWords: number;
  textSwap: number;
  judgedTexts: number;
  /** Several dialogues in one row of `longRow.tokens`, where most are short. */
  packed?: boolean;
}

/** A base from nothing. */
export interface Recipe {
  vocabSize: number;
  /** Changes to the tiny configuration's tower. */
  tower?: Partial<VisionConfig>;
  /** `normal` as transformers, or `scaled`. */
  init?: "normal" | "scaled";
  vision?: VisionRecipe;
  /** One after another, each with its own schedule. */
  language: readonly LanguageRecipe[];
  namedDrawings: number;
  weightDecay: number;
  maxGradNorm: number;
  augmentation: number;
  /** Benchmark sub-categories are drawn this many times as often as other concepts. */
  evaluatedWeight: number;
  bf16: boolean;
}

/** The base of the first benchmark, `data/base`. */
const first: Recipe = {
  vocabSize: 3072,
  language: [
    {
      images: 80,
      named: 32,
      texts: 12,
      steps: 2200,
      learningRate: 2e-3,
      warmupSteps: 100,
      auxiliaryWeight: 0.2,
      visionLearningRateScale: 0.5,
      comparedWords: 2,
      textSwap: defaultCorruption.swap,
      judgedTexts: 0,
      longRow: { tokens: 120, places: 2304 },
      shortRow: { tokens: 80, places: 1280 },
    },
  ],
  namedDrawings: NAMED_DRAWINGS,
  weightDecay: 0.05,
  maxGradNorm: 1,
  augmentation: 1,
  evaluatedWeight: 2.5,
  bf16: true,
};

/** What the study's base reads first: mostly images. */
const dialogues: LanguageRecipe = {
  ...first.language[0],
  steps: 1800,
  learningRate: 1.5e-3,
  visionLearningRateScale: 0.3,
  longRow: { tokens: 136, places: 3584 },
};

/** Then mostly text, with comparisons that name all words. */
const text: LanguageRecipe = {
  ...dialogues,
  images: 64,
  texts: 112,
  steps: 2500,
  learningRate: 1e-3,
  // a head that starts anew would pull at a tower that is trained
  auxiliaryWeight: 0,
  comparedWords: 0,
  textSwap: 0,
  longRow: { tokens: 160, places: 1024 },
  shortRow: { tokens: 80, places: 512 },
  packed: true,
};

/** Last, questions whose options do not have what was described: the verdicts decide. */
const verdicts: LanguageRecipe = { ...text, steps: 1000, judgedTexts: 0.5 };

/**
 * The study's base, `data/study-base`: a larger tower that learns to see before it learns to speak, and twenty times
 * the text, since 1,343 concepts have to be known in words.
 */
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
  language: [dialogues, text, verdicts],
};

export const RECIPES: Readonly<Record<Edition, Recipe>> = { "emoji-fgvr": first, "emoji-study": study };
