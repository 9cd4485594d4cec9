/** A checkpoint's tokenizer, by `@huggingface/tokenizers`. */
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import * as path from "node:path";
import { readJsonObject } from "../util/files";
import { shownValue } from "../util/json-text";

/** Text to token ids and back. */
export interface Tokenizer {
  /** Ids of a text; added tokens such as `<|im_end|>` written in the text become their ids. Nothing is added. */
  encode(text: string): number[];
  /** Text of ids. `skipSpecialTokens` (default true) leaves out special tokens, not `<think>` or `<answer>`. */
  decode(ids: ArrayLike<number>, options?: { skipSpecialTokens?: boolean }): string;
  /** The id of a token. @throws Error when it isn't in the vocabulary */
  tokenId(token: string): number;
  /** The token string of an id, byte-level characters as in the vocabulary; null when there is none. */
  token(id: number): string | null;
  /** 1 + the largest id. */
  vocabSize: number;
  /** Ids of the special tokens. */
  specialIds: ReadonlySet<number>;
  eosTokenId: number | null;
  padTokenId: number | null;
}

interface AddedToken {
  id: number;
  content: string;
  special: boolean;
}

/** Wraps the content of `tokenizer.json` and `tokenizer_config.json`. @param file named in errors */
export function createTokenizer(
  json: Record<string, unknown>,
  config: Record<string, unknown>,
  file = "tokenizer.json",
): Tokenizer {
  const model = json.model as { type?: string; vocab?: Record<string, number> } | undefined;
  if (model?.type !== "BPE" || typeof model.vocab !== "object")
    throw new Error(`${file}: model.type is ${shownValue(model?.type)}; expected a BPE vocabulary`);
  const tokenizer = new HuggingFaceTokenizer(json, config);
  const added = (json.added_tokens ?? []) as AddedToken[];
  const ids = [...Object.values(model.vocab), ...added.map((token) => token.id)];
  const tokenId = (token: string): number => {
    const id = tokenizer.token_to_id(token);
    if (id === undefined) throw new Error(`${file}: no token ${shownValue(token)} in the vocabulary`);
    return id;
  };
  const named = (field: string): number | null => {
    const value = config[field];
    const token = typeof value === "string" ? value : (value as { content?: string } | null | undefined)?.content;
    return token === undefined ? null : tokenId(token);
  };
  return {
    encode: (text) => tokenizer.encode(text, { add_special_tokens: false }).ids,
    decode: (tokens, { skipSpecialTokens = true } = {}) =>
      tokens.length === 0
        ? ""
        : tokenizer.decode(Array.from(tokens), {
            skip_special_tokens: skipSpecialTokens,
            clean_up_tokenization_spaces: false,
          }),
    tokenId,
    token: (id) => tokenizer.id_to_token(id) ?? null,
    vocabSize: 1 + ids.reduce((a, b) => Math.max(a, b), -1),
    specialIds: new Set(added.filter((token) => token.special).map((token) => token.id)),
    eosTokenId: named("eos_token"),
    padTokenId: named("pad_token"),
  };
}

/** Loads `tokenizer.json` and `tokenizer_config.json` of a checkpoint directory. @throws Error naming the file */
export function loadTokenizer(dir: string): Tokenizer {
  const file = path.join(dir, "tokenizer.json");
  return createTokenizer(readJsonObject(file), readJsonObject(path.join(dir, "tokenizer_config.json")), file);
}
