import { describe, expect, it } from "vitest";
import { paperPrompts, pythonList, tinyPrompts } from "../../lib/benchmark/prompts";

describe("pythonList is Python's repr of a list of strings", () => {
  it.each([
    [["737-700", "Cooper's hawk"], `['737-700', "Cooper's hawk"]`],
    [[`both ' and "`], `['both \\' and "']`],
    [[`"quoted"`], `['"quoted"']`],
    [["back\\slash", "new\nline"], `['back\\\\slash', 'new\\nline']`],
    [[], "[]"],
  ])("%j", (items, expected) => expect(pythonList(items)).toBe(expected));
});

describe("prompts", () => {
  it("ask for reasoning or for the answer alone, with options or without", () => {
    for (const set of [paperPrompts, tinyPrompts]) {
      const all = [
        set.reason("What bird is this?"),
        set.reason("What bird is this?", ["owl", "duck"]),
        set.direct("What bird is this?"),
        set.direct("What bird is this?", ["owl", "duck"]),
      ];
      expect(new Set(all).size).toBe(4);
      expect(all.every((text) => text.includes("What bird is this?"))).toBe(true);
      expect(all.map((text) => text.includes("owl"))).toEqual([false, true, false, true]);
    }
    expect(paperPrompts.reason("Q", ["a", "b"])).toContain(
      "based on the options provided in ['a', 'b'], output the thinking process in <think> </think>",
    );
    expect(paperPrompts.direct("Q")).not.toContain("think>");
    expect(tinyPrompts.reason("Q?", ["a", "b"])).toBe("Q? Options: a, b. Think first.");
    expect(tinyPrompts.direct("Q?")).toBe("Q? Answer.");
  });

  it("stage 2: problem, blank line, format instruction", () => {
    expect(paperPrompts.stage2("  What?\n")).toMatch(
      /^What\?\n\nYou first think through the reasoning process as an internal monologue, .* within <answer> <\/answer> tags\.$/,
    );
    expect(tinyPrompts.stage2(" What? ")).toBe("What? Think first.");
  });
});
