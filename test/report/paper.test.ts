import { describe, expect, it } from "vitest";
import type { ResultRow } from "../../lib/eval/results";
import {
  checkAverages,
  PAPER_COLUMNS,
  paperLong,
  paperSeenUnseenFigure,
  parsePaperTable,
  pivotSets,
  readPaperTable,
  runLong,
} from "../../lib/report/paper";

const header = `model,group,${PAPER_COLUMNS.join(",")}`;
// seen 10..60, mean 35; unseen 1..6, mean 3.5; both 19.25
const line = "A,G,10,20,30,40,50,60,35,1,2,3,4,5,6,3.5,19.25";

describe("the paper's tables", () => {
  it("averages by hand, and every printed one that differs", () => {
    expect(checkAverages(parsePaperTable(`${header}\n${line}\n`, "t.csv"))).toEqual([]);
    const wrong = parsePaperTable(`${header}\n${line.replace(",35,", ",35.02,")}\n`, "t.csv");
    expect(checkAverages(wrong)).toEqual([{ model: "A", column: "seen_avg", printed: 35.02, recomputed: 35 }]);
    expect(checkAverages(wrong, 0.05)).toEqual([]);
  });

  it("reads the committed ones: 18 and 14 models", () => {
    expect([readPaperTable("closed").length, readPaperTable("open").length]).toEqual([18, 14]);
    expect(paperLong(readPaperTable("open"), "open")).toHaveLength(14 * 12);
    // The overall averages of three lines are means of rounded averages; every other printed average is that of its
    // cells.
    const differ = (["closed", "open"] as const).flatMap((setting) =>
      checkAverages(readPaperTable(setting)).map((d) => [setting, d.model, d.column, d.printed, d.recomputed]),
    );
    expect(differ).toEqual([
      ["closed", "Fine-R1-7B", "avg", 88.71, 88.702],
      ["open", "DeepPerception-7B", "avg", 43.82, 43.814],
      ["open", "Fine-R1-7B", "avg", 74.8, 74.794],
    ]);
  });

  it.each([
    [header.replace("seen_pet,", "").replace("unseen_pet,", ""), /t\.csv: no column "seen_pet"/],
    [`${header}\n${line}\n${line}`, /t\.csv, line 3: A a second time/],
    [`${header}\n${line.replace(",20,", ",,")}`, /t\.csv, line 2: "seen_bird" is ""; a percentage/],
    [`${header}\n${line.replace(",20,", ",120,")}`, /"seen_bird" is "120"/],
  ])("names file, line and column (%#)", (text, message) => {
    expect(() => parsePaperTable(text, "t.csv")).toThrow(message);
  });

  it("pivots and sorts by the mean; own numbers name their run", () => {
    const cells = paperLong(
      parsePaperTable(`${header}\n${line}\n${line.replace("A,G,10", "B,G,70")}\n`, "t.csv"),
      "closed",
    );
    expect(pivotSets(cells, { setting: "closed", split: "seen" })).toMatchObject([
      { model: "B", from: "paper", aircraft: 70, pet: 60, mean: 45 },
      { model: "A", from: "paper", aircraft: 10, pet: 60, mean: 35 },
    ]);
    expect(pivotSets(cells, { setting: "open", split: "seen" })).toEqual([]);
    const result = (domain: string, split: "seen" | "unseen", correct: number): ResultRow => ({
      method: "tapo",
      domain,
      split,
      setting: "closed",
      metric: "substring",
      n: 10,
      correct,
      accuracy: correct / 10,
      ci_low: 0,
      ci_high: 1,
      seed: 0,
    });
    const own = runLong(
      [
        result("food", "seen", 5),
        result("flag", "seen", 8),
        result("all", "seen", 6),
        { ...result("food", "seen", 1), metric: "exact" },
      ],
      { run: "main", benchmark: "Emoji-FGVR" },
    );
    expect(own[0]).toMatchObject({ from: "run main", group: "this project, Emoji-FGVR" });
    expect(pivotSets(own, { setting: "closed", split: "seen" })).toEqual([
      { model: "TAPO", from: "run main", food: 50, flag: 80, mean: 65 },
    ]);
  });

  it("draws a panel a set, a line from seen to unseen for each model", () => {
    const cells = paperLong(readPaperTable("closed"), "closed");
    const figure = paperSeenUnseenFigure(cells, "closed", ["Fine-R1-3B", "SigLIP-L"]);
    expect(figure.data).toHaveLength(6 * 2);
    expect(figure.data[0]).toMatchObject({ name: "Fine-R1-3B", x: [0, 1], y: [76.87, 75.73] });
    expect(figure.data.filter((trace) => trace.showlegend)).toHaveLength(2);
    expect((figure.layout.annotations as unknown[]).length).toBe(6);
  });
});
