/** Chat messages with images to tokens and patches, by the files of one checkpoint directory. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import type { Grid } from "../model/vision-plan";
import { readTextFile } from "../util/files";
import { loadChatTemplate, type ChatTemplate, type Message } from "./chat-template";
import { readImage, type ImageOptions, type ProcessedImage, type RgbImage } from "./image-processor";
import { loadPreprocessorConfig, type PreprocessorConfig } from "./preprocessor-config";
import { loadTokenizer, type Tokenizer } from "./tokenizer";

/** A tokenized prompt. */
export interface Prompt {
  /** The rendered template, one placeholder per image. */
  text: string;
  /** Token ids, each image's placeholder expanded to one per image token. */
  inputIds: number[];
  /** The images in order of their placeholders. */
  images: ProcessedImage[];
}

/** Options of `Processor.prompt`. */
export interface PromptOptions extends ImageOptions {
  /** Open the assistant's turn. Default true. */
  addGenerationPrompt?: boolean;
  /** Images to use in place of the files that the messages name, in order. */
  images?: readonly ProcessedImage[];
}

/** Tokenizer, template and image processor of one checkpoint. */
export interface Processor {
  tokenizer: Tokenizer;
  imageConfig: PreprocessorConfig;
  imageTokenId: number;
  /** Messages to text, one placeholder per image. */
  template: ChatTemplate;
  /** Decodes and processes an image file, bytes or pixels (`readImage`); several at once run on several cores. */
  image(source: string | Uint8Array | RgbImage, options?: ImageOptions): Promise<ProcessedImage>;
  /** Tokens of messages whose images have these grids, in order. No file is read. */
  promptIds(
    messages: readonly Message[],
    grids: readonly Grid[],
    addGenerationPrompt?: boolean,
  ): { text: string; inputIds: number[] };
  /** Tokens and images of messages; images are file paths. */
  prompt(messages: readonly Message[], options?: PromptOptions): Promise<Prompt>;
}

/** The images that messages name, in order. @throws Error where text comes before an image of the same message */
export function imagesOf(messages: readonly Message[]): string[] {
  return messages.flatMap((message, i) => {
    if (typeof message.content === "string") return [];
    const firstText = message.content.findIndex((part) => part.type === "text");
    const lastImage = message.content.reduce((last, part, j) => (part.type === "image" ? j : last), -1);
    if (firstText >= 0 && lastImage > firstText)
      throw new Error(`message ${i}: an image comes after text; put images first`);
    return message.content.flatMap((part) => (part.type === "image" ? [part.image] : []));
  });
}

/**
 * Replaces each placeholder by as many as its image has tokens.
 * @throws Error when placeholders and images differ in number
 */
export function expandImageTokens(
  ids: readonly number[],
  imageTokenId: number,
  grids: readonly Grid[],
  mergeSize: number,
): number[] {
  const count = ids.filter((id) => id === imageTokenId).length;
  if (count !== grids.length) throw new Error(`the prompt has ${count} image placeholders for ${grids.length} images`);
  let image = 0;
  return ids.flatMap((id) => {
    if (id !== imageTokenId) return [id];
    const [t, h, w] = grids[image++];
    return Array<number>((t * h * w) / mergeSize ** 2).fill(imageTokenId);
  });
}

/** Puts a processor together. @param defaults how images are read where a call does not say */
export function createProcessor(
  tokenizer: Tokenizer,
  template: ChatTemplate,
  imageConfig: PreprocessorConfig,
  defaults: ImageOptions = {},
): Processor {
  const imageTokenId = tokenizer.tokenId("<|image_pad|>");
  const image: Processor["image"] = (source, { alpha, minPixels, maxPixels } = {}) =>
    readImage(imageConfig, source, {
      alpha: alpha ?? defaults.alpha,
      minPixels: minPixels ?? defaults.minPixels,
      maxPixels: maxPixels ?? defaults.maxPixels,
    });
  const promptIds: Processor["promptIds"] = (messages, grids, addGenerationPrompt = true) => {
    const text = template(messages, addGenerationPrompt);
    return { text, inputIds: expandImageTokens(tokenizer.encode(text), imageTokenId, grids, imageConfig.mergeSize) };
  };
  return {
    tokenizer,
    imageConfig,
    imageTokenId,
    template,
    image,
    promptIds,
    prompt: async (messages, options = {}) => {
      const files = imagesOf(messages);
      if (options.images && options.images.length !== files.length)
        throw new Error(`the messages name ${files.length} images; ${options.images.length} were given`);
      const images = options.images
        ? [...options.images]
        : await Promise.all(files.map((file) => image(file, options)));
      return {
        ...promptIds(
          messages,
          images.map((item) => item.grid),
          options.addGenerationPrompt,
        ),
        images,
      };
    },
  };
}

/**
 * Loads the processor of a checkpoint directory.
 * @param defaults how images are read where a call does not say: `{ alpha: "white" }` for evaluation
 * @throws Error naming the file that is missing or wrong
 */
export function loadProcessor(dir: string, defaults: ImageOptions = {}): Processor {
  return createProcessor(loadTokenizer(dir), loadChatTemplate(dir), loadPreprocessorConfig(dir), defaults);
}

/** What belongs to a checkpoint's processor; only the first is always there. */
const PROCESSOR_FILES = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "chat_template.json",
  "chat_template.jinja",
  "preprocessor_config.json",
  "processor_config.json",
  "video_preprocessor_config.json",
];

/** Texts of a checkpoint's processor files, by name: what belongs beside every model trained from it. */
export function processorFiles(dir: string): Record<string, string> {
  return Object.fromEntries(
    PROCESSOR_FILES.filter((name) => existsSync(path.join(dir, name))).map((name) => [
      name,
      readTextFile(path.join(dir, name)),
    ]),
  );
}
