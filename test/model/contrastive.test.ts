import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Pair } from "../../lib/train/contrastive";
import { tf } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import {
  contrastiveConfig,
  embedTexts,
  initContrastive,
  loadContrastive,
  saveContrastive,
  textInputs,
} from "../../lib/model/contrastive";
import { trainContrastive, type ContrastiveRun } from "../../lib/train/contrastive";
import { loadImageBank } from "../../lib/train/images";
import { SIDE, toyConfig, toyPixels, toyProcessor, values } from "../helpers/tiny";

const folder = mkdtempSync(join(tmpdir(), "contrastive-"));
afterAll(() => rmSync(folder, { recursive: true }));
const processor = toyProcessor();
const config = contrastiveConfig(toyConfig(processor), 1, 16, 8);
const encode = (text: string): number[] => processor.tokenizer.encode(text);

describe("the text tower", () => {
  it("reads a text alike whatever stands beside it and however far it is padded", () => {
    const params = initContrastive(config, 1);
    const embed = (texts: string[], maxTokens = 8): number[][] => {
      const inputs = textInputs(texts, { ...config, maxTokens }, encode);
      const rows = embedTexts(params, config, inputs);
      const out = rows.arraySync() as number[][];
      disposeTree(inputs, rows);
      return out;
    };
    const [fox] = embed([" red fox"]);
    expect(Math.hypot(...fox)).toBeCloseTo(1, 4);
    const [again, cat] = embed([" red fox", " cat"], 12);
    again.forEach((x, i) => expect(x).toBeCloseTo(fox[i], 4));
    expect(fox.reduce((sum, x, i) => sum + x * cat[i], 0)).toBeLessThan(0.999);
    const long = textInputs([" cat dog red fox cat dog red fox cat dog"], config, encode);
    expect((long.endIndex.dataSync() as Int32Array)[0]).toBe(7); // cut, its end token kept
    expect((long.inputIds.dataSync() as Int32Array)[7]).toBe(config.towers.eosTokenId);
    disposeTree(long, params);
  });
});

describe("trainContrastive", () => {
  const captions = [" cat", " dog", " red fox", " white"];
  const pairs: Pair[] = captions.map((caption, i) => ({ image: `image ${i}`, conceptId: `${i}`, caption }));
  const run = async (change: Partial<ContrastiveRun> = {}): Promise<ContrastiveRun> => ({
    config,
    processor,
    bank: await loadImageBank(
      pairs.map((p) => p.image),
      SIDE,
      (path) => Promise.resolve(toyPixels(path)),
    ),
    loss: "sigmoid",
    steps: 40,
    learningRate: 3e-3,
    visionLearningRateScale: 1,
    weightDecay: 0,
    warmupSteps: 2,
    maxGradNorm: 1,
    augmentation: 0,
    mayMirror: () => false,
    auxiliary: { weight: 0.2, concepts: ["0", "1", "2", "3"] },
    seed: 5,
    bf16: false,
    pairs: () => pairs,
    ...change,
  });

  it.each(["sigmoid", "softmax"] as const)(
    "learns which text belongs to which image (%s), keeps what it was given, and leaks nothing",
    async (loss) => {
      const options = await run({ loss });
      const initial = initContrastive(config, 2);
      const before = values(initial);
      const tensors = tf.memory().numTensors;
      const { params, log } = await trainContrastive(initial, options);
      expect(tf.memory().numTensors).toBe(tensors + Object.keys(params).length);
      expect(Object.keys(params).sort()).toEqual(Object.keys(initial).sort()); // the concept head is gone
      expect(values(initial)).toEqual(before);
      expect(log).toHaveLength(40);
      expect(log[39].loss).toBeLessThan(log[0].loss);
      expect(log[39].matched).toBe(1);
      disposeTree(params, initial);
      options.bank.dispose();
    },
  );

  it("refuses an image that is not among its own, and leaves no tensor then", async () => {
    const options = await run({
      pairs: () => [...pairs.slice(1), { image: "a test drawing", conceptId: "0", caption: " cat" }],
    });
    const initial = initContrastive(config, 2);
    const tensors = tf.memory().numTensors;
    await expect(trainContrastive(initial, options)).rejects.toThrow("a test drawing was not loaded");
    expect(tf.memory().numTensors).toBe(tensors);
    disposeTree(initial);
    options.bank.dispose();
  });
});

describe("saving", () => {
  it("gives back the same model, and says what is wrong with another", () => {
    const params = initContrastive(config, 3);
    const dir = join(folder, "model");
    saveContrastive(dir, config, params, { "tokenizer.json": "{}" });
    const loaded = loadContrastive(dir);
    expect(loaded.config).toEqual(config);
    expect(values(loaded.params)).toEqual(values(params));
    const tensors = tf.memory().numTensors;
    expect(() => saveContrastive(dir, { ...config, projectionDim: 8 }, params)).toThrow(
      "visual_projection.weight has shape [16, 32]; the configuration asks for [8, 32]",
    );
    const json = JSON.parse(readFileSync(join(dir, "config.json"), "utf8")) as Record<string, unknown>;
    writeFileSync(join(dir, "config.json"), JSON.stringify({ ...json, projection_dim: 8 }));
    expect(() => loadContrastive(dir)).toThrow(
      "tensor visual_projection.weight is [16, 32]; config.json asks for [8, 32]",
    );
    writeFileSync(join(dir, "config.json"), JSON.stringify({ ...json, max_tokens: "many" }));
    expect(() => loadContrastive(dir)).toThrow('max_tokens is "many"; a positive integer expected');
    expect(() => loadContrastive("data/base")).toThrow("fine-r1-contrastive expected");
    expect(tf.memory().numTensors).toBe(tensors);
    const other = join(folder, "other");
    mkdirSync(other);
    writeFileSync(join(other, "notes.txt"), "mine");
    expect(() => saveContrastive(other, config, params)).toThrow("is no contrastive model");
    expect(existsSync(join(other, "notes.txt"))).toBe(true);
    disposeTree(params, loaded.params);
  });
});
