import { describe, expect, it } from "vitest";
import { chooseNames, type ChoiceRow } from "../../lib/eval/choose";
import { scoreRow } from "../../lib/eval/score";

const row: ChoiceRow = {
  image_path: "a.png",
  question: "q",
  options: ["wolf", "red fox"],
  ground_truth: "red fox",
  domain: "mammal",
  split: "seen",
  setting: "closed",
  designer: "d",
};
const open: ChoiceRow = { ...row, options: undefined, setting: "open" };
const table = {
  images: new Map([["a.png", [0.6, 0.8]]]),
  names: new Map([
    ["wolf", [1, 0]],
    ["red fox", [0.8, 0.6]],
    ["cat", [0, 1]],
    ["hen", [0.6, 0.8]],
  ]), // 0.6, 0.96, 0.8, 1
};
const of = {
  method: "clip",
  seed: 3,
  namesOfDomain: (domain: string) => (domain === "mammal" ? ["cat", "wolf", "red fox"] : ["hen"]),
};

describe("chooseNames", () => {
  it("answers with the most similar option, or name of the domain, in a form that scores", () => {
    const [closed, free] = chooseNames([row, open], table, of);
    expect(closed).toMatchObject({
      method: "clip",
      seed: 3,
      options: ["wolf", "red fox"],
      output: "<answer> red fox</answer>",
      designer: "d",
    });
    expect("options" in free).toBe(false);
    expect([scoreRow(closed, "closed").exact, scoreRow(free, "open").exact]).toEqual([true, true]);
    const [wrong] = chooseNames([{ ...row, options: ["wolf", "cat"] }], table, of);
    expect(wrong.output).toBe("<answer> cat</answer>");
    expect(chooseNames([{ ...open, domain: "bird" }], table, of)[0].output).toBe("<answer> hen</answer>"); // other domains' names are no candidates
  });

  it("says what has no embedding", () => {
    expect(() => chooseNames([{ ...row, image_path: "b.png" }], table, of)).toThrow('no embedding of image "b.png"');
    expect(() => chooseNames([{ ...row, options: ["wolf", "yak"] }], table, of)).toThrow('no embedding of name "yak"');
    expect(() => chooseNames([{ ...row, options: [] }], table, of)).toThrow("no candidates");
    expect(() => chooseNames([row], { ...table, images: new Map([["a.png", [1]]]) }, of)).toThrow("one model");
  });
});
