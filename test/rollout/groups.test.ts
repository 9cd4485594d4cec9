import { describe, expect, it } from "vitest";
import { random } from "../../lib/util/random";
import { deck, makeGroup, scoreResponse, type RlPrompt, type ScoredRollout } from "../../lib/rollout/groups";

const prompt: RlPrompt = {
  anchor: "a",
  positive: "p",
  negative: "n",
  user: "What?",
  groundTruth: "cat",
  options: ["cat", "dog"],
  domainNames: ["cat", "dog", "wild cat"],
};

describe("scoreResponse", () => {
  it("rewards accuracy and format, and sees listings", () => {
    const good = scoreResponse("<think> x</think><answer> cat</answer>", prompt, false);
    expect([good.reward.accuracy, good.reward.format, good.lists]).toEqual([1, 1, false]);
    const bare = scoreResponse("<answer> dog</answer>", prompt, false);
    expect([bare.reward.accuracy, bare.reward.format, bare.lists]).toEqual([0, 0, false]);
    expect(good.reward.overall).toBeGreaterThan(bare.reward.overall);
    const both = "<think> x</think><answer> cat, dog</answer>";
    expect([scoreResponse(both, prompt, false).reward.accuracy, scoreResponse(both, prompt, false).lists]).toEqual([
      1,
      true,
    ]);
    expect(scoreResponse(both, prompt, true).reward.accuracy).toBe(0);
  });

  it("takes the domain's names where there are no options, longer ones first", () => {
    const open = { ...prompt, options: null };
    expect(scoreResponse("<answer> wild cat</answer>", open, false).lists).toBe(false);
    expect(scoreResponse("<answer> wild cat</answer>", open, true).reward.accuracy).toBe(0);
    expect(scoreResponse("no answer: cat dog", open, false).lists).toBe(false);
  });
});

describe("makeGroup", () => {
  const rollout = (text: string, source: "anchor" | "positive"): ScoredRollout => ({
    ...scoreResponse(text, prompt, false),
    tokenIds: [1],
    logProbs: [-1],
    text,
    source,
    finished: true,
  });
  const right = "<think> x</think><answer> cat</answer>";
  const wrong = "<think> x</think><answer> dog</answer>";

  it("takes advantages over anchor's and positive's rollouts together", () => {
    const group = makeGroup(
      prompt,
      [1, 2, 3],
      [rollout(right, "anchor"), rollout(wrong, "anchor"), rollout(right, "positive"), rollout(right, "positive")],
    );
    const gap = group.rollouts[0].reward.overall - group.rollouts[1].reward.overall;
    const std = gap / 2; // rewards r, r - gap, r, r: squares 3/4 gap², over n - 1 = 3
    [0.25, -0.75, 0.25, 0.25].forEach((deviation, i) =>
      expect(group.advantages[i]).toBeCloseTo((deviation * gap) / std, 4),
    );
    expect(group.kept).toBe(true);
  });

  it("drops groups that are all right or all wrong", () => {
    for (const text of [right, wrong]) {
      const group = makeGroup(prompt, [1, 2, 3], [rollout(text, "anchor"), rollout(text, "positive")]);
      expect([group.kept, ...group.advantages]).toEqual([false, 0, 0]);
    }
  });
});

it("deck deals every item once before any comes again, in an order that the seed decides", () => {
  const items = [0, 1, 2, 3, 4, 5, 6];
  const deal = (seed: number): number[] => Array.from({ length: 21 }, deck(items, random(seed)));
  const dealt = deal(1);
  for (const start of [0, 7, 14]) expect(dealt.slice(start, start + 7).sort()).toEqual(items);
  expect(deal(1)).toEqual(dealt);
  expect(deal(2)).not.toEqual(dealt);
});
