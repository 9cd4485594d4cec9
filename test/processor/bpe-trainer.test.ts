import { describe, expect, it } from "vitest";
import { trainBpe } from "../../lib/processor/bpe-trainer";
import { chatTemplate, QWEN2_5_VL_TEMPLATE } from "../../lib/processor/chat-template";
import { createTokenizer } from "../../lib/processor/tokenizer";
import { TEXT_TOKENS, trainTokenizer } from "../../lib/processor/tokenizer-files";

const CORPUS = ["the cat sat on the mat, the cat ate", "<think>the theatre</think> it's café"];

describe("trainBpe", () => {
  it("merges the most frequent pair first, ties by the smaller ids", () => {
    // "aab aab": words "aab" and " aab"; (a, a) and (a, b) twice each: (97, 97) < (97, 98)
    expect(trainBpe(["aab aab"], { vocabSize: 259 }).merges).toEqual([
      ["a", "a"],
      ["aa", "b"],
    ]);
  });
  it("is the same for any order of the corpus", () =>
    expect(trainBpe([...CORPUS].reverse(), { vocabSize: 300 })).toEqual(trainBpe(CORPUS, { vocabSize: 300 })));
  it("never merges across words and leaves added tokens out", () => {
    const { tokens } = trainBpe(CORPUS, { vocabSize: 300, exclude: ["<think>", "</think>"] });
    expect(tokens.some((token) => /.Ġ|think/.test(token))).toBe(false);
    expect(tokens).toContain("Ġthe");
  });
  it("refuses a vocabulary below the bytes", () =>
    expect(() => trainBpe(CORPUS, { vocabSize: 100 })).toThrow(/vocabSize is 100/));
});

describe("a trained tokenizer", () => {
  const files = trainTokenizer(CORPUS, { vocabSize: 310 });
  const tokenizer = createTokenizer(
    JSON.parse(files["tokenizer.json"]) as Record<string, unknown>,
    JSON.parse(files["tokenizer_config.json"]) as Record<string, unknown>,
  );

  it("gives back any text", () => {
    for (const text of ["the cat", " 你好 🙂\n\t", "café", "\u0000\u007f", "<think>a</think>"])
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    expect(tokenizer.decode(tokenizer.encode("cafe\u0301"))).toBe("café");
    expect(tokenizer.encode("")).toEqual([]);
  });
  it("knows special tokens from text tokens", () => {
    const ids = tokenizer.encode("<|im_start|>a<think><answer><|im_end|>");
    expect(ids).toHaveLength(5);
    expect(tokenizer.decode(ids)).toBe("a<think><answer>");
    expect(tokenizer.decode(ids, { skipSpecialTokens: false })).toBe("<|im_start|>a<think><answer><|im_end|>");
    expect(TEXT_TOKENS.some((token) => tokenizer.specialIds.has(tokenizer.tokenId(token)))).toBe(false);
    expect([tokenizer.eosTokenId, tokenizer.padTokenId]).toEqual([
      tokenizer.tokenId("<|im_end|>"),
      tokenizer.tokenId("<|endoftext|>"),
    ]);
    expect(() => tokenizer.tokenId("<|nothing|>")).toThrow(/no token/);
  });
  it("has no holes in its ids", () => {
    const ids = Array.from({ length: tokenizer.vocabSize }, (_, id) => tokenizer.token(id));
    expect(ids.includes(null)).toBe(false);
    expect(tokenizer.vocabSize).toBeLessThanOrEqual(310);
  });
});

describe("Qwen2.5-VL's chat template", () => {
  const render = chatTemplate(QWEN2_5_VL_TEMPLATE);
  it("puts the default system message and the image", () => {
    expect(
      render(
        [
          {
            role: "user",
            content: [
              { type: "image", image: "x.png" },
              { type: "text", text: "What?" },
            ],
          },
        ],
        true,
      ),
    ).toBe(
      "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>What?<|im_end|>\n<|im_start|>assistant\n",
    );
  });
  it("keeps a given system message and the assistant's turn", () => {
    expect(
      render(
        [
          { role: "system", content: "S" },
          { role: "user", content: "Q" },
          { role: "assistant", content: "A" },
        ],
        false,
      ),
    ).toBe("<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n");
  });
});
