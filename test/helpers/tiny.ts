/** A workbench so small that every test can afford one: 16 x 16 pixels are 4 tokens, hidden size 32, two layers. */
import { foldIn, random } from "../../lib/util/random";
import type { Params, Tensor } from "../../lib/engine/tensorflow";
import type { ModelConfig } from "../../lib/model/config";
import { initParams } from "../../lib/model/init";
import { tokenIds } from "../../lib/model/tiny";
import type { ImagePlace } from "../../lib/model/vision-plan";
import { chatTemplate } from "../../lib/processor/chat-template";
import { TINY_TEMPLATE } from "../../lib/processor/conversation";
import { CLIP_MEAN, CLIP_STD, type PreprocessorConfig } from "../../lib/processor/preprocessor-config";
import { createProcessor, type Processor } from "../../lib/processor/processor";
import { createTokenizer } from "../../lib/processor/tokenizer";
import { trainTokenizer, type TokenizerFiles } from "../../lib/processor/tokenizer-files";
import { loadSettings } from "../../lib/experiment/load-settings";
import type { RlSettings, SftSettings } from "../../lib/train/settings";
import type { Workbench } from "../../lib/train/workbench";

/** Side of the toy images, pixels. */
export const SIDE = 16;

export const toyPreprocessor: PreprocessorConfig = {
  minPixels: 8 * 8,
  maxPixels: 64 * 64,
  patchSize: 4,
  temporalPatchSize: 2,
  mergeSize: 2,
  imageMean: CLIP_MEAN,
  imageStd: CLIP_STD,
  rescaleFactor: 1 / 255,
};

const sentences = [
  "user\nWhat animal is this? Options: cat, dog, red fox. Answer.\nassistant\n cat dog red fox",
  "Describe. Parts? Colors? white, ears tail.",
  "Which animal is this? Think first.",
];

/** The files of a tokenizer that was trained on a few sentences. */
export const toyTokenizerFiles = (): TokenizerFiles =>
  trainTokenizer([...sentences, ...sentences], { vocabSize: 330, minFrequency: 2, chatTemplate: TINY_TEMPLATE });

/** A processor whose tokenizer was trained on a few sentences. */
export function toyProcessor(): Processor {
  const files = toyTokenizerFiles();
  const tokenizer = createTokenizer(
    JSON.parse(files["tokenizer.json"]) as Record<string, unknown>,
    JSON.parse(files["tokenizer_config.json"]) as Record<string, unknown>,
  );
  return createProcessor(tokenizer, chatTemplate(TINY_TEMPLATE), toyPreprocessor);
}

/** A Qwen2.5-VL of some 30 thousand parameters for the processor's vocabulary. */
export function toyConfig({ tokenizer }: Processor): ModelConfig {
  return {
    text: {
      vocabSize: tokenizer.vocabSize,
      hiddenSize: 32,
      intermediateSize: 48,
      numHiddenLayers: 2,
      numAttentionHeads: 4,
      numKeyValueHeads: 2,
      headDim: 8,
      rmsNormEps: 1e-6,
      ropeTheta: 10000,
      mropeSection: [2, 1, 1],
      maxPositionEmbeddings: 512,
      initializerRange: 0.2,
    },
    vision: {
      depth: 2,
      hiddenSize: 16,
      intermediateSize: 24,
      numHeads: 2,
      inChannels: 3,
      patchSize: 4,
      temporalPatchSize: 2,
      spatialMergeSize: 2,
      windowSize: 8,
      fullattBlockIndexes: [1],
      outHiddenSize: 32,
      tokensPerSecond: 2,
    },
    tieWordEmbeddings: false, // tied ones make random parameters repeat one token
    ...tokenIds(tokenizer),
  };
}

/** Pixels that depend on the path only. */
export function toyPixels(path: string, side = SIDE): { data: Uint8Array; width: number; height: number } {
  const r = random(foldIn(7, path));
  return { data: Uint8Array.from({ length: side * side * 3 }, () => r.integer(256)), width: side, height: side };
}

/** Where the features of the toy image number `index` of a batch stand. */
export const toyPlace = (index: number): ImagePlace => ({ grid: [1, SIDE / 4, SIDE / 4], first: 4 * index });

/** Parameters large enough for the images to matter and the probabilities to differ. */
export function toyParams(config: ModelConfig, seed = 1): Params {
  return initParams(config, seed, { scheme: "scaled" });
}

/** A bench on toy images, and parameters for it. The caller disposes both. */
export async function toyBench(
  paths: readonly string[] = ["a", "b", "c"],
): Promise<{ bench: Workbench; params: Params }> {
  const { squareWorkbench } = await import("../../lib/train/workbench");
  const processor = toyProcessor();
  const config = toyConfig(processor);
  const bench = await squareWorkbench({
    config,
    processor,
    paths,
    imageSize: SIDE,
    loadImage: (path) => Promise.resolve(toyPixels(path)),
    imageBucket: 4,
  });
  return { bench, params: toyParams(config) };
}

/** Small settings of both stages. */
export const toySft: SftSettings = {
  ...loadSettings({ scale: "smoke", environment: {} }).sft,
  epochs: 1,
  batchSize: 4,
  learningRate: 3e-3,
  visionLearningRateScale: 1,
  warmupSteps: 2,
  augmentation: 0,
  replayRows: 0,
};
export const toyRl: RlSettings = {
  ...loadSettings({ scale: "smoke", environment: {} }).rl,
  maxNewTokens: 10,
  augmentation: 0.5,
  reward: "substring",
  whenNoGroupSurvives: "keep-all",
  learningRate: 1e-3,
  warmupSteps: 1,
};

/** `max |a - b| / |b|` over the tensors of two records, each against its own L2 norm. */
export function relativeError(a: Record<string, Tensor>, b: Record<string, Tensor>): number {
  let worst = Object.keys(a).length === Object.keys(b).length ? 0 : Infinity;
  for (const [name, tensor] of Object.entries(b)) {
    const [x, y] = [a[name], tensor].map((t) => Array.from(t.dataSync()));
    const norm = Math.hypot(...y);
    const difference = Math.sqrt(x.reduce((sum, value, i) => sum + (value - y[i]) ** 2, 0));
    worst = Math.max(worst, difference === 0 ? 0 : difference / (norm || 1));
  }
  return worst;
}

/** Host copies of tensors by name. */
export function values(params: Record<string, Tensor>): Record<string, number[]> {
  return Object.fromEntries(Object.entries(params).map(([name, tensor]) => [name, Array.from(tensor.dataSync())]));
}
