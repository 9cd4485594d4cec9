/** Regular expressions of a tokenizer.json: some take for ever, and none may. */
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { QWEN2_PATTERN } from "../../lib/processor/byte-level";
import { createTokenizer } from "../../lib/processor/tokenizer";
import { hasNestedRepetition } from "../../lib/util/safe-pattern";

type Json = Record<string, unknown>;
const base = path.join(__dirname, "../../data/base");
const read = (name: string): Json => JSON.parse(readFileSync(path.join(base, name), "utf8")) as Json;
const config = read("tokenizer_config.json");
const split = (Regex: string): object => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false });

/** The base's tokenizer with other parts. */
const tokenizerWith = (change: Json) => createTokenizer({ ...read("tokenizer.json"), ...change }, config, "its/file");
const byteLevel = (read("tokenizer.json").pre_tokenizer as { pretokenizers: object[] }).pretokenizers[1];
const splitBy = (source: string) =>
  tokenizerWith({ pre_tokenizer: { type: "Sequence", pretokenizers: [split(source), byteLevel] } });

const END = "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const PUBLISHED: [string, string][] = [
  ["Qwen2's", QWEN2_PATTERN],
  ["GPT-2's", "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"],
  [
    "Llama 3's",
    `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*${END}`,
  ],
  [
    "GPT-4o's",
    `[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*${END}`,
  ],
  ["one that counts digits from the right", `\\d{1,3}(?=(?:\\d{3})*(?!\\d))|\\p{L}+|\\s+|[^\\s\\d\\p{L}]+`],
];

describe("the pattern of a published tokenizer", () => {
  it.each(PUBLISHED)("is taken: %s", (_, source) => {
    const { encode, decode } = splitBy(source);
    const text = "It's 12345 foxes,\n  they'LL say\t\u00e9t\u00e9!";
    expect(decode(encode(text))).toBe(text);
  });
});

describe("a repetition inside a repetition", () => {
  const evil = "(\\p{L}+\\s?)*:";
  const replace = { type: "Replace", pattern: { Regex: evil }, content: " " };

  it.each<[string, Json]>([
    ["pre_tokenizer.pattern.Regex", { pre_tokenizer: split(evil) }],
    [
      "pre_tokenizer.pretokenizers[0].pattern.Regex",
      { pre_tokenizer: { type: "Sequence", pretokenizers: [split(evil)] } },
    ],
    ["normalizer.normalizers[0].pattern.Regex", { normalizer: { type: "Sequence", normalizers: [replace] } }],
    ["decoder.pattern.Regex", { decoder: replace }],
  ])("is refused within a second, by file and field: %s", (field, change) => {
    const start = Date.now();
    expect(() => tokenizerWith(change)).toThrow(
      `its/file: ${field} is ${JSON.stringify(evil)}; it can't be parsed, or has a repetition inside a repetition`,
    );
    expect(Date.now() - start).toBeLessThan(1000);
  });

  it.each(["(a+)+$", "((a|b)*c?)*", "(?i:x+)*y", "(?>x+)*y", "(a{1,9}){2,}", "("])("is found: %s", (source) =>
    expect(hasNestedRepetition(source)).toBe(true),
  );

  it("is not all that is refused: so is a pattern of a megabyte", () => {
    expect(() => splitBy("a".repeat(2 ** 20))).toThrow(/^its\/file: .*\.Regex is a pattern of 1048576 characters/);
  });
});

describe("a pattern whose alternatives match the same", () => {
  it("is stopped after 10 s, by file and field", () => {
    const { encode } = splitBy("(?:a|a)*!|.");
    const start = Date.now();
    expect(() => encode("a".repeat(200))).toThrow(
      /^its\/file: pre_tokenizer\.pretokenizers\[0\]\.pattern\.Regex: these patterns took longer than 10 s on a text of 200/,
    );
    expect(Date.now() - start).toBeLessThan(20_000);
    expect(encode("fox")).not.toEqual([]); // it goes on with others
  }, 40_000);
});
