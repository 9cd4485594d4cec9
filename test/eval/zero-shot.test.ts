import { describe, expect, it } from "vitest";
import type { Question } from "../../lib/benchmark/types";
import type { ScorableRow } from "../../lib/eval/rows";
import { meanSimilarity, normalisedSimilarity, semanticSimilarities } from "../../lib/eval/similarity";
import { nameVectors, zeroShot } from "../../lib/eval/zero-shot";

/** Two-dimensional towers: a text's or an image's angle is looked up. */
const angles: Record<string, number> = {
  "a red fox": 0,
  "the red fox": 0.4,
  "a wolf": 1,
  "the wolf": 1.4,
  "a yak": 2,
  "the yak": 2.4,
  "/x/fox.png": 0.1,
  "/x/wolf.png": 1.5,
};
const unit = (text: string): Float32Array => Float32Array.from([Math.cos(angles[text]), Math.sin(angles[text])]);
let read: string[] = [];
const towers = {
  texts: (texts: readonly string[]) => Promise.resolve(texts.map(unit)),
  images: (files: readonly string[]) => {
    read = [...files];
    return Promise.resolve(files.map(unit));
  },
};
const templates = ["a {}", "the {}"];
const question = (image: string | null, truth: string, options?: string[]): Question => ({
  image: image === null ? null : `/x/${image}.png`, image_path: `set/${image}.png`, question: "What is this?", ...(options ? { options } : {}), ground_truth: truth, domain: "dog", split: "seen", setting: options ? "closed" : "open", where: "row",
}); // prettier-ignore

describe("nameVectors", () => {
  it("averages unit vectors over the templates and scales to length 1; _ is a space", async () => {
    const vectors = await nameVectors(towers, ["red_fox", "wolf"], templates);
    const [x, y] = vectors.get("red_fox")!;
    expect(Math.atan2(y, x)).toBeCloseTo(0.2, 5); // halfway between 0 and 0.4
    expect(Math.hypot(x, y)).toBeCloseTo(1, 5);
    await expect(nameVectors(towers, ["wolf"], ["a photo"])).rejects.toThrow('"a photo": no {} in it');
  });
});

describe("zeroShot", () => {
  it("answers closed questions among the options and open ones among the domain's names, and gives back what has no image", async () => {
    const questions = [
      question("fox", "red fox", ["yak", "wolf", "red fox"]),
      question("wolf", "wolf"),
      question("fox", "red fox", ["yak", "wolf"]),
      question(null, "yak"),
    ];
    const { rows, missing } = await zeroShot(towers, questions, {
      method: "clip",
      templates,
      namesOfDomain: new Map([["dog", ["red fox", "wolf", "yak"]]]),
    });
    expect(rows.map((row) => row.output)).toEqual(
      ["red fox", "wolf", "wolf"].map((name) => `<answer> ${name}</answer>`),
    );
    expect(rows[0]).toEqual({
      method: "clip",
      seed: 0,
      domain: "dog",
      split: "seen",
      setting: "closed",
      image_path: "set/fox.png",
      question: "What is this?",
      options: ["yak", "wolf", "red fox"],
      ground_truth: "red fox",
      output: "<answer> red fox</answer>",
    });
    expect(missing).toEqual([questions[3]]);
    expect(read).toEqual(["/x/fox.png", "/x/wolf.png"]); // each image once
  });
});

describe("semantic similarity", () => {
  it("is 0 at the super-category's word and 1 at the truth", () => {
    expect(normalisedSimilarity(0.9, 0.6)).toBeCloseTo(0.75, 10); // (0.9 - 0.6) / 0.4
    expect([normalisedSimilarity(1, 0.6), normalisedSimilarity(0.6, 0.6), normalisedSimilarity(0.2, 0.6)]).toEqual([
      1, 0, 0,
    ]);
    expect([normalisedSimilarity(1, 1), normalisedSimilarity(0.9, 1)]).toEqual([1, 0]);
  });

  it("takes the answer, else the whole output, in lower case; the word from the path; nothing said is 0", async () => {
    const place: Record<string, number> = { "cooper's hawk": 0, hawk: 0.5, bird: 1, object: 1.2, "what a bird": 0.9 };
    const asked: string[] = [];
    const text = (texts: readonly string[]): Promise<Float32Array[]> => {
      asked.push(...texts);
      return Promise.resolve(texts.map((t) => Float32Array.from([Math.cos(place[t]), Math.sin(place[t])])));
    };
    const row = (output: string, image_path = "birds/1.jpg"): ScorableRow => ({
      image_path,
      question: "q",
      ground_truth: "Cooper's_Hawk",
      output,
    });
    const values = await semanticSimilarities(
      [
        row("<think>x</think><answer>HAWK</answer>"),
        row("Cooper's hawk"),
        row("What a bird"),
        row(" "),
        row("<answer>Hawk</answer>", "pets/1.jpg"),
      ],
      { texts: text },
    );
    const expected = (angle: number, word: number): number => (Math.cos(angle) - Math.cos(word)) / (1 - Math.cos(word));
    [expected(0.5, 1), 1, expected(0.9, 1), 0, expected(0.5, 1.2)].forEach((x, i) =>
      expect(values[i]).toBeCloseTo(x, 5),
    );
    expect(new Set(asked).size).toBe(asked.length);
  });

  it("has a mean with an interval", () => {
    const { n, mean, low, high } = meanSimilarity([0, 1, 0.5, 0.5]);
    // deviation sqrt(0.5 / 3) = 0.408; 1.96 * 0.408 / 2 = 0.4
    expect([n, mean]).toEqual([4, 0.5]);
    expect(low).toBeCloseTo(0.0999, 3);
    expect(high).toBeCloseTo(0.9001, 3);
  });
});
