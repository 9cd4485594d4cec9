import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Benchmark } from "../../lib/benchmark/types";
import { tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree, mapParams } from "../../lib/engine/tree";
import {
  loraConfig,
  placesOf,
  resultFolder,
  startOfTraining,
  trainedModel,
  type Training,
} from "../../lib/experiment/models";
import { loadSettings } from "../../lib/experiment/load-settings";
import type { Watch } from "../../lib/experiment/stage";
import type { Experiment } from "../../lib/experiment/types";
import { loadModel } from "../../lib/model/checkpoint";
import { isLora, mergeLora, splitAdapter } from "../../lib/model/lora";
import { trainSft, type SftLog } from "../../lib/train/sft";
import type { Workbench } from "../../lib/train/workbench";
import { temporaryFolder } from "../benchmark/photographs/trees";
import { relativeError, toyBench, toySft, values } from "../helpers/tiny";

const folder = temporaryFolder();
let bench: Workbench;
let base: Params;
beforeAll(async () => {
  ({ bench, params: base } = await toyBench(["a", "b"]));
});
afterAll(() => {
  disposeTree(base);
  bench.dispose();
});

const settings = (...set: string[]) => loadSettings({ scale: "smoke", environment: {}, set });
const benchmark = {
  name: "toys",
  title: "Toys",
  fingerprint: "f".repeat(64),
  splitSource: "none",
  subcategories: () => [],
} as unknown as Benchmark;

/** An experiment on the toy model; processor files of its checkpoints are the shipped base's. */
function experimentOf(name: string, ...set: string[]): Experiment {
  return {
    settings: settings(...set),
    benchmark,
    bf16: false,
    folder: path.join(folder, name),
    config: bench.config,
    generationConfig: {},
    bench,
    say: () => undefined,
    takeBase: () => mapParams(base, (p) => p.clone()),
  } as unknown as Experiment;
}

/** A short SFT on two images, and how often it ran. */
function training(experiment: Experiment): Training<SftLog> & { runs: number; start: Params | null } {
  const conversations = ["a", "b"].map((image) => ({ image, turns: [{ user: "Answer.", assistant: "cat" }] }));
  const one: Training<SftLog> & { runs: number; start: Params | null } = {
    method: "sft",
    settings: ["lora"],
    saving: { saveSteps: 0, saveTotalLimit: 1, visionLearningRateScale: 1 },
    images: () => "two toys",
    runs: 0,
    start: null,
    watch: {},
    note: ({ loss }) => `loss ${loss!.toFixed(1)}`,
    train: ({ checkpointing, onResume, onStep }) => {
      one.runs++;
      one.start = startOfTraining(experiment);
      const toy = { ...toySft, batchSize: 2, epochs: 3, warmupSteps: 0 };
      return trainSft(one.start, bench, toy, {
        conversations,
        seed: 1,
        bf16: false,
        checkpointing,
        signal: one.watch.signal,
        onResume,
        onStep,
      });
    },
  };
  return one;
}

describe("the setting lora.rank", () => {
  it("is off by default, and takes whole numbers and known layers only", () => {
    expect(loraConfig(settings())).toBeNull();
    expect(loraConfig(settings("lora.rank=4", "lora.layers=attention"))).toMatchObject({
      rank: 4,
      alpha: 32,
      targetModules: ["q_proj", "k_proj", "v_proj", "o_proj"],
      baseModel: "data/base",
    });
    expect(loraConfig(settings("lora.rank=4"))).toMatchObject({ targetModules: "all-linear" });
    expect(() => settings("lora.rank=1.5")).toThrow(/whole number of at least 0/);
    expect(() => settings("lora.layers=some")).toThrow(/expected one of all, attention/);
  });
});

describe("trainedModel", () => {
  it("trains the adapter alone; it is saved in PEFT's form and merged, and loads as what was trained", async () => {
    const experiment = experimentOf("adapter", "lora.rank=3");
    const before = tf.memory().numTensors;
    const one = training(experiment);
    const { params, log } = await trainedModel(experiment, one);
    const start = one.start!;
    const changed = Object.keys(params).filter((name) => relativeError({ x: params[name] }, { x: start[name] }) > 0);
    expect(changed.length).toBeGreaterThan(10);
    expect(changed.every((name) => isLora(name) && !name.endsWith("lora_scaling"))).toBe(true);

    const places = placesOf(experiment.folder, "sft");
    const adapterFiles = ["README.md", "adapter_config.json", "adapter_model.safetensors"];
    expect(fs.readdirSync(places.adapter).sort()).toEqual(adapterFiles);
    expect(fs.readFileSync(path.join(places.adapter, "README.md"), "utf8")).toContain("3 steps, on two toys");
    const again = await trainedModel(experiment, one);
    expect([one.runs, again.log.length, log.length]).toEqual([1, 3, 3]);
    expect(again.log).toEqual(log);
    expect(values(splitAdapter(again.params).adapter)).toEqual(values(splitAdapter(params).adapter));
    expect(resultFolder(experiment, "sft")).toBe(places.adapter);
    const merged = loadModel(places.model).params;
    const expected = mergeLora(params);
    expect(relativeError(merged, expected)).toBeLessThan(1e-6);
    disposeTree(start, params, again.params, merged, expected);
    expect(tf.memory().numTensors - before).toBeLessThanOrEqual(3); // the bench keeps the plan of two images
  });

  it("says after which step an ended training goes on, and shows the metrics of the steps before it", async () => {
    const said: string[] = [];
    const experiment = { ...experimentOf("ended"), say: (text: string) => void said.push(text) };
    const one = training(experiment);
    const abort = new AbortController();
    const steps: number[] = [];
    const seen: [number, string][] = [];
    const onMetrics: Watch["onMetrics"] = (step, { loss }) => {
      steps.push(step);
      expect(loss).toBeGreaterThan(0);
    };
    one.watch = { signal: abort.signal, onMetrics, onProgress: (done) => void (done === 1 && abort.abort()) };
    await expect(trainedModel(experiment, one)).rejects.toThrow();
    expect([steps, said]).toEqual([[1], []]);
    one.watch = { onMetrics, onProgress: (done, _total, note) => void seen.push([done, note]) };
    const { params, log } = await trainedModel(experiment, one);
    expect(said).toEqual(["sft: goes on after step 1 of 3"]);
    expect(steps).toEqual([1, 1, 2, 3]);
    expect(seen).toEqual([1, 2, 3].map((step) => [step, `loss ${log[step - 1].loss!.toFixed(1)}`]));
    disposeTree(params);
  });

  it("without a rank trains and saves the whole model alone, once for the same settings", async () => {
    const experiment = experimentOf("whole");
    const one = training(experiment);
    const { params } = await trainedModel(experiment, one);
    const places = placesOf(experiment.folder, "sft");
    expect([fs.existsSync(places.model), fs.existsSync(places.adapter)]).toEqual([true, false]);
    const changed = Object.keys(params).filter(
      (name) => relativeError({ x: params[name] }, { x: one.start![name] }) > 0,
    );
    expect(changed.some((name) => name.startsWith("visual."))).toBe(true);
    expect(changed.some((name) => !name.startsWith("visual."))).toBe(true);
    const again = await trainedModel(experiment, one);
    expect(one.runs).toBe(1);
    expect(values(again.params)).toEqual(values(params));
    disposeTree(one.start!, params, again.params);
  });
});
