import { describe, expect, it } from "vitest";
import type { Question, Split } from "../../lib/benchmark/types";
import { controlled } from "../../lib/eval/controls";

const question = (image_path: string, truth: string, domain = "mammal", split: Split = "seen"): Question => ({
  image_path,
  question: "What is this?",
  ground_truth: truth,
  domain,
  split,
  setting: "open",
  image: `/x/${image_path}`,
  where: image_path,
});

describe("controlled", () => {
  const many = ["1", "1", "2", "2", "3", "3"].flatMap((truth, i) => [
    question(`m${i}`, truth),
    question(`b${i}`, truth, "bird"),
    question(`u${i}`, truth, "mammal", "unseen"),
  ]);

  it("shows every question its own image, or none", () => {
    expect(controlled(many, "own")).toEqual(many);
    expect(controlled(many, "none")).toEqual(many.map((one) => ({ ...one, shown: null })));
  });

  it("shows the image of another sub-category of the question's domain and split, and keeps the question", () => {
    const permuted = controlled(many, "permuted");
    expect(permuted.map(({ shown: _, ...rest }) => rest)).toEqual(many);
    for (const { shown, domain, split, ground_truth } of permuted) {
      const from = many.find((one) => one.image_path === shown!.image_path)!;
      expect(shown!.image).toBe(from.image);
      expect([from.domain, from.split]).toEqual([domain, split]);
      expect(from.ground_truth).not.toBe(ground_truth);
    }
    expect(new Set(permuted.map(({ shown }) => shown!.image_path)).size).toBeGreaterThan(6);
  });

  it("takes an image of another domain where a domain has one sub-category, and refuses where there is no other", () => {
    const [fox] = controlled([question("a", "fox"), question("b", "jay", "bird")], "permuted");
    expect(fox.shown!.image_path).toBe("b");
    expect(() => controlled([question("a", "fox"), question("b", "fox")], "permuted")).toThrow(
      "permuted images: every question shows fox",
    );
  });
});
