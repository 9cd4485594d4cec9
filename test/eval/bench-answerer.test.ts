/** A model at a bench as the answerer of `runEvaluation`. */
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tinyPrompts } from "../../lib/benchmark/prompts";
import type { Question, Split } from "../../lib/benchmark/types";
import { tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { benchAnswerer, type BenchAnswererOptions } from "../../lib/eval/bench-answerer";
import { controlled } from "../../lib/eval/controls";
import { parseRows } from "../../lib/eval/rows";
import { runEvaluation, type RunOptions, type RunResult } from "../../lib/eval/runner";
import type { Workbench } from "../../lib/train/workbench";
import { temporaryFolder } from "../benchmark/photographs/trees";
import { toyBench } from "../helpers/tiny";

const folder = temporaryFolder();
const question = (image_path: string, name: string, split: Split = "seen"): Question => ({
  image_path,
  question: "What animal is this?",
  ground_truth: `name ${name}`,
  domain: "mammal",
  split,
  setting: "open",
  designer: "d",
  image: `/x/${image_path}`,
  where: `toy, ${image_path}`,
});
const questions: Question[] = [
  question("a", "1"),
  { ...question("b", "2"), setting: "closed", options: ["cat", "dog"] },
  question("c", "3"),
];
let bench: Workbench;
let params: Params;
beforeAll(async () => void ({ bench, params } = await toyBench()));
afterAll(() => {
  disposeTree(params);
  bench.dispose();
});

type Change = Partial<BenchAnswererOptions> & Partial<RunOptions> & { at?: Workbench };
let runs = 0;
function evaluate(asked: readonly Question[], { at = bench, ...change }: Change = {}): Promise<RunResult> {
  const common = { seed: 2, maxNewTokens: 8 };
  const answerer = benchAnswerer(params, at, { identity: {}, batchSize: 8, ...common, ...change });
  return runEvaluation({ name: "toy", questions: [...asked], skipped: [] }, answerer, {
    out: path.join(folder, `${runs++}.jsonl`),
    method: "sft",
    prompts: tinyPrompts,
    reason: false,
    ...common,
    ...change,
  });
}
const outputs = async (asked: readonly Question[], change: Change = {}): Promise<string[]> =>
  (await evaluate(asked, change)).rows.map((row) => row.output);

describe("benchAnswerer", () => {
  it("leaves rows that score on their own, in order", async () => {
    const done: number[][] = [];
    const out = path.join(folder, "rows.jsonl");
    const { rows } = await evaluate(questions, {
      out,
      batchSize: 2,
      onProgress: (n, total) => void done.push([n, total]),
    });
    expect(rows.map((row) => row.image_path)).toEqual(["a", "b", "c"]);
    expect(rows[1]).toMatchObject({
      method: "sft",
      seed: 2,
      domain: "mammal",
      split: "seen",
      setting: "closed",
      options: ["cat", "dog"],
      ground_truth: "name 2",
      designer: "d",
    });
    expect("options" in rows[0]).toBe(false);
    expect(rows.every((row) => row.output_tokens! >= 1 && row.output_tokens! <= 8)).toBe(true);
    expect(done).toEqual([
      [0, 3],
      [2, 3],
      [3, 3],
    ]);
    const read = parseRows(readFileSync(out), "x");
    expect(read.skipped).toEqual([]);
    expect(read.rows).toEqual(rows);
  });

  it("does not depend on the batch size nor on the seed, and leaks nothing", async () => {
    const first = await outputs(questions);
    expect(await outputs(questions, { batchSize: 1 })).toEqual(first);
    const before = tf.memory().numTensors;
    expect(await outputs(questions, { seed: 9 })).toEqual(first);
    expect(tf.memory().numTensors).toBe(before);
    expect(await outputs(questions, { reason: true })).not.toEqual(first);
  });

  it("asks without the image where the control says so: the answer is the same whatever the image", async () => {
    const same = ["a", "b", "c"].map((image) => ({ ...questions[0], image_path: image }));
    expect(new Set(await outputs(controlled(same, "none"))).size).toBe(1);
    expect(new Set(await outputs(same)).size).toBeGreaterThan(1);
  });

  it("shows the image that a control puts in place of the question's own, under the question's name", async () => {
    const [a, b] = [questions[0], { ...questions[0], image_path: "b" }];
    const shown = { ...a, shown: { image_path: "b", image: "/x/b" } };
    const { rows } = await evaluate([shown]);
    expect(rows[0].image_path).toBe("a");
    expect([rows[0].output]).toEqual(await outputs([b]));
    expect(await outputs([a])).not.toEqual(await outputs([b]));
  });

  it("names the image of a batch that cannot be read, and answers the others as it would without it", async () => {
    const images = {
      ...bench.images,
      load: (names: readonly string[]) =>
        names.includes("b") ? Promise.reject(new Error("b: cut off")) : bench.images.load(names),
    };
    const at = { ...bench, images };
    const { rows, skipped } = await evaluate(questions, { at, onBadRow: "skip" });
    expect(skipped).toEqual([{ where: "toy, b", reason: "b: cut off" }]);
    expect(rows.map((row) => row.output)).toEqual(await outputs([questions[0], questions[2]]));
    await expect(evaluate(questions, { at, onBadRow: "stop" })).rejects.toThrow(/^toy, b: b: cut off; mend it/);
  });

  it("goes on in the same batches after a stop at any of them, and ends with the same rows", async () => {
    const many = Array.from({ length: 7 }, (_, i) => question("abc"[i % 3], String(i)));
    const whole = (await evaluate(many, { batchSize: 3 })).rows;
    for (const stopAfter of [3, 6]) {
      const out = path.join(folder, `stopped-${stopAfter}.jsonl`);
      const stop = new AbortController();
      const onProgress = (done: number): void => {
        if (done === stopAfter) stop.abort(new Error("interrupted"));
      };
      await expect(evaluate(many, { out, batchSize: 3, signal: stop.signal, onProgress })).rejects.toThrow(
        /^interrupted$/,
      );
      const asked: string[][] = [];
      const at: Workbench = {
        ...bench,
        features: (p, images) => {
          asked.push([...images]);
          return bench.features(p, images);
        },
      };
      const { rows, resumed } = await evaluate(many, { out, batchSize: 3, at });
      expect(resumed).toBe(stopAfter);
      expect(asked).toEqual([["a", "b", "c"], ["a", "b", "c"], ["a"]].slice(stopAfter / 3));
      expect(rows).toEqual(whole);
    }
  });

  it("computes a batch of which one row is missing with the rows beside it, and keeps the finished rows", async () => {
    const out = path.join(folder, "beside.jsonl");
    const broken = {
      ...bench.images,
      load: (names: readonly string[]) =>
        names.includes("b") ? Promise.reject(new Error("b: cut off")) : bench.images.load(names),
    };
    await evaluate(questions, { out, at: { ...bench, images: broken }, onBadRow: "skip" });
    const before = readFileSync(out, "utf8");
    const asked: string[][] = [];
    const at: Workbench = {
      ...bench,
      features: (p, images) => {
        asked.push([...images]);
        return bench.features(p, images);
      },
    };
    const { rows, resumed } = await evaluate(questions, { out, at });
    expect([resumed, asked]).toEqual([2, [["a", "b", "c"]]]);
    expect(readFileSync(out, "utf8").startsWith(before)).toBe(true);
    expect(rows.map((row) => row.output)).toEqual(await outputs(questions));
  });
});
