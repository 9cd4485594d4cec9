import { describe, expect, it } from "vitest";
import { extractAnswer } from "../../lib/reward/extract";
import { scoreRow, scoreRows, superCategory } from "../../lib/eval/score";
import type { ScorableRow } from "../../lib/eval/rows";

const row = (ground_truth: string, output: string, more: Partial<ScorableRow> = {}): ScorableRow => ({
  image_path: "birds/1.jpg",
  question: "What is it?",
  ground_truth,
  output,
  ...more,
});
const closed = (truth: string, output: string, more?: Partial<ScorableRow>): boolean =>
  scoreRow(row(truth, output, more), "closed").substring;
const open = (truth: string, output: string, more?: Partial<ScorableRow>): boolean =>
  scoreRow(row(truth, output, more), "open").substring;

describe("extractAnswer", () => {
  it.each([
    ["<think>x</think> <answer> Wren\n</answer>", "Wren"],
    ["<answer>a</answer> and <answer>b</answer>", "a</answer> and <answer>b"], // first tag to LAST closing tag
    ["<answer>a\nb</answer>", "a\nb"],
    ["<answer>a", null],
    ["a</answer>", null],
    ["</answer><answer>", null],
    ["<answer></answer>", null],
    ["<answer> \n\t</answer>", null],
    ["< answer >a</ answer >", null], // no tolerance for blanks here, unlike the reward
    ["", null],
  ])("%j -> %j", (output, want) => expect(extractAnswer(output)).toBe(want));
});

describe("closed world", () => {
  it("is inclusion in the answer, both in lower case with _ as a space", () => {
    expect(closed("Red_Fox", "<answer>the red fox</answer>")).toBe(true);
    expect(closed("red fox", "<answer>RED_FOX</answer>")).toBe(true);
    expect(closed("red fox", "<answer>red  fox</answer>")).toBe(false);
  });

  it("counts no answer, an empty one and text outside the tags as wrong", () => {
    for (const output of [
      "red fox",
      "",
      "<answer></answer> red fox",
      "<answer> </answer>",
      "<think>red fox</think><answer>wolf</answer>",
    ]) {
      expect(closed("red fox", output)).toBe(false);
    }
  });

  it("lets the greedy match see what stands between two answers", () => {
    expect(closed("fox", "<answer>wolf</answer> no, fox <answer>cat</answer>")).toBe(true);
  });

  it("has no car exception", () => {
    expect(closed("Audi A5 Coupe 2012", "<answer>Audi A5</answer>", { image_path: "stanford-cars/1.jpg" })).toBe(false);
  });
});

describe("open world", () => {
  it("includes the truth (_ as a space) in the answer, which only becomes lower case", () => {
    expect(open("Red_Fox", "<answer>a Red Fox</answer>")).toBe(true);
    expect(open("red fox", "<answer>red_fox</answer>")).toBe(false);
  });

  it("falls back to the whole output where there is no answer or an empty one", () => {
    expect(open("red fox", "It is a red fox.")).toBe(true);
    expect(open("red fox", "<think>red fox</think><answer> </answer>")).toBe(true);
    expect(open("red fox", "<think>red fox</think><answer>wolf</answer>")).toBe(false);
  });

  it("drops the last two words of a car's name, by path", () => {
    const car = { image_path: "stanford-cars/cars_test/00002.jpg" };
    expect(open("Ferrari 458 Italia Coupe 2012", "<answer>a ferrari 458 italia spider</answer>", car)).toBe(true);
    expect(open("Ferrari 458 Italia Coupe 2012", "<answer>ferrari 458</answer>", car)).toBe(false);
    expect(open("Ferrari 458 Italia Coupe 2012", "<answer>ferrari 458 italia</answer>")).toBe(false); // not a car's path
    expect(
      scoreRow(row("Audi A5 Coupe 2012", "<answer>audi a5</answer>", car), "open", { carException: false }).substring,
    ).toBe(false);
    // the release splits at white space (tabs, runs) and does not replace _ for cars
    expect(open("Audi\t A5  Coupe 2012", "<answer>audi a5</answer>", car)).toBe(true);
    expect(open("Audi_A5 Coupe 2012", "<answer>audi a5</answer>", car)).toBe(false);
    // two words or fewer leave nothing to match
    expect(open("Coupe 2012", "<answer>wolf</answer>", car)).toBe(true);
  });

  it("never scores an empty output, not even a car's empty remainder", () => {
    expect(open("Coupe 2012", " \n", { image_path: "cars/1.jpg" })).toBe(false);
  });

  it("reads the super-category off the path, aircraft and birds before cars", () => {
    expect(
      [
        "fgvc_aircraft/1.jpg",
        "birds/1.jpg",
        "stanford-cars/1.jpg",
        "flower102/1.jpg",
        "oxford-pet/1.jpg",
        "CARS/1.jpg",
      ].map(superCategory),
    ).toEqual(["aircraft", "bird", "car", "flower", "object", "object"]);
    expect(superCategory("birds/cars/1.jpg")).toBe("bird");
  });
});

describe("exact and listing", () => {
  it("exact is equality after normalisation", () => {
    const exact = (truth: string, output: string, setting: "closed" | "open" = "closed"): boolean =>
      scoreRow(row(truth, output), setting).exact;
    expect(exact("Red_Fox", "<answer> red fox </answer>")).toBe(true);
    expect(exact("red fox", "<answer>a red fox</answer>")).toBe(false);
    expect(exact("red fox", " Red_fox \n", "open")).toBe(true);
    expect(exact("red fox", "red fox")).toBe(false); // closed: no answer
  });

  it("letters composed or not are the same, in both worlds and in a car's name", () => {
    const [composed, apart] = ["Caf\u00e9 Finch", "Cafe\u0301 Finch"];
    for (const [said, truth] of [
      [composed, apart],
      [apart, composed],
    ]) {
      for (const setting of ["closed", "open"] as const)
        expect(scoreRow(row(truth, `<answer>${said}</answer>`), setting)).toMatchObject({
          substring: true,
          exact: true,
        });
      expect(open(`${truth} Coupe 2010`, said, { image_path: "cars/1.jpg" })).toBe(true);
      expect(scoreRow(row(truth, `${said}, Wren`, { options: [truth, "Wren"] }), "open").listing).toBe(true);
    }
    expect(closed("Cafe", `<answer>${apart}</answer>`)).toBe(false);
  });

  it("listing counts two or more of the row's options, longer names first", () => {
    const options = ["fox", "arctic fox", "wolf", "dog"];
    const lists = (output: string): boolean => scoreRow(row("fox", output, { options }), "closed").listing;
    expect(lists("<answer>arctic fox</answer>")).toBe(false);
    expect(lists("<answer>arctic fox or wolf</answer>")).toBe(true);
    expect(lists("<answer>fox, fox</answer>")).toBe(false);
    expect(lists("fox wolf dog")).toBe(false); // closed: nothing scored
  });

  it("listing in the open world takes the names given, else the row's options", () => {
    const r = row("fox", "<answer>fox or lynx</answer>", { options: ["fox", "wolf"] });
    expect(scoreRow(r, "open").listing).toBe(false);
    expect(scoreRow(r, "open", { names: ["fox", "lynx"] }).listing).toBe(true);
    expect(scoreRow({ ...r, options: undefined }, "open").listing).toBe(false);
  });
});

describe("scoreRows", () => {
  it("gives fractions of n and counts the skipped beside it", () => {
    const options = ["fox", "wolf"];
    const rows = [
      row("fox", "<answer>fox</answer>", { options }), //          substring, exact
      row("fox", "<answer>fox wolf</answer>", { options }), //     substring, listing
      row("fox", "<answer>wolf</answer>", { options }),
      row("fox", "", { options }), //                              empty output: in n, wrong
    ];
    expect(scoreRows(rows, "closed", {}, [{ file: "f", line: 3, reason: "not JSON" }])).toEqual({
      n: 4,
      skipped: 1,
      substring: 0.5,
      exact: 0.25,
      listing: 0.25,
    });
    expect(scoreRows([], "open")).toEqual({ n: 0, skipped: 0, substring: 0, exact: 0, listing: 0 });
  });
});
