/** A checkpoint's tokenizer, by `@huggingface/tokenizers`. */
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import * as path from "node:path";
import { readJsonObject } from "../util/files";
import { shownValue } from "../util/json-text";
import { watchedPatterns, type Watched } from "./tokenizer-patterns";

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

/** Token ids are places in lists. */
const LARGEST_ID = 2 ** 24;

const isId = (x: unknown): x is number => Number.isInteger(x) && (x as number) >= 0 && (x as number) < LARGEST_ID;
const isText = (x: unknown): x is string => typeof x === "string";

/** The vocabulary and the added tokens of a `tokenizer.json`. @throws Error naming file and field */
function checkedTokens(
  json: Record<string, unknown>,
  file: string,
): { vocab: Record<string, number>; added: AddedToken[] } {
  const fail = (field: string, value: unknown, expected: string): never => {
    throw new Error(`${file}: ${field} is ${shownValue(value)}; expected ${expected}`);
  };
  const model = json.model as { type?: unknown; vocab?: unknown; merges?: unknown } | null | undefined;
  if (model?.type !== "BPE" || typeof model.vocab !== "object" || model.vocab === null)
    return fail("model.type", model?.type, "a BPE vocabulary");
  const badToken = Object.entries(model.vocab).find(([, id]) => !isId(id));
  if (badToken) return fail(`model.vocab[${shownValue(badToken[0])}]`, badToken[1], "a token id");
  const isMerge = (x: unknown): boolean => isText(x) || (Array.isArray(x) && x.length === 2 && x.every(isText));
  if (!Array.isArray(model.merges)) return fail("model.merges", model.merges, "a list");
  const badMerge = model.merges.findIndex((merge) => !isMerge(merge));
  if (badMerge >= 0) return fail(`model.merges[${badMerge}]`, model.merges[badMerge], "a pair of tokens");
  const added = json.added_tokens ?? [];
  if (!Array.isArray(added)) return fail("added_tokens", added, "a list");
  const isAdded = (x: { id?: unknown; content?: unknown } | null): boolean => isId(x?.id) && isText(x?.content);
  const badAdded = added.findIndex((token) => !isAdded(token as object | null));
  if (badAdded >= 0) return fail(`added_tokens[${badAdded}]`, added[badAdded], "an id and its content");
  return { vocab: model.vocab as Record<string, number>, added: added as AddedToken[] };
}

/** Text that every tokenizer has to take apart and put together again. */
const PROBE = "A fox's 2 ears: \u00e9\n";

/** The library's tokenizer. @throws Error naming the file, where the library can't use it */
function openTokenizer(json: Record<string, unknown>, config: Record<string, unknown>, file: string, watched: Watched) {
  try {
    const tokenizer = new HuggingFaceTokenizer(json, config);
    watched(PROBE.length, () => {
      const { ids } = tokenizer.encode(PROBE, { add_special_tokens: false });
      if (ids.length > 0) tokenizer.decode(ids, { skip_special_tokens: true, clean_up_tokenization_spaces: false });
    });
    return tokenizer;
  } catch (error) {
    throw new Error(
      `${file}: it can't be used as a tokenizer (${(error as Error).message.split("\n")[0].slice(0, 200)}); fetch or save it anew`,
      { cause: error },
    );
  }
}

/**
 * Wraps the content of `tokenizer.json` and `tokenizer_config.json`. Its `encode` and `decode` throw where patterns of
 * the file take too long on a text.
 * @param file named in errors
 * @throws Error naming file and field
 */
export function createTokenizer(
  json: Record<string, unknown>,
  config: Record<string, unknown>,
  file = "tokenizer.json",
): Tokenizer {
  const { vocab, added } = checkedTokens(json, file);
  const watched = watchedPatterns(json, file);
  const tokenizer = openTokenizer(json, config, file, watched);
  const ids = [...Object.values(vocab), ...added.map((token) => token.id)];
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
    encode: (text) => watched(text.length, () => tokenizer.encode(text, { add_special_tokens: false }).ids),
    decode: (tokens, { skipSpecialTokens = true } = {}) =>
      tokens.length === 0
        ? ""
        : watched(tokens.length, () =>
            tokenizer.decode(Array.from(tokens), {
              skip_special_tokens: skipSpecialTokens,
              clean_up_tokenization_spaces: false,
            }),
          ),
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
