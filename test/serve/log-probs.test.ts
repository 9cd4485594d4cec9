import { describe, expect, it } from "vitest";
import { loadTokenizer } from "../../lib/processor/tokenizer";
import { chosenLogProb, largest, tokenBytes } from "../../lib/serve/log-probs";
import { modelDir } from "./served";

const tokenizer = loadTokenizer(modelDir);

describe("tokenBytes", () => {
  it("joins to the text, where tokens are parts of characters and where they are special", () => {
    const text = "Füchse 🦊 漢字<|im_end|>";
    const ids = tokenizer.encode(text);
    expect(ids.length).toBeGreaterThan(8);
    const bytes = ids.map((id) => tokenBytes(tokenizer, id));
    expect(Buffer.from(bytes.flat()).toString("utf8")).toBe(text);
    expect(bytes.some((of) => Buffer.from(of).toString("utf8").includes("\ufffd"))).toBe(true);
  });
});

describe("chosenLogProb", () => {
  const logits = Float32Array.from([9, 9, 0, 1, 3, 2, 3]); // the row begins at 2
  it("gives the most probable tokens of its row in order, the lower id first", () => {
    expect(largest(logits, 2, 5, 3)).toEqual([2, 4, 3]);
    expect(largest(logits, 2, 5, 9)).toEqual([2, 4, 3, 1, 0]);
    expect(largest(logits, 2, 5, 0)).toEqual([]);
  });
  it("log-probs of the softmax over the row", () => {
    const { logprob, top_logprobs } = chosenLogProb(tokenizer, logits, 2, 5, 3, 2);
    const total = [0, 1, 3, 2, 3].reduce((sum, x) => sum + Math.exp(x), 0);
    expect(logprob).toBeCloseTo(Math.log(Math.exp(2) / total), 6);
    expect(top_logprobs.map((one) => one.logprob)).toEqual([
      expect.closeTo(Math.log(Math.exp(3) / total), 6),
      expect.closeTo(Math.log(Math.exp(3) / total), 6),
    ]);
  });
});
