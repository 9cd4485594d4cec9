/**
 * Chat messages with images of any size in, text out: the general way through processor, vision tower and generator.
 */
import { compile, type CompileOptions } from "../engine/compile";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import type { ModelConfig } from "../model/config";
import type { GenerationConfig } from "../model/generation-config";
import { encodeImages } from "../model/vision";
import type { Grid, VisionInputs } from "../model/vision-plan";
import type { Message } from "../processor/chat-template";
import { collate, modelInputs } from "../processor/collate";
import type { Processor, Prompt } from "../processor/processor";
import { textStream } from "../processor/text-stream";
import { createGenerator } from "./generate";
import { resolveSampling, type SamplingRequest } from "./sampling-defaults";
import type { PromptRow } from "./types";

/** Options of one call; what is absent comes from the checkpoint's generation config. */
export interface TextOptions extends SamplingRequest {
  maxNewTokens: number;
  /** Default 0. */
  seed?: number;
  /** Called with each piece of text as it is produced; the pieces, joined, are the response's text. */
  onText?: (piece: string) => void;
}

/** A response with what it was made from. */
export interface GeneratedText {
  /** The prompt's tokens, image placeholders expanded. */
  promptTokenIds: number[];
  /** Grids of the prompt's images in patches: frames, height, width. */
  imageGridThw: Grid[];
  /** Produced tokens, the end token included where there is one. */
  tokenIds: number[];
  /** Log-probabilities of those tokens under the model's own softmax: no temperature, penalty or cut. */
  logProbs: number[];
  /** The tokens' text without special tokens. */
  text: string;
  /** Whether an end token was produced within the limit. */
  finished: boolean;
}

/** Generation for one checkpoint; parameters travel as arguments. */
export interface TextGenerator {
  /** Answers a chat whose images are file paths. @throws Error naming the image, message or option that is wrong */
  generate(params: Params, messages: readonly Message[], options: TextOptions): Promise<GeneratedText>;
  /** The same from a prompt that is tokenized already. */
  generateFromPrompt(params: Params, prompt: TokenizedPrompt, options: TextOptions): GeneratedText;
  /**
   * Answers several prompts in one decoding batch, in order. A sampled response depends on its place in the batch;
   * `onText` hears of the first alone.
   */
  generateFromPrompts(params: Params, prompts: readonly TokenizedPrompt[], options: TextOptions): GeneratedText[];
}

/** What generation reads of a prompt. */
export type TokenizedPrompt = Pick<Prompt, "inputIds" | "images">;

/** Feature rows of a batch are padded to a multiple of this, so that few shapes are compiled. */
const FEATURE_BUCKET = 64;

/**
 * The prompt as the generator takes it, with the features of its images `[N, hiddenSize]` (one row of zeros without
 * images).
 */
function readPrompt(
  config: ModelConfig,
  prompt: TokenizedPrompt,
  encode: (pixels: Tensor, vision: VisionInputs) => Tensor,
): { row: PromptRow; features: Tensor } {
  const host = collate(config, [prompt], { padTokenId: config.padTokenId ?? 0 });
  const { length } = host;
  const row = {
    inputIds: prompt.inputIds,
    positionIds: [0, 1, 2].map((axis) => Array.from(host.positionIds.subarray(axis * length, (axis + 1) * length))),
    featureIndex: Array.from(host.featureIndex),
  };
  const inputs = modelInputs(config, host);
  const features =
    inputs.pixelValues && inputs.vision
      ? encode(inputs.pixelValues, inputs.vision)
      : tf.zeros([1, config.text.hiddenSize]);
  disposeTree(inputs);
  return { row, features };
}

/** The prompts with their features one below the other. */
function readPrompts(
  config: ModelConfig,
  prompts: readonly TokenizedPrompt[],
  encode: (pixels: Tensor, vision: VisionInputs) => Tensor,
): { rows: PromptRow[]; features: Tensor } {
  const read: ReturnType<typeof readPrompt>[] = [];
  try {
    for (const prompt of prompts) read.push(readPrompt(config, prompt, encode));
  } catch (error) {
    read.forEach(({ features }) => features.dispose());
    throw error;
  }
  if (read.length === 1) return { rows: [read[0].row], features: read[0].features };
  let first = 0;
  const rows = read.map(({ row, features }) => {
    const shifted = { ...row, featureIndex: row.featureIndex.map((index) => (index < 0 ? -1 : index + first)) };
    first += features.shape[0];
    return shifted;
  });
  const parts = read.map(({ features }) => features);
  const filling = tf.zeros([Math.ceil(first / FEATURE_BUCKET) * FEATURE_BUCKET - first, config.text.hiddenSize]);
  const features = tf.concat([...parts, filling], 0);
  disposeTree([parts, filling]);
  return { rows, features };
}

/**
 * A generator of text for `config`; its compiled functions are kept by shape.
 * @param options `bf16`: matrix products in bfloat16
 */
export function createTextGenerator(
  config: ModelConfig,
  processor: Processor,
  generationConfig: GenerationConfig = {},
  options: CompileOptions = {},
): TextGenerator {
  const generator = createGenerator(config, options);
  const encode = compile(
    (tower: Params, pixels: Tensor, vision: VisionInputs) => encodeImages(tower, config, pixels, vision),
    { name: "text.images", ...options },
  );

  const generateFromPrompts: TextGenerator["generateFromPrompts"] = (params, prompts, options) => {
    const { maxNewTokens, seed = 0, onText } = options;
    if (!(Number.isInteger(maxNewTokens) && maxNewTokens >= 1))
      throw new Error(`generate: max new tokens is ${maxNewTokens}; expected a positive integer`);
    if (prompts.length === 0) return [];
    const sampling = resolveSampling(options, generationConfig, {
      ...config,
      tokenizerEosTokenId: processor.tokenizer.eosTokenId,
    });
    const tower = Object.fromEntries(Object.entries(params).filter(([name]) => name.startsWith("visual.")));
    const { rows, features } = readPrompts(config, prompts, (pixels, vision) => encode(tower, pixels, vision));
    const streams = prompts.map(() => textStream(processor.tokenizer));
    const texts = prompts.map(() => "");
    const emit = (i: number, piece: string): void => {
      texts[i] += piece;
      if (i === 0 && piece !== "") onText?.(piece);
    };
    const read = prompts.map(() => 0);
    try {
      const rollouts = generator.generate(
        params,
        { prompts: rows, features },
        {
          ...sampling,
          numGenerations: 1,
          maxNewTokens,
          bannedTokenIds: [config.imageTokenId, config.videoTokenId], // a placeholder stands for a feature; there would be none
          logProbsOf: "model",
          seed,
          onToken: (_, __, open) =>
            open.forEach(({ tokenIds }, i) => {
              for (; read[i] < tokenIds.length; read[i]++) emit(i, streams[i].push(tokenIds[read[i]]));
            }),
        },
      );
      return rollouts.map(({ tokenIds, logProbs, finished }, i) => {
        emit(i, streams[i].end());
        return {
          promptTokenIds: [...prompts[i].inputIds],
          imageGridThw: prompts[i].images.map((image) => image.grid),
          tokenIds,
          logProbs,
          text: texts[i],
          finished,
        };
      });
    } finally {
      features.dispose();
    }
  };
  const generateFromPrompt: TextGenerator["generateFromPrompt"] = (params, prompt, options) =>
    generateFromPrompts(params, [prompt], options)[0];
  return {
    generateFromPrompts,
    generateFromPrompt,
    generate: async (params, messages, options) =>
      generateFromPrompt(params, await processor.prompt(messages), options),
  };
}
