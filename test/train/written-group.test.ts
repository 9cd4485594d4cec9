import { describe, expect, it } from "vitest";
import type { RlPrompt } from "../../lib/rollout/groups";
import { writtenGroup } from "../../lib/train/written-group";
import { toyProcessor } from "../helpers/tiny";

const processor = toyProcessor();
const bench = { processor, eosTokenIds: [processor.tokenizer.tokenId("<|im_end|>")] };
const prompt: RlPrompt = {
  anchor: "a",
  positive: "b",
  negative: "c",
  user: "Answer.",
  groundTruth: "cat",
  options: null,
  domainNames: ["cat", "dog"],
};

describe("writtenGroup", () => {
  it("rewards responses as rollouts; strictly an answer that names another too is wrong", () => {
    const responses = ["<answer>cat</answer>", "<answer>cat or dog</answer>", "<answer>dog</answer>"];
    const accuracies = (strict?: boolean): number[] =>
      writtenGroup(bench, prompt, responses, strict).rollouts.map(({ reward }) => reward.accuracy);
    expect(accuracies()).toEqual([1, 0, 0]);
    expect(accuracies(false)).toEqual([1, 1, 0]);
    const { rollouts, advantages } = writtenGroup(bench, prompt, responses);
    expect(rollouts.map(({ tokenIds }) => tokenIds.at(-1))).toEqual(responses.map(() => bench.eosTokenIds[0]));
    expect(rollouts.every(({ tokenIds, logProbs }) => logProbs.length === tokenIds.length)).toBe(true);
    expect(advantages[0]).toBeGreaterThan(0);
    expect(advantages[1]).toBeLessThan(0);
  });

  it.each([
    [[], "writtenGroup: give at least two responses (advantages need two); there are 0"],
    [["cat"], "writtenGroup: give at least two responses (advantages need two); there are 1"],
    [["cat", "  "], "writtenGroup: response 1 is empty"],
    [["cat", "dog<|im_end|>"], "writtenGroup: response 1 has the special token <|im_end|> in its text"],
  ])("refuses %j", (responses, message) => expect(() => writtenGroup(bench, prompt, responses)).toThrow(message));
});
