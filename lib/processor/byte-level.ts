/** Byte-level pre-tokenization as in GPT-2 and Qwen2: text to words, words to bytes, bytes to printable characters. */

/** Qwen2's pre-tokenizer pattern as `tokenizer.json` states it (Oniguruma syntax). */
export const QWEN2_PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** The same for JavaScript, which has no inline flags on every Node this runs on. */
const QWEN2_REGEXP =
  /'(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+/gu;

/** The 256 printable characters that stand for bytes, by byte (GPT-2's `bytes_to_unicode`). */
export const BYTE_CHARACTERS: readonly string[] = (() => {
  const table: string[] = [];
  let next = 256;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    table.push(String.fromCharCode(printable ? byte : next++));
  }
  return table;
})();

/** The pre-tokenizer's words of an NFC text. */
export function splitWords(text: string): string[] {
  return text.match(QWEN2_REGEXP) ?? [];
}

/** A word as UTF-8 bytes. */
export function wordBytes(word: string): Uint8Array {
  return new TextEncoder().encode(word);
}
