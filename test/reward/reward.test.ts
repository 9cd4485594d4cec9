import { describe, expect, it } from "vitest";
import {
  accuracyReward,
  firstAnswer,
  firstAnswerRange,
  formatReward,
  listing,
  namesIn,
  reward,
  tightenTags,
} from "../../lib/reward";

const good = "<think>four legs, a bushy tail</think> <answer>Red Fox</answer>";

describe("tightenTags and firstAnswer", () => {
  it("removes white space around <, > and / only", () => {
    expect(tightenTags("  < think > a b < / think >\n\n<answer> red fox </answer>  ")).toBe(
      "<think>a b</think><answer>red fox</answer>",
    );
    expect(tightenTags("a / b")).toBe("a/b");
  });

  it("takes the first answer, shortest, over lines, stripped", () => {
    expect(firstAnswer("<answer>\n red\nfox </answer><answer>wolf</answer>")).toBe("red\nfox");
    expect(firstAnswer("<answer></answer>")).toBe("");
    expect(firstAnswer("<answer>red fox")).toBeNull();
    expect(firstAnswer("red fox")).toBeNull();
    expect(firstAnswerRange("ab<answer>\n red\nfox </answer>")).toEqual([12, 19]);
    expect(firstAnswerRange("<answer> </answer>")).toEqual([8, 8]);
    expect(firstAnswerRange("<answer>red fox")).toBeNull();
  });
});

describe("formatReward", () => {
  it.each([
    [good, 1],
    ["<think>a</think><answer>b</answer>", 1],
    ["<think>a\nb</think>\n\n<answer>c\nd</answer>", 1],
    ["  < think >a</ think > < answer > b </answer>\n", 1], // white space around the tags is removed first
    ["<think></think><answer></answer>", 1],
    ["<think>a</think><answer>b</answer><answer>c</answer>", 1], // the shortest match may stretch to the end: as in the release
    [`x ${good}`, 0],
    [`${good} x`, 0],
    ["<answer>b</answer>", 0],
    ["<think>a</think> and <answer>b</answer>", 0],
    ["<think>a<answer>b</answer>", 0],
    ["<Think>a</Think><answer>b</answer>", 0],
    ["", 0],
  ])("%j: %s", (response, want) => expect(formatReward(response)).toBe(want));
});

describe("accuracyReward", () => {
  it("is inclusion in the first answer, whatever the case", () => {
    expect(accuracyReward(good, "red fox")).toBe(1);
    expect(accuracyReward("<answer>the RED FOX it is</answer>", "Red fox")).toBe(1);
    expect(accuracyReward("<answer>wolf</answer><answer>red fox</answer>", "red fox")).toBe(0);
    expect(accuracyReward("red fox", "red fox")).toBe(0);
    expect(accuracyReward("<think>red fox</think><answer></answer>", "red fox")).toBe(0);
    expect(accuracyReward("<answer>red_fox</answer>", "red fox")).toBe(0); // no underscore rule here, unlike evaluation
  });

  it("pays an answer that lists every option (deviation 5), unless strict", () => {
    const names = ["red fox", "wolf", "fox"];
    const all = "<answer>wolf, red fox</answer>";
    expect(accuracyReward(all, "red fox")).toBe(1);
    expect(accuracyReward(all, "red fox", { strict: true, names })).toBe(0);
    expect(accuracyReward(good, "red fox", { strict: true, names })).toBe(1);
  });

  it("strict: a name inside a longer one is not counted, a longer one around the truth is", () => {
    const names = ["lily", "fire lily", "rose"];
    expect(accuracyReward("<answer>fire lily</answer>", "fire lily", { strict: true, names })).toBe(1);
    expect(accuracyReward("<answer>fire lily</answer>", "lily", { strict: true, names })).toBe(0);
    expect(accuracyReward("<answer>fire lily</answer>", "lily")).toBe(1);
    expect(accuracyReward("<answer>fire lily or lily</answer>", "fire lily", { strict: true, names })).toBe(0);
    expect(
      accuracyReward("<answer>a Fire_Lily? no: rose</answer>", "rose", { strict: true, names: ["fire lily"] }),
    ).toBe(0);
  });

  it("letters composed or not are the same: names of folders of a Mac, answers of a model", () => {
    const [composed, apart] = ["Caf\u00e9 Finch", "Cafe\u0301 Finch"];
    const answer = (text: string): string => `<answer>${text}</answer>`;
    for (const [said, truth] of [
      [composed, apart],
      [apart, composed],
      [composed.toUpperCase(), apart],
      [apart.toUpperCase(), composed],
    ]) {
      expect(accuracyReward(answer(`a ${said}`), truth)).toBe(1);
      expect(accuracyReward(answer(said), truth, { strict: true, names: [composed, apart, "Wren"] })).toBe(1);
    }
    expect(accuracyReward(answer(apart), "Cafe")).toBe(0); // another letter, however it is written
    expect(namesIn(`${apart}, wren`, [composed, apart, "Wren"])).toEqual(["caf\u00e9 finch", "wren"]);
    expect(listing(apart, [composed, apart])).toBe(1);
  });

  it("refuses strict without names, and an empty truth", () => {
    expect(() => accuracyReward(good, "red fox", { strict: true })).toThrow(/needs `names`/);
    expect(() => accuracyReward(good, " ")).toThrow(/empty/);
  });
});

describe("reward", () => {
  it("is 0.9 accuracy + 0.1 format", () => {
    expect(reward(good, "red fox")).toEqual({ overall: 1, accuracy: 1, format: 1 });
    expect(reward(good, "wolf")).toEqual({ overall: 0.1, accuracy: 0, format: 1 });
    expect(reward("<answer>wolf</answer>", "wolf")).toEqual({ overall: 0.9, accuracy: 1, format: 0 });
    expect(reward("wolf", "wolf").overall).toBe(0);
  });

  it("takes its weight from the options", () => {
    expect(reward(good, "wolf", { formatWeight: 0.5 }).overall).toBe(0.5);
    expect(() => reward(good, "wolf", { formatWeight: 2 })).toThrow(/formatWeight is 2/);
  });
});

describe("listing", () => {
  const names = ["fox", "arctic fox", "wolf", "Grey_Wolf"];
  it("counts distinct names, longer ones first", () => {
    expect(listing("arctic fox", names)).toBe(1);
    expect(namesIn("an Arctic fox, not a fox, a grey wolf", names)).toEqual(["arctic fox", "grey wolf", "fox"]);
    expect(listing("fox fox fox", names)).toBe(1);
    expect(listing("cat", names)).toBe(0);
    expect(listing("", names)).toBe(0);
  });

  it("does not join what a match leaves behind, nor depend on the order or on duplicates", () => {
    expect(namesIn("a bc d", ["bc", "a  d", "ad"])).toEqual(["bc"]);
    expect(listing("arctic fox and wolf", [...names].reverse())).toBe(2);
    expect(listing("wolf", ["wolf", "Wolf", "", " "])).toBe(1);
  });
});
