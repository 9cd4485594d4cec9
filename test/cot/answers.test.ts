import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { paperPrompts, tinyPrompts } from "../../lib/benchmark/prompts";
import { answerRecords } from "../../lib/cot/answers";
import { readSharegpt, writeSharegpt } from "../../lib/formats/sharegpt";
import { readStage1 } from "../../lib/formats/stage1";
import { accuracyReward } from "../../lib/reward/accuracy";

const folder = mkdtempSync(path.join(tmpdir(), "answers-"));
afterAll(() => rmSync(folder, { recursive: true }));
const images = [
  { image: "bird/a.jpg", name: "Song Sparrow", question: "Which bird is this?" },
  {
    image: "bird/b.jpg",
    name: "Caf\u00e9 Finch",
    question: "Which bird is this?",
    options: ["Crow", "Caf\u00e9 Finch"],
  },
];

describe("answerRecords", () => {
  it("the direct question and the bare answer, in order, open and closed", () => {
    expect(answerRecords(images, tinyPrompts)).toEqual([
      {
        system: null,
        user: "Which bird is this? Answer.",
        assistant: "<answer> Song Sparrow</answer>",
        image: "bird/a.jpg",
      },
      {
        system: null,
        user: "Which bird is this? Options: Crow, Caf\u00e9 Finch. Answer.",
        assistant: "<answer> Caf\u00e9 Finch</answer>",
        image: "bird/b.jpg",
      },
    ]);
  });

  it("are sharegpt records that the reward gives 1; rationales they are none", () => {
    const file = path.join(folder, "records.json");
    const records = answerRecords(images, paperPrompts);
    writeSharegpt(file, records);
    expect(readSharegpt(file)).toEqual(records);
    expect(records.map(({ assistant }, i) => accuracyReward(assistant, images[i].name))).toEqual([1, 1]);
    expect(() => readStage1(file)).toThrow("record 0: 0 <think> tags; one expected");
  });

  it("names the image that lacks a name or a question, or whose options lack the name", () => {
    const make = (over: object) => answerRecords([images[0], { ...images[1], ...over }], tinyPrompts);
    expect(() => make({ name: " " })).toThrow("image bird/b.jpg has an empty name");
    expect(() => make({ question: "" })).toThrow("image bird/b.jpg has an empty question");
    expect(() => make({ name: "Wren" })).toThrow('image bird/b.jpg: the options lack its name "Wren"');
  });
});
