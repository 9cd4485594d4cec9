import { describe, expect, it } from "vitest";
import { overview } from "../../lib/eval/overview";
import { resultsTable } from "../../lib/eval/results";
import type { PredictionRow } from "../../lib/eval/rows";
import { METHOD_NAMES as METHODS } from "../../lib/train/methods";
import {
  learningCurvesFigure,
  lossFigure,
  methodBarsFigure,
  methodStyle,
  seenUnseenFigure,
  smooth,
  type Figure,
} from "../../lib/report/figures";

function rows(): PredictionRow[] {
  return ["base", "tapo"].flatMap((method, m) =>
    ["bird", "food"].flatMap((domain) =>
      (["seen", "unseen"] as const).flatMap((split) =>
        (["closed", "open"] as const).flatMap((setting) =>
          Array.from({ length: 4 }, (_, i): PredictionRow => ({
            method,
            seed: 0,
            domain,
            split,
            setting,
            image_path: `${i}`,
            question: "q",
            ground_truth: "fox",
            output: i <= m ? "<answer>fox</answer>" : "",
          })),
        ),
      ),
    ),
  );
}

const axes = (figure: Figure, kind: string): string[] =>
  Object.keys(figure.layout).filter((key) => key.startsWith(kind));

describe("seenUnseenFigure", () => {
  const figure = seenUnseenFigure(resultsTable(rows()), { setting: "closed" });

  it("has a panel per domain and the pooled one, a trace per method in each, named once", () => {
    expect(axes(figure, "xaxis").length).toBe(3);
    expect(figure.data.length).toBe(6);
    expect(figure.data.filter((trace) => trace.showlegend).map((trace) => trace.name)).toEqual([
      "Base, direct",
      "TAPO",
    ]);
    expect((figure.layout.annotations as { text: string }[]).map(({ text }) => text)).toEqual([
      "<b>Bird</b>",
      "<b>Food</b>",
      "<b>All, pooled</b>",
    ]);
  });

  it("draws seen, unseen and their intervals in %", () => {
    const tapo = figure.data[1] as { x: number[]; y: number[]; error_y: { array: number[]; arrayminus: number[] } };
    expect(tapo.y).toEqual([50, 50]);
    expect(tapo.x[1] - tapo.x[0]).toBe(1);
    // Wilson, 2 of 4: [0.1500, 0.8500]
    expect(tapo.error_y.array[0]).toBeCloseTo(35, 1);
    expect(tapo.error_y.arrayminus[0]).toBeCloseTo(35, 1);
  });

  it("is plain data: the same as its JSON", () => {
    expect(JSON.parse(JSON.stringify(figure))).toEqual(figure);
  });
});

describe("methodBarsFigure", () => {
  it("has five groups of bars per method", () => {
    const figure = methodBarsFigure(overview(rows()));
    expect(figure.data.map((trace) => (trace.x as string[]).length)).toEqual([5, 5]);
    expect(figure.data[1].y).toEqual([50, 50, 50, 50, 50]);
  });
});

describe("learningCurvesFigure and lossFigure", () => {
  it("leaves out panels nobody logged, and names a method once", () => {
    const curve = (method: string, seed: number): Parameters<typeof learningCurvesFigure>[0][number] => ({
      method,
      seed,
      step: [0, 1, 2],
      metrics: { reward: [0, 1, 2], kl: [null, null, null] },
    });
    const figure = learningCurvesFigure([curve("tapo", 0), curve("tapo", 1), curve("sft", 0)]);
    expect(axes(figure, "xaxis").length).toBe(1);
    expect(figure.data.length).toBe(6); // raw and smoothed
    expect(figure.data.filter((trace) => trace.showlegend).map((trace) => trace.name)).toEqual(["TAPO", "CoT SFT"]);
  });

  it("smooths over neighbours, and leaves gaps alone", () => {
    expect(smooth([0, 3, 6, null, 3], 3)).toEqual([1.5, 3, 4.5, null, 3]);
    expect(smooth([1, 2, 4], 1)).toEqual([1, 2, 4]);
    expect(lossFigure([{ name: "training", step: [0, 1], loss: [2, 1] }]).data[1].y).toEqual([1.5, 1.5]);
  });
});

describe("methodStyle", () => {
  it("tells this project's methods apart, and gives others a fixed colour", () => {
    expect(new Set(METHODS.map((method) => methodStyle(method).color)).size).toBe(METHODS.length);
    expect(new Set(METHODS.map((method) => methodStyle(method).symbol)).size).toBe(METHODS.length);
    expect(methodStyle("GPT")).toEqual(methodStyle("GPT"));
    expect(methodStyle("constructor").label).toBe("constructor");
  });
});
