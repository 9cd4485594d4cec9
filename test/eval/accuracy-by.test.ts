import { describe, expect, it } from "vitest";
import { accuracyBy } from "../../lib/eval/accuracy-by";
import { wilson } from "../../lib/eval/intervals";
import type { PredictionRow } from "../../lib/eval/rows";
import { accuracyFigure } from "../../lib/report/figures-by";

const row = (method: string, split: "seen" | "unseen", right: boolean, more: Partial<PredictionRow> = {}) =>
  ({
    method,
    split,
    setting: "open",
    seed: 0,
    domain: "cats",
    image_path: "a.png",
    question: "Which?",
    ground_truth: "lynx",
    output: right ? "<answer>lynx</answer>" : "<answer>puma</answer>",
    ...more,
  }) as PredictionRow;

const rows = [
  row("tapo", "seen", true),
  row("tapo", "seen", false),
  row("sft", "seen", true),
  row("tapo", "unseen", false, { output: "I do not know" }),
];

describe("accuracyBy", () => {
  it("counts groups of equal columns, methods in the tables' order, with Wilson's interval", () => {
    expect(accuracyBy(rows, ["method", "split"])).toEqual([
      { method: "sft", split: "seen", n: 1, correct: 1, accuracy: 1, ...wilson(1, 1) },
      { method: "tapo", split: "seen", n: 2, correct: 1, accuracy: 0.5, ...wilson(1, 2) },
      { method: "tapo", split: "unseen", n: 1, correct: 0, accuracy: 0, ...wilson(0, 1) },
    ]);
  });

  it("takes columns of one's own, numbers in their order", () => {
    const table = accuracyBy(rows, { length: ({ output }) => output.length });
    expect(table.map(({ length, n }) => [length, n])).toEqual([
      ["I do not know".length, 1],
      ["<answer>lynx</answer>".length, 3],
    ]);
  });

  it("has one group without columns, and none without rows", () => {
    expect(accuracyBy(rows, []).map(({ n, correct }) => [n, correct])).toEqual([[4, 2]]);
    expect(accuracyBy([], ["method"])).toEqual([]);
  });

  it("names a column that no row has, and takes one that some rows lack", () => {
    expect(() => accuracyBy(rows, ["metod"])).toThrow(/no column "metod"; they have domain, .*method/);
    const some = accuracyBy([...rows, row("sft", "seen", true, { designer: "noto" })], ["designer"]);
    expect(some.map(({ designer, n }) => [designer, n])).toEqual([
      ["noto", 1],
      ["unknown", 4],
    ]);
  });
});

describe("accuracyFigure", () => {
  it("draws a mark for each row under the methods' own names and colours", () => {
    const { data } = accuracyFigure(accuracyBy(rows, ["method", "split"]), { x: "split", color: "method" });
    expect(data.map(({ name }) => name)).toEqual(["CoT SFT", "TAPO"]);
    expect(data[1]).toMatchObject({ y: [50, 0], text: ["seen: 1 of 2", "unseen: 0 of 1"] });
    expect((data[1].marker as { color: string }).color).toBe("#d55e00");
  });

  it("refuses a missing column, and several rows for one mark", () => {
    const table = accuracyBy(rows, ["method", "split"]);
    expect(() => accuracyFigure(table, { x: "domain" })).toThrow(/no column "domain"/);
    expect(() => accuracyFigure(table, { x: "split" })).toThrow(/several rows for split = seen/);
  });
});
