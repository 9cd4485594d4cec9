import { describe, expect, it } from "vitest";
import type { PredictionRow } from "../../lib/eval/rows";
import { changeInTraining, fallToUnseen, finding } from "../../lib/report/findings";

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
    expect(finding(rows, ["sft", "tapo"])).toMatch(/^\*\*TAPO is ahead of CoT SFT\*\* .*CoT SFT minus TAPO: −50\.0/);
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
    "TAPO is 45.0 points lower on unseen than on seen sub-categories in the open world (50.0 % seen, 5.0 % unseen).",
  );
  expect(fallToUnseen(rows, "tapo", "closed")).toBeNull();
});

it("changeInTraining compares the first quarter of the steps with the last, as far as they logged the metric", () => {
  const log = [1, 2, 3, 4, 5, 6, 7, 8].map((step) => ({ step, reward: step / 10, kl: step === 8 ? null : 1 }));
  const name = "TAPO";
  expect(changeInTraining(log, { name, metric: "reward" })).toBe(
    "TAPO: reward from 0.150 in the first 2 steps to 0.750 in the last.",
  );
  expect(changeInTraining(log, { name, metric: "kl", label: "KL", digits: 1 })).toBe(
    "TAPO: KL from 1.0 in the first 2 steps to 1.0 in the last.",
  );
  expect(changeInTraining(log.slice(0, 1), { name, metric: "reward" })).toMatch(/first step to 0\.100 in the last\.$/);
  expect(changeInTraining(log, { name, metric: "entropy" })).toBeNull();
  expect(changeInTraining([], { name, metric: "reward" })).toBeNull();
});
