import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adapterOf, loadTrained, saveTrained, startOfSft } from "../../lib/experiment/adapters";
import { tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { loadModel } from "../../lib/model/checkpoint";
import { isLora, mergeLora, splitAdapter } from "../../lib/model/lora";
import { loadSettings } from "../../lib/experiment/settings";
import { trainSft } from "../../lib/train/sft";
import type { Workbench } from "../../lib/train/workbench";
import { relativeError, toyBench, toySft, values } from "../helpers/tiny";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-adapters-"));
let bench: Workbench;
let base: Params;
beforeAll(async () => {
  ({ bench, params: base } = await toyBench(["a", "b"]));
});
afterAll(() => {
  disposeTree(base);
  bench.dispose();
  fs.rmSync(folder, { recursive: true, force: true });
});

const settings = (...set: string[]) => loadSettings({ scale: "smoke", environment: {}, set });

describe("the setting lora.rank", () => {
  it("is off by default, and takes whole numbers and known layers only", () => {
    expect(adapterOf({ settings: settings(), folder }, "sft")).toBeNull();
    expect(
      adapterOf({ settings: settings("lora.rank=4", "lora.layers=attention"), folder }, "sft")!.lora,
    ).toMatchObject({ rank: 4, alpha: 32, targetModules: ["q_proj", "k_proj", "v_proj", "o_proj"] });
    expect(() => settings("lora.rank=1.5")).toThrow(/whole number of at least 0/);
    expect(() => settings("lora.layers=some")).toThrow(/expected one of all, attention/);
  });

  it("trains the adapter alone; it is saved in PEFT's form and merged, and loads as what was trained", async () => {
    const run = { settings: settings("lora.rank=3"), base, bench, folder };
    const adapter = adapterOf(run, "sft")!;
    const before = tf.memory().numTensors;
    const start = startOfSft(run);
    const conversations = ["a", "b"].map((image) => ({ image, turns: [{ user: "Answer.", assistant: "cat" }] }));
    const { params } = await trainSft(
      start,
      bench,
      { ...toySft, batchSize: 2, epochs: 3, warmupSteps: 0 },
      { conversations, seed: 1, bf16: false },
    );
    const changed = Object.keys(params).filter((name) => relativeError({ x: params[name] }, { x: start[name] }) > 0);
    expect(changed.length).toBeGreaterThan(10);
    expect(changed.every((name) => isLora(name) && !name.endsWith("lora_scaling"))).toBe(true);

    const model = path.join(folder, "models", "sft");
    fs.mkdirSync(path.dirname(model), { recursive: true });
    fs.mkdirSync(path.dirname(adapter.folder), { recursive: true });
    saveTrained(run, model, adapter, params, {});
    expect(fs.readdirSync(adapter.folder).sort()).toEqual(["adapter_config.json", "adapter_model.safetensors"]);
    const again = loadTrained(run, model, adapter);
    expect(values(splitAdapter(again).adapter)).toEqual(values(splitAdapter(params).adapter));
    const merged = loadModel(model).params;
    const expected = mergeLora(params);
    expect(relativeError(merged, expected)).toBeLessThan(1e-6);
    disposeTree(start, params, again, merged, expected);
    expect(tf.memory().numTensors - before).toBeLessThanOrEqual(3); // the bench keeps the plan of two images
  });
});
