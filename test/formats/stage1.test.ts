import { writeFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { stage1File } from "../../lib/benchmark/photographs";
import { readSharegpt } from "../../lib/formats/sharegpt";
import { readStage1, stage1Problems, stage1Set, summariseStage1 } from "../../lib/formats/stage1";
import { temporaryFolder } from "../benchmark/photographs/trees";

const folder = temporaryFolder();

const analysis =
  "The bird is small, with a short conical bill, streaked brown back and a plain breast; its tail is notched and the crown is rufous.";
const good = `<think> ${analysis}\nCandidates: a, b, c, d. Compared with b it is small. Prediction: a.</think>\n<answer>a</answer>`;

describe("stage-1 records", () => {
  it.each<[string, string[]]>([
    [good, []],
    [
      good.replace("</answer>", ""),
      ["0 </answer> tags; one expected", "not <think>…</think> <answer>…</answer> and nothing else"],
    ],
    [good.replace("<think>", "<think><think>"), ["2 <think> tags; one expected"]],
    [`Well. ${good}`, ["not <think>…</think> <answer>…</answer> and nothing else"]],
    [good.replace(">a</answer>", "> </answer>"), ["the answer is empty"]],
    [good.replace(analysis, "Small."), ["no visual analysis"]],
    [good.replace("Candidates", "Names"), ["no candidates"]],
    [good.replace("Compared with b it is small. ", ""), ["no comparison"]],
    [good.replace("Prediction: a.", ""), ["no prediction"]],
    [
      "",
      [
        "0 <think> tags; one expected",
        "0 </think> tags; one expected",
        "0 <answer> tags; one expected",
        "0 </answer> tags; one expected",
        "not <think>…</think> <answer>…</answer> and nothing else",
      ],
    ],
  ])("says what is wrong (%#)", (assistant, problems) => {
    expect(stage1Problems({ assistant })).toEqual(problems);
  });

  it("the released file: 404 records, one without a comparison", () => {
    const records = readSharegpt(stage1File());
    const summary = summariseStage1(records);
    expect(summary.map(({ set, records: n, subcategories }) => [set, n, subcategories])).toEqual([
      ["aircraft", 60, 60],
      ["bird", 86, 86],
      ["car", 117, 117],
      ["dog", 70, 70],
      ["flower", 59, 59],
      ["pet", 12, 12],
      ["all", 404, 404],
    ]);
    expect(records.flatMap((record) => stage1Problems(record))).toEqual(["no comparison"]);
    expect(summary.at(-1)).toMatchObject({ flawed: 1 });
  });

  it("reading refuses unbalanced tags, empty answers and the same image and question twice; or skips and lists them", () => {
    expect(readStage1(stage1File())).toMatchObject({ records: readSharegpt(stage1File()), skipped: [] });
    const file = path.join(folder, "records.json");
    const record = (image: string, assistant: string): object => ({
      messages: [
        { role: "user", content: "<image>Q?" },
        { role: "assistant", content: assistant },
      ],
      images: [image],
    });
    writeFileSync(
      file,
      `[${[record("a.png", good), record("b.png", good.replace("</think>", "")), record("a.png", good), record("c.png", good.replace(">a</answer>", "></answer>")), record("d.png", good.replace("Prediction: a.", ""))].map((one) => JSON.stringify(one)).join(",\n")}]`,
    );
    expect(() => readStage1(file)).toThrow(
      `${file}, line 2: record 1: 0 </think> tags; one expected; not <think>…</think> <answer>…</answer> and nothing else`,
    );
    const { records, lines, skipped } = readStage1(file, "skip");
    expect(records.map(({ image }, i) => `${image} ${lines[i]}`)).toEqual(["a.png 1", "d.png 5"]);
    expect(skipped.map(({ line, reason }) => `${line} ${reason}`)).toEqual([
      "2 record 1: 0 </think> tags; one expected; not <think>…</think> <answer>…</answer> and nothing else",
      "3 record 2: image a.png with this question stands in line 1 already",
      "4 record 3: the answer is empty",
    ]);
  });

  it("lengths by hand", () => {
    const record = (words: number): { system: null; user: string; assistant: string; image: string } => ({
      system: null,
      user: "",
      assistant: Array(words).fill("w").join(" "),
      image: "mine/a.png",
    });
    expect(stage1Set("mine/a.png")).toBe("other");
    expect(summariseStage1([record(4), record(1), record(7), record(2)])[0]).toEqual({
      set: "other",
      records: 4,
      subcategories: 1,
      flawed: 4,
      shortest: 1,
      median: 3,
      longest: 7,
    });
    expect(summariseStage1([])).toEqual([]);
  });
});
