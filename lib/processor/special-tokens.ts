/**
 * A tokenizer's special tokens in text that comes from data. Written in a text they become their ids: `<|im_end|>`
 * would end a turn, `<|image_pad|>` would stand for an image that is not there. transformers does so without a word;
 * here data with one is refused where it is read and where it is encoded, for nobody can mean it and a changed token
 * would be a changed text.
 */
import type { Tokenizer } from "./tokenizer";

/** The special tokens of a tokenizer as they are written, in the order of their ids. */
export function specialTokensOf(tokenizer: Tokenizer): string[] {
  return [...tokenizer.specialIds]
    .sort((a, b) => a - b)
    .map((id) => tokenizer.token(id))
    .filter((token): token is string => token !== null && token !== "");
}

/** The one of `tokens` that stands first in `text` (the longest of those that begin there), or null. */
export function specialTokenIn(text: string, tokens: Iterable<string>): string | null {
  let [found, at]: [string | null, number] = [null, Infinity];
  for (const token of tokens) {
    const place = token === "" ? -1 : text.indexOf(token);
    if (place < 0 || place > at || (place === at && found !== null && token.length <= found.length)) continue;
    [found, at] = [token, place];
  }
  return found;
}
