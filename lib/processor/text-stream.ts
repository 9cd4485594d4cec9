/** Detokenisation while tokens arrive: pieces of text that never hold half a character. */
import type { Tokenizer } from "./tokenizer";

/** Takes tokens one by one; the pieces, joined, are what decoding all tokens at once gives. */
export interface TextStream {
  /** The text that this token completes; empty while a character's bytes are not all there. */
  push(tokenId: number): string;
  /** What is left at the end: the replacement character for bytes that never became one. */
  end(): string;
}

/** What bytes that are no character decode to. */
const REPLACEMENT = "\ufffd";

/**
 * A stream over a byte-level tokenizer. Tokens are held back while their text ends in the replacement character, so
 * every piece ends where a character ends; UTF-8 decodes the same from there on.
 */
export function textStream(
  tokenizer: Pick<Tokenizer, "decode">,
  options?: { skipSpecialTokens?: boolean },
): TextStream {
  let pending: number[] = [];
  const flush = (text: string): string => {
    pending = [];
    return text;
  };
  return {
    push: (tokenId) => {
      pending.push(tokenId);
      const text = tokenizer.decode(pending, options);
      return text.endsWith(REPLACEMENT) ? "" : flush(text);
    },
    end: () => flush(tokenizer.decode(pending, options)),
  };
}
