import { describe, expect, it } from "vitest";
import type { PredictionRow } from "../../lib/eval/rows";
import { fallToUnseen, finding } from "../../lib/report/findings";

/** Forty questions about forty sub-categories; `right` says which a method has right. */
function answers(method: string, right: (i: number) => boolean): PredictionRow[] {
  return Array.from({ length: 40 }, (_, i) => ({
    method,
    seed: 0,
    domain: "birds",
    split: i % 2 === 0 ? ("seen" as const) : ("unseen" as const),
    setting: "open" as const,
    image_path: `${i}.png`,
    question: "Which?",
    ground_truth: `bird${String.fromCharCode(97 + (i % 26))}${i}`,
    output: right(i) ? `<answer>bird${String.fromCharCode(97 + (i % 26))}${i}</answer>` : "<answer>none</answer>",
  }));
}

describe("finding", () => {
  it("says who is ahead where the interval leaves out 0, whichever of the two it is", () => {
    const rows = [...answers("tapo", (i) => i < 30), ...answers("sft", (i) => i < 10)];
    expect(finding(rows, ["tapo", "sft"])).toMatch(
      /^\*\*TAPO is ahead of CoT SFT\*\* over both worlds, seen and unseen \(\+50\.0 points, .*40 questions\)\.$/,
    );
    expect(finding(rows, ["sft", "tapo"])).toMatch(/^\*\*TAPO is ahead of CoT SFT\*\* .*CoT SFT less TAPO: −50\.0/);
  });

  it("says that two are not told apart where the interval holds 0", () => {
    const rows = [...answers("tapo", (i) => i % 2 === 0), ...answers("sft", (i) => i % 2 === 1 || i < 2)];
    expect(finding(rows, ["tapo", "sft"])).toMatch(/not told apart\*\* over/);
    expect(finding(rows, ["tapo", "sft"], { setting: "open", split: "seen" })).toMatch(
      /is ahead of CoT SFT\*\* in the open world, on seen sub-categories .* 20 questions/,
    );
  });

  it("is none where they share no question", () => {
    expect(
      finding(
        answers("tapo", () => true),
        ["tapo", "sft"],
      ),
    ).toBeNull();
  });
});

it("fallToUnseen gives both accuracies and their difference", () => {
  const rows = answers("tapo", (i) => i % 4 === 0 || i === 1);
  expect(fallToUnseen(rows, "tapo", "open")).toBe(
    "TAPO goes from seen to unseen by −45.0 points in the open world (50.0 % to 5.0 %).",
  );
  expect(fallToUnseen(rows, "tapo", "closed")).toBeNull();
});
