/** Qwen2.5's tokenizer cut down to what some strings can need, small enough to be committed; ids stay as published. */
import * as fs from "node:fs";
import * as path from "node:path";
import { BYTE_CHARACTERS, wordBytes } from "../../lib/processor/byte-level";
import { writeText } from "../../lib/util/files";

interface TokenizerJson {
  model: { vocab: Record<string, number>; merges: (string | [string, string])[] };
}

/** A string as the vocabulary spells it, in the normal form that Qwen2's tokenizer takes first. */
const spelled = (text: string): string =>
  Array.from(wordBytes(text.normalize("NFC")), (byte) => BYTE_CHARACTERS[byte]).join("");

/**
 * Copies every n-th string of `from/tokens.json` (written by tokenizer.py) to `to`, with the tokenizer in `from/model`.
 * Only merges whose result stands in one of the strings are kept: no other can ever be applied to them, so their ids
 * are those of the whole tokenizer.
 */
export function writeTokenizerFixture(from: string, to: string, every: number): void {
  const cases = (JSON.parse(fs.readFileSync(path.join(from, "tokens.json"), "utf8")) as { text: string }[]).filter(
    (_, i) => i % every === 0,
  );
  const json = JSON.parse(fs.readFileSync(path.join(from, "model/tokenizer.json"), "utf8")) as TokenizerJson;
  const all = cases.map(({ text }) => spelled(text)).join(" "); // no word holds a blank
  const merges = json.model.merges
    .map((merge): [string, string] => (typeof merge === "string" ? (merge.split(" ") as [string, string]) : merge))
    .filter(([a, b]) => all.includes(a + b));
  const kept = new Set([...BYTE_CHARACTERS, ...merges.flatMap(([a, b]) => [a, b, a + b])]);
  const vocab = Object.fromEntries(Object.entries(json.model.vocab).filter(([token]) => kept.has(token)));
  fs.mkdirSync(path.join(to, "model"), { recursive: true });
  writeText(
    path.join(to, "model/tokenizer.json"),
    `${JSON.stringify({ ...json, model: { ...json.model, vocab, merges: merges.map((pair) => pair.join(" ")) } })}\n`,
  );
  fs.copyFileSync(path.join(from, "model/tokenizer_config.json"), path.join(to, "model/tokenizer_config.json"));
  writeText(path.join(to, "tokens.json"), `${JSON.stringify(cases)}\n`);
}
