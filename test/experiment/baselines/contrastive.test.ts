import { describe, expect, it } from "vitest";
import { emojiBenchmark, loadEmojiFgvr } from "../../../lib/benchmark/emoji-fgvr";
import type { Knowledge } from "../../../lib/benchmark/emoji-fgvr/knowledge";
import {
  fewShotBatch,
  fewShotPairs,
  pairSource,
  pretrainingImages,
} from "../../../lib/experiment/baselines/contrastive";
import { drawPairs } from "../../../lib/experiment/baselines/pairs";
import { loadSettings } from "../../../lib/experiment/load-settings";
import type { Pair } from "../../../lib/train/contrastive";

const data = loadEmojiFgvr();
const knowledge = data.concepts.map((concept): Knowledge => ({
  id: concept.id,
  name: concept.name,
  evaluated: concept.domain !== null,
  question: "",
  kind: concept.kind,
  colors: [],
  words: concept.visualWords,
  neighbours: [],
  drawings: data.drawings(concept, "pretraining").map(({ path }) => ({ path, colors: [], shape: [] })),
}));
const benchmark = emojiBenchmark(data, knowledge);
const settings = loadSettings({ scale: "default", environment: {} });
const experiment = { benchmark, settings };
const held = new Set(
  data.concepts.flatMap((concept) =>
    [
      ...data.drawings(concept, "dev"),
      ...data.drawings(concept, "test"),
      ...(concept.split === "unseen" ? data.drawings(concept, "fewshot") : []),
    ].map(({ path }) => path),
  ),
);

describe("what the contrastive baseline is trained on", () => {
  it("never holds a drawing of a dev or test designer, nor a few-shot one of an unseen sub-category", () => {
    const examples = fewShotPairs(experiment);
    expect(examples).toHaveLength(4 * benchmark.subcategories({ split: "seen" }).length);
    const pretraining = pretrainingImages(experiment);
    expect(new Set(pretraining)).toEqual(new Set(knowledge.flatMap((k) => k.drawings.map(({ path }) => path))));
    const images = [...pretraining, ...examples.map((pair) => pair.image)];
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

  it("is of as many sub-categories as the run trains on", () => {
    const few = fewShotPairs({ benchmark, settings: { ...settings, cot: { ...settings.cot, subCategories: 3 } } });
    expect(few).toHaveLength(4 * 3);
    expect(new Set(few.map((pair) => pair.conceptId)).size).toBe(3);
  });

  it.each(["fewshot", "dev", "test"] as const)("refuses a %s drawing where one is slipped in", (role) => {
    const subcategory = benchmark.subcategories({ split: "unseen" }).find((one) => benchmark.images(role, one).length)!;
    const [{ id }] = benchmark.images(role, subcategory);
    const poisoned = [{ ...knowledge[0], drawings: [{ path: id, colors: [], shape: [] }] }, ...knowledge.slice(1)];
    expect(() => pretrainingImages({ benchmark: emojiBenchmark(data, poisoned) })).toThrow(
      `${id}: is a ${role} image, not one of pre-training`,
    );
  });

  it("says what a benchmark lacks that has no pairs of a base's pre-training", () => {
    const photographs = { ...benchmark, name: "pet", extras: undefined, squares: undefined };
    expect(() => pairSource({ benchmark: photographs })).toThrow(
      /^contrastive: pet has no image-text pairs .*zero-shot/,
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
