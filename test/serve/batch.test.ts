/** The decoding batch: whoever joins and leaves, a row's tokens and scores are those it has alone. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kernelInstructionSet } from "../../lib/engine/kernels";
import { tf } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { loadModel } from "../../lib/model/checkpoint";
import type { ModelConfig } from "../../lib/model/config";
import { initParams } from "../../lib/model/init";
import type { Message } from "../../lib/processor/chat-template";
import { loadProcessor } from "../../lib/processor/processor";
import { argmax } from "../../lib/rollout/sample";
import { createTextGenerator } from "../../lib/rollout/text-generator";
import type { PromptRow } from "../../lib/rollout/types";
import { createBatch, type Batch, type BatchRow } from "../../lib/serve/batch";
import { createImageEncoder, hostPrompt, type HostPrompt } from "../../lib/serve/prompt";
import { imageFile, modelDir } from "./served";

const { config, params, generationConfig } = loadModel(modelDir);
const processor = loadProcessor(modelDir);
const encode = createImageEncoder(config, {});
const V = config.text.vocabSize;
const banned = [config.imageTokenId, config.videoTokenId];

/** Prompts of different lengths, with an image and without. */
const asked: Message[][] = [
  [
    {
      role: "user",
      content: [
        { type: "image", image: "image 0" },
        { type: "text", text: "Which is larger?" },
      ],
    },
  ],
  [{ role: "user", content: "a" }],
  [{ role: "user", content: "A much longer question about the size of things, and their colours. ".repeat(6) }],
];
let prompts: HostPrompt[];
beforeAll(async () => {
  const image = { bytes: readFileSync(imageFile("ragged")), param: "image" };
  prompts = await Promise.all(
    asked.map((messages, i) => hostPrompt(config, processor, { messages, images: i === 0 ? [image] : [] }, 1e9)),
  );
});
afterAll(() => disposeTree(params));

interface Row extends BatchRow {
  tokenIds: number[];
  scores: Float32Array[];
}

/** A greedy row of so many tokens that keeps all it sees. */
function greedyRow(tokens: number): Row {
  const row: Row = {
    tokenIds: [],
    scores: [],
    get open() {
      return row.tokenIds.length < tokens;
    },
    choose: (logits, start) => {
      row.tokenIds.push(argmax(logits, start, V, banned));
      row.scores.push(logits.slice(start, start + V));
    },
  };
  return row;
}

/** Adds rows of prompt `i`. */
function add(batch: Batch, i: number, ...rows: Row[]): void {
  const features = encode(params, prompts[i].images);
  const read = batch.read(prompts[i].row, features);
  rows.forEach((row) => row.choose(read.logits, 0));
  batch.join(read, rows);
  disposeTree(features, read.keys, read.values);
}

function alone(i: number, tokens: number, slots: number): Row {
  const batch = createBatch(config, params, slots);
  const row = greedyRow(tokens);
  add(batch, i, row);
  while (row.open) batch.step();
  batch.dispose();
  return row;
}

/** Largest difference of two rows' scores. */
const difference = (a: Row, b: Row): number =>
  Math.max(
    ...a.scores.map((scores, t) => scores.reduce((most, x, i) => Math.max(most, Math.abs(x - b.scores[t][i])), 0)),
  );

describe("createBatch", () => {
  it("a row's tokens are those of the generator, prompt with an image or without", () => {
    const generator = createTextGenerator(config, processor, generationConfig);
    for (const [i, { row, images }] of prompts.entries()) {
      const prompt = { inputIds: [...row.inputIds], images: [...images] };
      const { tokenIds } = generator.generateFromPrompt(params, prompt, {
        maxNewTokens: 40,
        temperature: 0,
        repetitionPenalty: 1,
        eosTokenIds: [],
      });
      expect(alone(i, 40, 1).tokenIds).toEqual(tokenIds);
    }
  });

  it("rows that come and go beside it change nothing of a row", () => {
    const before = tf.memory().numTensors;
    const batch = createBatch(config, params, 6);
    const [first, second, third] = [greedyRow(90), greedyRow(50), greedyRow(20)];
    const [pair, one] = [[greedyRow(7), greedyRow(33)], greedyRow(1)];
    const steps = (n: number): void => Array.from({ length: n }).forEach(() => batch.step());
    add(batch, 2, first);
    steps(5);
    add(batch, 1, ...pair);
    expect(batch.free).toBe(3);
    steps(4);
    add(batch, 0, second);
    add(batch, 0, one); // ended with its first token: needs no slot
    expect(batch.free).toBe(2);
    steps(30);
    expect(batch.free).toBe(4);
    add(batch, 1, third);
    while (first.open) batch.step();
    const rows = [first, second, third, ...pair, one];
    expect(rows.map((row) => row.open)).toEqual(rows.map(() => false));
    [2, 0, 1, 1, 1, 0].forEach((prompt, r) => {
      const own = alone(prompt, rows[r].tokenIds.length, 1);
      expect(rows[r].tokenIds).toEqual(own.tokenIds);
      expect(difference(rows[r], own)).toBeLessThan(1e-4);
    });
    expect(new Set(first.tokenIds).size).toBeGreaterThan(5); // the model says something
    batch.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("refuses more rows than it has slots for", () => {
    const batch = createBatch(config, params, 2);
    const before = tf.memory().numTensors;
    add(batch, 1, greedyRow(5));
    expect(() => add(batch, 1, greedyRow(5), greedyRow(5))).toThrow("batch: 2 rows for 1 free slots");
    batch.clear();
    expect(tf.memory().numTensors).toBeGreaterThanOrEqual(before);
    batch.dispose();
  });
});

describe.skipIf(kernelInstructionSet() === null)("a batch of a model of published widths", () => {
  const text = {
    ...config.text,
    hiddenSize: 1024,
    intermediateSize: 2816,
    numHiddenLayers: 2,
    numAttentionHeads: 8,
    numKeyValueHeads: 2,
    headDim: 128,
    mropeSection: [16, 24, 24] as [number, number, number],
  };
  const wide: ModelConfig = { ...config, text, vision: { ...config.vision, outHiddenSize: 1024 } };
  const weights = initParams(wide, 1, { scheme: "scaled" });
  afterAll(() => disposeTree(weights));
  const promptOf = (length: number, seed: number): PromptRow => ({
    inputIds: Array.from({ length }, (_, i) => (37 * i + 101 * seed) % 300),
    positionIds: [0, 1, 2].map(() => Array.from({ length }, (_, i) => i)),
    featureIndex: new Array<number>(length).fill(-1),
  });

  it.each([false, true])("a row's scores are those it has alone, to the bit (bf16 %s)", (bf16) => {
    const features = tf.zeros([1, 1024]);
    const begin = (batch: Batch, prompt: PromptRow, row: Row): void => {
      const read = batch.read(prompt, features);
      row.choose(read.logits, 0);
      batch.join(read, [row]);
      disposeTree(read.keys, read.values);
    };
    const lengths = [40, 140, 9, 300, 77];
    const rows = [70, 30, 30, 12, 40].map(greedyRow);
    const batch = createBatch(wide, weights, 8, { bf16 });
    rows.forEach((row, i) => {
      begin(batch, promptOf(lengths[i], i), row);
      for (let k = 0; k < 3 + i; k++) batch.step();
    });
    while (rows.some((row) => row.open)) batch.step();
    rows.forEach((row, i) => {
      const own = greedyRow(row.tokenIds.length);
      begin(batch, promptOf(lengths[i], i), own);
      while (own.open) batch.step();
      expect(difference(row, own)).toBe(0);
      expect(row.tokenIds).toEqual(own.tokenIds);
    });
    batch.dispose();
    features.dispose();
  });
});
