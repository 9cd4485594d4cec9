import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EvaluationRow } from "../../lib/benchmark/emoji-fgvr";
import { tinyPrompts } from "../../lib/benchmark/prompts";
import { tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { controlledImages, predict, type PredictOptions } from "../../lib/eval/predict";
import { parseRows } from "../../lib/eval/rows";
import type { Workbench } from "../../lib/train/workbench";
import { toyBench } from "../helpers/tiny";

const row = (
  image_path: string,
  concept_id: string,
  domain = "mammal",
  split: "seen" | "unseen" = "seen",
): EvaluationRow => ({
  image_path,
  question: "What animal is this?",
  ground_truth: `name ${concept_id}`,
  domain,
  split,
  setting: "open",
  designer: "d",
  concept_id,
});
const rows: EvaluationRow[] = [
  row("a", "1"),
  { ...row("b", "2"), setting: "closed", options: ["cat", "dog"] },
  row("c", "3"),
];
const options: PredictOptions = {
  method: "sft",
  seed: 2,
  reason: false,
  prompts: tinyPrompts,
  maxNewTokens: 8,
  batchSize: 8,
};
let bench: Workbench;
let params: Params;
beforeAll(async () => ({ bench, params } = await toyBench()) as never);
afterAll(() => {
  disposeTree(params);
  bench.dispose();
});

describe("controlledImages", () => {
  it("gives every row its own image, none, or one of another sub-category of its domain and split", () => {
    const many = ["1", "1", "2", "2", "3", "3"].flatMap((concept, i) => [
      row(`m${i}`, concept),
      row(`b${i}`, concept, "bird"),
      row(`u${i}`, concept, "mammal", "unseen"),
    ]);
    expect(controlledImages(many, "own")).toEqual(many.map((r) => r.image_path));
    expect(controlledImages(many, "none")).toEqual(many.map(() => null));
    const permuted = controlledImages(many, "permuted");
    permuted.forEach((image, i) => {
      const from = many.find((r) => r.image_path === image)!;
      expect([from.domain, from.split]).toEqual([many[i].domain, many[i].split]);
      expect(from.concept_id).not.toBe(many[i].concept_id);
    });
    expect(new Set(permuted).size).toBeGreaterThan(6);
    expect(() => controlledImages([row("a", "1"), row("b", "1")], "permuted")).toThrow("every row shows");
  });
});

describe("predict", () => {
  it("leaves rows that score on their own, in order", async () => {
    const done: number[][] = [];
    const out = await predict(params, bench, rows, {
      ...options,
      batchSize: 2,
      onBatch: (n, total) => void done.push([n, total]),
    });
    expect(out.map((r) => r.image_path)).toEqual(["a", "b", "c"]);
    expect(out[1]).toMatchObject({
      method: "sft",
      seed: 2,
      domain: "mammal",
      split: "seen",
      setting: "closed",
      options: ["cat", "dog"],
      ground_truth: "name 2",
      designer: "d",
    });
    expect("options" in out[0]).toBe(false);
    expect(out.every((r) => r.output_tokens! >= 1 && r.output_tokens! <= 8)).toBe(true);
    expect(done).toEqual([
      [2, 3],
      [3, 3],
    ]);
    const lines = out.map((r) => `${JSON.stringify(r)}\n`).join("");
    expect(parseRows(new TextEncoder().encode(lines), "x").skipped).toEqual([]);
  });

  it("does not depend on the batch size nor on the seed, and leaks nothing", async () => {
    const outputs = async (change: Partial<PredictOptions>): Promise<string[]> =>
      (await predict(params, bench, rows, { ...options, ...change })).map((r) => r.output);
    const first = await outputs({});
    expect(await outputs({ batchSize: 1 })).toEqual(first);
    const before = tf.memory().numTensors;
    expect(await outputs({ seed: 9 })).toEqual(first);
    expect(tf.memory().numTensors).toBe(before);
    expect(await outputs({ reason: true })).not.toEqual(first);
  });

  it("asks without the image where the control says so: the answer is the same whatever the image", async () => {
    const same = [rows[0], { ...rows[0], image_path: "b" }, { ...rows[0], image_path: "c" }];
    const outputs = (await predict(params, bench, same, { ...options, control: "none" })).map((r) => r.output);
    expect(new Set(outputs).size).toBe(1);
    const seen = (await predict(params, bench, same, options)).map((r) => r.output);
    expect(new Set(seen).size).toBeGreaterThan(1);
  });
});
