import { describe, expect, it } from "vitest";
import { fewShotBatch, fewShotPairs, pretrainingImages } from "../lib/experiment/baselines/contrastive";
import { loadEmojiFgvr } from "../lib/benchmark/emoji-fgvr";
import type { Knowledge } from "../lib/benchmark/emoji-fgvr/knowledge";
import { drawPairs } from "../lib/experiment/baselines/pairs";
import type { Pair } from "../lib/train/contrastive";
import type { Experiment } from "../lib/experiment/experiment";
import { loadSettings } from "../lib/experiment/settings";

const benchmark = loadEmojiFgvr();
const knowledge = benchmark.concepts.map((c): Knowledge => ({
  id: c.id, name: c.name, evaluated: c.domain !== null, question: "", kind: c.kind, colors: [], words: c.visualWords, neighbours: [],
  drawings: benchmark.drawings(c, "pretraining").map((d) => ({ path: d.path, colors: [], shape: [] })),
})); // prettier-ignore
const experiment = {
  benchmark,
  knowledge,
  settings: loadSettings({ scale: "default", environment: {} }),
} as unknown as Experiment;
const held = new Set(
  benchmark.concepts.flatMap((c) =>
    [
      ...benchmark.drawings(c, "dev"),
      ...benchmark.drawings(c, "test"),
      ...(c.split === "unseen" ? benchmark.drawings(c, "fewshot") : []),
    ].map((d) => d.path),
  ),
);

describe("what the contrastive baseline is trained on", () => {
  it("never holds a drawing of a dev or test designer, nor a few-shot one of an unseen sub-category", () => {
    const examples = fewShotPairs(experiment);
    expect(examples).toHaveLength(4 * benchmark.subcategories({ split: "seen" }).length);
    const images = [...pretrainingImages(experiment), ...examples.map((pair) => pair.image)];
    expect(images.filter((image) => held.has(image))).toEqual([]);
    for (let seed = 0; seed < 20; seed++) {
      const batch = fewShotBatch(
        examples,
        (s) => drawPairs(knowledge, { images: 80, named: 80, evaluatedWeight: 2.5 }, s),
        { own: 16, replay: 16 },
        seed,
      );
      expect(batch).toHaveLength(32);
      expect(new Set(batch.map((pair) => pair.conceptId)).size).toBe(32); // no false negatives
      expect(batch.filter((pair) => held.has(pair.image))).toEqual([]);
      expect(batch.slice(0, 16).every((pair) => examples.includes(pair))).toBe(true);
    }
  });

  it("refuses such a drawing where one is slipped in", () => {
    const [test] = benchmark.drawings(benchmark.subcategories()[0], "test");
    const poisoned = [
      { ...knowledge[0], drawings: [{ path: test.path, colors: [], shape: [] }] },
      ...knowledge.slice(1),
    ];
    expect(() => pretrainingImages({ benchmark, knowledge: poisoned })).toThrow(
      `${test.path}: is no drawing of a pre-training designer`,
    );
  });

  it("draws distinct sub-categories even where few are left", () => {
    const two: Pair[] = ["a", "b"].flatMap((id) =>
      [0, 1].map((n) => ({ image: `${id}${n}`, conceptId: id, caption: ` ${id}` })),
    );
    const batch = fewShotBatch(
      two,
      () => [
        { image: "r", conceptId: "b", caption: " b" },
        { image: "s", conceptId: "c", caption: " c" },
      ],
      { own: 4, replay: 4 },
      1,
    );
    expect(batch.map((pair) => pair.conceptId).sort()).toEqual(["a", "b", "c"]);
  });
});
