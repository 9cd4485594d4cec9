/** Evaluation of the shipped base, small: what a stop leaves, and what the next call makes of it. */
import { appendFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isNative, tf } from "../../lib/engine/tensorflow";
import { evaluate, evaluationQuestions } from "../../lib/experiment/evaluate";
import { askedQuestions, evaluateModel } from "../../lib/experiment/evaluate-any";
import { openExperiment, variantOf } from "../../lib/experiment/open";
import { loadSettings } from "../../lib/experiment/load-settings";
import type { Settings } from "../../lib/experiment/settings";
import type { Experiment } from "../../lib/experiment/types";
import { temporaryFolder } from "../benchmark/photographs/trees";

const settings = loadSettings({
  scale: "smoke",
  run: `evaluate-test-${process.pid}`,
  environment: {},
  set: ["eval.limit=5", "eval.batchSize=4", "eval.maxNewTokens=6"],
});
const folder = temporaryFolder();

describe.skipIf(!isNative)("evaluate", () => {
  let experiment: Experiment;
  let asked: string[][];
  beforeAll(async () => void (experiment = await openExperiment(settings)), 120_000);
  afterAll(() => {
    experiment.close();
    expect(tf.memory().numTensors).toBe(0);
  });

  /** The experiment in a folder of its own; `asked` gets the images of each batch. */
  function at(name: string, changed: Settings = settings): Experiment {
    asked = [];
    const own = variantOf(experiment, { settings: changed, folder: path.join(folder, name) });
    const bench: Experiment["bench"] = {
      ...experiment.bench,
      features: (params, images, ...rest) => {
        asked.push([...images]);
        return experiment.bench.features(params, images, ...rest);
      },
    };
    return Object.create(own, { bench: { value: bench } }) as Experiment;
  }
  const bytes = (name: string): string => readFileSync(path.join(folder, name, "predictions/base.jsonl"), "utf8");
  const files = (name: string): string[] => readdirSync(path.join(folder, name, "predictions")).sort();
  const stopped = async (name: string, after: number, changed?: Settings): Promise<void> => {
    const stop = new AbortController();
    const onProgress = (done: number): void => {
      if (done === after) stop.abort(new Error("interrupted"));
    };
    await expect(evaluate(at(name, changed), "base", { signal: stop.signal, onProgress })).rejects.toThrow(
      /^interrupted$/,
    );
  };

  it("asks every question of both worlds once, in batches, and is loaded the second time", async () => {
    const { questions } = await evaluationQuestions(experiment);
    const rows = await evaluate(at("whole"), "base");
    const names = questions.map(({ image_path }) => image_path);
    expect(rows.map((row) => row.image_path)).toEqual(names);
    expect(rows.map((row) => row.setting)).toEqual([
      ...Array<string>(5).fill("closed"),
      ...Array<string>(5).fill("open"),
    ]);
    expect(asked).toEqual([names.slice(0, 4), names.slice(4, 8), names.slice(8)]);
    expect(files("whole")).toEqual(["base.jsonl", "base.jsonl.stamp"]);
    expect(await evaluate(at("whole"), "base")).toEqual(rows);
    expect(asked).toEqual([]);
  });

  it.each([4, 8])(
    "goes on in the same batches where it was stopped after %i rows, and gives the same log",
    async (after) => {
      await evaluate(at("whole"), "base");
      const name = `stopped-${after}`;
      await stopped(name, after);
      expect(files(name).filter((file) => !file.includes(".partial"))).toEqual([]); // nothing that counts as finished
      const [partial] = files(name).filter((file) => file.endsWith(".partial"));
      appendFileSync(path.join(folder, name, "predictions", partial), '{"row":'); // a line that a kill cut off
      const rows = await evaluate(at(name), "base");
      const { questions } = await evaluationQuestions(experiment);
      const names = questions.map(({ image_path }) => image_path);
      expect(asked).toEqual([names.slice(0, 4), names.slice(4, 8), names.slice(8)].slice(after / 4));
      expect(bytes(name)).toBe(bytes("whole"));
      expect(rows).toEqual(await evaluate(at("whole"), "base"));
      expect(files(name)).toEqual(["base.jsonl", "base.jsonl.stamp"]);
    },
  );

  it("begins anew where settings were changed after the stop", async () => {
    await stopped("changed", 4);
    const longer = { ...settings, eval: { ...settings.eval, maxNewTokens: 7 } };
    const rows = await evaluate(at("changed", longer), "base");
    expect(asked.flat()).toHaveLength(10);
    expect(rows).toEqual(await evaluate(at("changed-whole", longer), "base"));
  });

  it("keeps a control apart, and shows it other images", async () => {
    const { questions } = await evaluationQuestions(experiment);
    const rows = await evaluate(at("control"), "base", { control: "permuted" });
    expect(rows.map((row) => row.image_path)).toEqual(questions.map(({ image_path }) => image_path));
    asked.flat().forEach((image, i) => expect(image).not.toBe(questions[i].image_path));
    expect(new Set(rows.map((row) => row.method))).toEqual(new Set(["base-permuted-images"]));
    expect(readdirSync(path.join(folder, "control/controls")).sort()).toEqual([
      "base-permuted-images.jsonl",
      "base-permuted-images.jsonl.stamp",
    ]);
    expect(existsSync(path.join(folder, "control/predictions"))).toBe(false);
  });

  it("names the adapter that is not there, and frees the model", async () => {
    const questions = await askedQuestions(experiment, { setting: "open" });
    const before = tf.memory().numTensors;
    const answered = evaluateModel(experiment, questions, {
      out: path.join(folder, "adapter.jsonl"),
      method: "x",
      reason: false,
      adapter: path.join(folder, "nowhere"),
    });
    await expect(answered).rejects.toThrow(/no adapter_config\.json there; name a folder of PEFT.s files/);
    expect(tf.memory().numTensors).toBe(before);
    expect(existsSync(path.join(folder, "adapter.jsonl"))).toBe(false);
  });
});
