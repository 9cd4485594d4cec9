/** The tokenizer of a checkpoint directory as files: written for a trained vocabulary, in Qwen2.5-VL's layout. */
import { trainBpe, type Bpe } from "./bpe-trainer";
import { QWEN2_PATTERN } from "./byte-level";
import { QWEN2_5_VL_TEMPLATE } from "./chat-template";

/** Qwen2.5-VL's special tokens, in the order of their ids. */
export const SPECIAL_TOKENS = [
  "<|endoftext|>",
  "<|im_start|>",
  "<|im_end|>",
  "<|object_ref_start|>",
  "<|object_ref_end|>",
  "<|box_start|>",
  "<|box_end|>",
  "<|quad_start|>",
  "<|quad_end|>",
  "<|vision_start|>",
  "<|vision_end|>",
  "<|vision_pad|>",
  "<|image_pad|>",
  "<|video_pad|>",
] as const;

/** Added tokens that are text: they stay in decoded answers. */
export const TEXT_TOKENS = ["<think>", "</think>", "<answer>", "</answer>"] as const;

/** Content of the tokenizer's files, by file name. */
export type TokenizerFiles = Record<"tokenizer.json" | "tokenizer_config.json" | "special_tokens_map.json", string>;

/** Options of `trainTokenizer`. */
export interface TokenizerOptions {
  /** All tokens, added ones included; at most 4096 for the shipped model. Fewer when the corpus has no pair left. */
  vocabSize: number;
  minFrequency?: number;
  /** Default: Qwen2.5-VL's template. */
  chatTemplate?: string;
}

const ADDED_TOKENS = [
  ...SPECIAL_TOKENS.map((content) => ({ content, special: true })),
  ...TEXT_TOKENS.map((content) => ({ content, special: false })),
];

/** The files of a vocabulary: bytes and merges first, then the added tokens. */
export function tokenizerFiles(bpe: Bpe, chatTemplate: string = QWEN2_5_VL_TEMPLATE): TokenizerFiles {
  const vocab = Object.fromEntries(bpe.tokens.map((token, id) => [token, id]));
  const flags = { lstrip: false, normalized: false, rstrip: false, single_word: false };
  const added = ADDED_TOKENS.map(({ content, special }, i) => ({
    id: bpe.tokens.length + i,
    content,
    ...flags,
    special,
  }));
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false };
  const json = (value: unknown): string => `${JSON.stringify(value, null, 1)}\n`;
  return {
    "tokenizer.json": json({
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: added,
      normalizer: { type: "NFC" },
      pre_tokenizer: {
        type: "Sequence",
        pretokenizers: [
          { type: "Split", pattern: { Regex: QWEN2_PATTERN }, behavior: "Isolated", invert: false },
          byteLevel,
        ],
      },
      post_processor: byteLevel,
      decoder: byteLevel,
      model: {
        type: "BPE",
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: "",
        end_of_word_suffix: "",
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        vocab,
        merges: bpe.merges.map((pair) => pair.join(" ")),
      },
    }),
    "tokenizer_config.json": json({
      add_prefix_space: false,
      added_tokens_decoder: Object.fromEntries(added.map(({ id, ...token }) => [id, token])),
      additional_special_tokens: SPECIAL_TOKENS.slice(1),
      bos_token: null,
      chat_template: chatTemplate,
      clean_up_tokenization_spaces: false,
      eos_token: "<|im_end|>",
      errors: "replace",
      model_max_length: 2048,
      pad_token: "<|endoftext|>",
      split_special_tokens: false,
      tokenizer_class: "Qwen2Tokenizer",
      unk_token: null,
    }),
    "special_tokens_map.json": json({
      additional_special_tokens: SPECIAL_TOKENS.slice(1),
      eos_token: "<|im_end|>",
      pad_token: "<|endoftext|>",
    }),
  };
}

/**
 * Trains a tokenizer on a corpus and returns its files.
 * @throws Error when `vocabSize` can't hold the 256 bytes and the added tokens
 */
export function trainTokenizer(corpus: Iterable<string>, options: TokenizerOptions): TokenizerFiles {
  const exclude = ADDED_TOKENS.map((token) => token.content);
  const size = options.vocabSize - exclude.length;
  if (size < 256)
    throw new Error(
      `trainTokenizer: vocabSize is ${options.vocabSize}; expected at least ${256 + exclude.length} (256 bytes and ${exclude.length} added tokens)`,
    );
  return tokenizerFiles(
    trainBpe(corpus, { vocabSize: size, minFrequency: options.minFrequency, exclude }),
    options.chatTemplate,
  );
}
