/**
 * Trains a byte-level BPE vocabulary (Sennrich et al. 2016) with Qwen2's pre-tokenizer, so that the result is an
 * ordinary Qwen2 tokenizer for transformers and `@huggingface/tokenizers`.
 * Deterministic: pairs are merged by count, ties by the smaller pair of token ids.
 */
import { BYTE_CHARACTERS, splitWords, wordBytes } from "./byte-level";

/** A trained vocabulary. */
export interface Bpe {
  /** Token strings by id: the 256 bytes, then one per merge. */
  tokens: string[];
  /** Pairs of token strings in order of priority. */
  merges: [string, string][];
}

/** Options of `trainBpe`. */
export interface BpeOptions {
  /** Size of the vocabulary without added tokens, at least 256. Fewer when the corpus has no pair left. */
  vocabSize: number;
  /** Pairs seen less often are not merged. Default 2. */
  minFrequency?: number;
  /** Strings cut out of the corpus before training (added tokens). */
  exclude?: readonly string[];
}

interface Word {
  ids: number[];
  count: number;
}

const PAIR_BASE = 65536;
const pairKey = (left: number, right: number): number => left * PAIR_BASE + right;

const escapeRegExp = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");

function countWords(corpus: Iterable<string>, exclude: readonly string[]): Word[] {
  const counts = new Map<string, number>();
  const separator = exclude.length > 0 ? new RegExp(exclude.map(escapeRegExp).join("|"), "g") : null;
  for (const text of corpus) {
    for (const part of separator ? text.split(separator) : [text]) {
      for (const word of splitWords(part.normalize("NFC"))) counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  const words = [...counts].map(([text, count]) => ({ text, count }));
  words.sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0));
  return words.map(({ text, count }) => ({ ids: Array.from(wordBytes(text)), count }));
}

/** Pair statistics that are kept up to date while pairs are merged. */
function pairTable(words: Word[]) {
  const counts = new Map<number, number>();
  const places = new Map<number, Set<number>>();
  const change = (key: number, by: number, word: number): void => {
    const count = (counts.get(key) ?? 0) + by;
    if (count > 0) counts.set(key, count);
    else counts.delete(key);
    if (by > 0) {
      let set = places.get(key);
      if (!set) places.set(key, (set = new Set()));
      set.add(word);
    }
  };
  const addWord = (index: number, sign: 1 | -1): void => {
    const { ids, count } = words[index];
    for (let i = 0; i + 1 < ids.length; i++) change(pairKey(ids[i], ids[i + 1]), sign * count, index);
  };
  words.forEach((_, index) => addWord(index, 1));
  return {
    /** The most frequent pair, ties by the smaller key; null when none is left. */
    best(): { key: number; count: number } | null {
      let key = -1;
      let top = 0;
      for (const [candidate, count] of counts) {
        if (count > top || (count === top && candidate < key)) [key, top] = [candidate, count];
      }
      return key < 0 ? null : { key, count: top };
    },
    /** Replaces the pair by `id` in all words. */
    merge(key: number, id: number): void {
      const left = Math.floor(key / PAIR_BASE);
      const right = key % PAIR_BASE;
      for (const index of places.get(key) ?? []) {
        const { ids } = words[index];
        addWord(index, -1);
        const merged: number[] = [];
        for (let i = 0; i < ids.length; i++) {
          if (ids[i] === left && ids[i + 1] === right) {
            merged.push(id);
            i++;
          } else merged.push(ids[i]);
        }
        words[index].ids = merged;
        addWord(index, 1);
      }
      places.delete(key);
    },
  };
}

/**
 * Learns merges from a corpus.
 * @throws Error when the vocabulary size can't hold the 256 bytes or exceeds 65,536
 */
export function trainBpe(corpus: Iterable<string>, options: BpeOptions): Bpe {
  const { vocabSize, minFrequency = 2, exclude = [] } = options;
  if (!Number.isInteger(vocabSize) || vocabSize < 256 || vocabSize > PAIR_BASE)
    throw new Error(`trainBpe: vocabSize is ${vocabSize}; expected an integer from 256 to ${PAIR_BASE}`);
  const tokens = BYTE_CHARACTERS.slice();
  const merges: [string, string][] = [];
  const known = new Set(tokens);
  const pairs = pairTable(countWords(corpus, exclude));
  while (tokens.length < vocabSize) {
    const best = pairs.best();
    if (!best || best.count < minFrequency) break;
    const left = tokens[Math.floor(best.key / PAIR_BASE)];
    const right = tokens[best.key % PAIR_BASE];
    const joined = left + right;
    merges.push([left, right]);
    let id = tokens.length;
    if (known.has(joined)) id = tokens.indexOf(joined);
    else {
      tokens.push(joined);
      known.add(joined);
    }
    pairs.merge(best.key, id);
  }
  return { tokens, merges };
}
