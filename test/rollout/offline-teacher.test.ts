import { expect, it } from "vitest";
import { tf } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { observe, parseDescription, type TeacherImage } from "../../lib/cot/offline-teacher";
import { trainSft } from "../../lib/train/sft";
import { tinyPrompts } from "../../lib/benchmark/prompts";
import { toyBench, toySft } from "../helpers/tiny";

it("parseDescription keeps the words after the colours, once each", () => {
  expect(parseDescription(" red white, head snout tusks.")).toEqual(["head", "snout", "tusks"]);
  expect(parseDescription(" red, tail tail Ears 3d ears. ")).toEqual(["tail", "ears"]);
  expect(parseDescription(" red white.")).toEqual([]);
  expect(parseDescription("")).toEqual([]);
});

it("observes images in order, as often as asked, from pixels and question alone, the same for the same seed", async () => {
  const { bench, params } = await toyBench(["a", "b", "c"]);
  const question = "What animal is this?";
  const conversations = ["a", "b", "c"].flatMap((image) => [
    { image, turns: [{ user: "Describe.", assistant: " red, ears tail." }] },
    { image, turns: [{ user: tinyPrompts.direct(question), assistant: "<answer> cat</answer>" }] },
  ]);
  const { params: trained } = await trainSft(
    params,
    bench,
    { ...toySft, batchSize: 6, epochs: 50, learningRate: 1e-2 },
    { conversations, seed: 0, bf16: false },
  );
  const images = ["a", "b", "c"].map((image, i): TeacherImage => ({
    image,
    concept: `id-${i}`,
    domain: "mammal",
    question,
    colors: ["red"],
  }));
  const done: number[] = [];
  const options = { descriptions: 2, beliefs: 3, seed: 5, batchSize: 2, onBatch: (n: number) => void done.push(n) };
  const seen = await observe(trained, bench, images, options);
  expect(seen.map((o) => [o.image, o.concept, o.descriptions.length])).toEqual([
    ["a", "id-0", 2],
    ["b", "id-1", 2],
    ["c", "id-2", 2],
  ]);
  expect(done).toEqual([2, 3]);
  expect(seen.some((o) => (o.beliefs.get("cat") ?? 0) > 0)).toBe(true);
  expect(seen.every((o) => [...o.beliefs.values()].reduce((a, b) => a + b, 0) <= 3)).toBe(true);
  expect(seen.flatMap((o) => o.descriptions.flat())).toContain("ears");
  const before = tf.memory().numTensors;
  const blind = await observe(
    trained,
    bench,
    images.map((image) => ({ ...image, concept: "other" })),
    options,
  ); // the label does not reach the teacher
  expect(blind.map(({ descriptions, beliefs }) => ({ descriptions, beliefs }))).toEqual(
    seen.map(({ descriptions, beliefs }) => ({ descriptions, beliefs })),
  );
  expect(tf.memory().numTensors).toBe(before);
  disposeTree(params, trained);
  bench.dispose();
});
