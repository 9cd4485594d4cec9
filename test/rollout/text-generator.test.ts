import * as path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { tf } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { loadModel } from "../../lib/model/checkpoint";
import { forward } from "../../lib/model/forward";
import type { GenerationConfig } from "../../lib/model/generation-config";
import type { Message } from "../../lib/processor/chat-template";
import { collate, modelInputs } from "../../lib/processor/collate";
import { loadProcessor } from "../../lib/processor/processor";
import { resolveSampling, type EndTokens, type SamplingRequest } from "../../lib/rollout/sampling-defaults";
import { createTextGenerator, type GeneratedText, type TextOptions } from "../../lib/rollout/text-generator";

const fixture = path.join(__dirname, "../fixtures/parity/fixture-untied");
const { config, params, generationConfig } = loadModel(path.join(fixture, "model"));
const processor = loadProcessor(path.join(fixture, "model"));
const generator = createTextGenerator(config, processor, generationConfig);
const image = (name: string) => ({ type: "image" as const, image: path.join(fixture, "images", `${name}.png`) });
const messages: Message[] = [
  { role: "user", content: [image("ragged"), image("square"), { type: "text", text: "Which is larger?" }] },
];
const generate = (options: Partial<TextOptions> = {}, of = messages): Promise<GeneratedText> =>
  generator.generate(params, of, { maxNewTokens: 20, eosTokenIds: [], ...options });
afterAll(() => disposeTree(params));

/**
 * Log-softmax of a full forward pass over prompt and response, `[places][vocabulary]`, at the places that predict the
 * response.
 */
async function fullLogProbs(of: Message[], tokenIds: number[]): Promise<number[][]> {
  const prompt = await processor.prompt(of);
  const inputs = modelInputs(
    config,
    collate(config, [{ ...prompt, inputIds: [...prompt.inputIds, ...tokenIds] }], { padTokenId: 0 }),
  );
  const rows = tf.tidy(() =>
    tf
      .logSoftmax(
        forward(params, config, inputs)
          .slice([0, prompt.inputIds.length - 1], [1, tokenIds.length])
          .squeeze<tf.Tensor2D>([0]),
      )
      .arraySync(),
  );
  disposeTree(inputs);
  return rows;
}

describe("createTextGenerator", () => {
  it("greedy: the argmax of a full forward pass over images of two sizes, with its log-probs", async () => {
    const { promptTokenIds, imageGridThw, tokenIds, logProbs, text } = await generate();
    const prompt = await processor.prompt(messages);
    expect(promptTokenIds).toEqual(prompt.inputIds);
    expect(imageGridThw).toEqual(prompt.images.map((one) => one.grid));
    const full = await fullLogProbs(messages, tokenIds);
    const allowed = (id: number): boolean => id !== config.imageTokenId && id !== config.videoTokenId;
    full.forEach((row, t) => {
      const best = row.reduce((b, p, id) => (allowed(id) && p > row[b] ? id : b), 0);
      expect(tokenIds[t]).toBe(best);
      expect(Math.abs(logProbs[t] - row[best])).toBeLessThan(1e-4);
    });
    expect(text).toBe(processor.tokenizer.decode(tokenIds));
  });

  it("log-probs are the untempered ones whatever is asked for", async () => {
    const { tokenIds, logProbs } = await generate({
      temperature: 2,
      topP: 0.9,
      topK: 30,
      repetitionPenalty: 1.5,
      seed: 3,
    });
    const full = await fullLogProbs(messages, tokenIds);
    logProbs.forEach((p, t) => expect(Math.abs(p - full[t][tokenIds[t]])).toBeLessThan(1e-4));
  });

  it("greedy = temperature 0 = top-k 1; seeds repeat and differ; text without images works", async () => {
    const greedy = await generate();
    expect((await generate({ temperature: 0 })).tokenIds).toEqual(greedy.tokenIds);
    expect((await generate({ temperature: 1, topK: 1, seed: 9 })).tokenIds).toEqual(greedy.tokenIds);
    const sampled = (seed: number): Promise<GeneratedText> =>
      generate({ temperature: 3, topK: 0, seed }, [{ role: "user", content: "Hello" }]);
    const [a, again, b] = [await sampled(1), await sampled(1), await sampled(2)];
    expect(again).toEqual(a);
    expect(b.tokenIds).not.toEqual(a.tokenIds);
    expect(a.imageGridThw).toEqual([]);
  });

  it("a strong repetition penalty changes the choice as transformers does", async () => {
    const { tokenIds } = await generate({ repetitionPenalty: 50 });
    const prompt = await processor.prompt(messages);
    const inputs = modelInputs(config, collate(config, [prompt], { padTokenId: 0 }));
    const logits = tf.tidy(() =>
      forward(params, config, inputs)
        .slice([0, prompt.inputIds.length - 1], [1, 1])
        .dataSync(),
    );
    disposeTree(inputs);
    const seen = new Set(prompt.inputIds);
    const scores = Array.from(logits, (x, id) =>
      id === config.imageTokenId || id === config.videoTokenId
        ? -Infinity
        : !seen.has(id)
          ? x
          : x < 0
            ? x * 50
            : x / 50,
    );
    expect(tokenIds[0]).toBe(scores.indexOf(Math.max(...scores)));
    expect(seen.has(tokenIds[0])).toBe(false);
  });

  it("never samples an image placeholder, even where it is the most probable token", async () => {
    const table = params["lm_head.weight"].arraySync() as number[][];
    // the two placeholders' rows point where the first greedy token's does, twice as far
    const first = (await generate()).tokenIds[0];
    table[config.imageTokenId] = table[first].map((x) => 2 * x);
    table[config.videoTokenId] = table[first].map((x) => 3 * x);
    const spoilt = { ...params, "lm_head.weight": tf.tensor2d(table) };
    for (const options of [{}, { temperature: 1 }, { temperature: 1, topK: 2 }]) {
      const { tokenIds } = await generator.generate(spoilt, messages, {
        maxNewTokens: 30,
        eosTokenIds: [],
        ...options,
      });
      expect(tokenIds).not.toContain(config.imageTokenId);
      expect(tokenIds).not.toContain(config.videoTokenId);
    }
    spoilt["lm_head.weight"].dispose();
  });

  it("streams pieces that join to the text, stops at any of several end tokens, and leaves no tensor behind", async () => {
    const free = await generate();
    const before = tf.memory().numTensors;
    const pieces: string[] = [];
    const stopped = await generate({
      eosTokenIds: [free.tokenIds[5], config.videoTokenId],
      onText: (piece) => pieces.push(piece),
    });
    const at = free.tokenIds.indexOf(free.tokenIds[5]);
    expect(stopped.tokenIds).toEqual(free.tokenIds.slice(0, at + 1));
    expect([stopped.finished, free.finished]).toEqual([true, false]);
    expect(pieces.join("")).toBe(stopped.text);
    await expect(generate({ topP: 0 })).rejects.toThrow(/top-p is 0; expected/);
    await expect(generate({ maxNewTokens: 0 })).rejects.toThrow(/max new tokens is 0/);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("a checkpoint without generation_config.json", () => {
  it("stops at any token of config.json's list, and without one at the tokenizer's eos_token", async () => {
    const free = await generate();
    const stop = free.tokenIds[5];
    const expected = free.tokenIds.slice(0, free.tokenIds.indexOf(stop) + 1);
    const { eosTokenId: _, ...silent } = config;
    const { tokenizer } = processor;
    for (const [of, by] of [
      [{ ...silent, eosTokenId: config.videoTokenId, eosTokenIds: [config.videoTokenId, stop] }, processor],
      [silent, { ...processor, tokenizer: { ...tokenizer, eosTokenId: stop } }],
    ] as const) {
      const { tokenIds, finished } = await createTextGenerator(of, by).generate(params, messages, { maxNewTokens: 20 });
      expect([tokenIds, finished]).toEqual([expected, true]);
    }
  });
});

describe("generateFromPrompts", () => {
  it("a batch answers as each prompt alone does, images of several sizes and none, and leaves no tensor behind", async () => {
    const of = (content: Message["content"]): Message[] => [{ role: "user", content }];
    const chats = [
      of([image("ragged"), { type: "text", text: "What is it?" }]),
      of("Hello"),
      of([image("square"), image("resized"), { type: "text", text: "Which of these two is the larger one?" }]),
    ];
    const prompts = await Promise.all(chats.map((chat) => processor.prompt(chat)));
    const options = { maxNewTokens: 20, temperature: 0, eosTokenIds: [] };
    const alone = prompts.map((prompt) => generator.generateFromPrompt(params, prompt, options));
    const before = tf.memory().numTensors;
    const batch = generator.generateFromPrompts(params, prompts, options);
    expect(batch.map(({ text, tokenIds }) => ({ text, tokenIds }))).toEqual(
      alone.map(({ text, tokenIds }) => ({ text, tokenIds })),
    );
    expect(batch.map((one) => one.imageGridThw)).toEqual(
      prompts.map((prompt) => prompt.images.map(({ grid }) => grid)),
    );
    batch.forEach((one, i) =>
      one.logProbs.forEach((p, t) => expect(Math.abs(p - alone[i].logProbs[t])).toBeLessThan(1e-4)),
    );
    // rows that end early leave the batch and keep their text
    const ends = [alone[0].tokenIds[3]];
    const stopped = generator.generateFromPrompts(params, prompts, { ...options, eosTokenIds: ends });
    expect(stopped.map((one) => one.tokenIds)).toEqual(
      alone.map(({ tokenIds }) =>
        tokenIds.includes(ends[0]) ? tokenIds.slice(0, tokenIds.indexOf(ends[0]) + 1) : tokenIds,
      ),
    );
    expect(generator.generateFromPrompts(params, [], options)).toEqual([]);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("resolveSampling", () => {
  const qwen = {
    doSample: true,
    temperature: 0.1,
    topP: 0.001,
    topK: 1,
    repetitionPenalty: 1.05,
    eosTokenIds: [151645, 151643],
  };
  it("takes what is not asked for from the checkpoint, else from transformers' defaults", () => {
    expect(resolveSampling({}, qwen, {})).toEqual({
      greedy: false,
      temperature: 0.1,
      topP: 0.001,
      topK: 1,
      repetitionPenalty: 1.05,
      eosTokenIds: [151645, 151643],
    });
    expect(resolveSampling({ temperature: 0.7, topK: 0 }, qwen, {})).toMatchObject({
      greedy: false,
      temperature: 0.7,
      topP: 0.001,
      topK: 0,
    });
    expect(resolveSampling({ temperature: 0.7 }, {}, { eosTokenId: 4 })).toEqual({
      greedy: false,
      temperature: 0.7,
      topP: 1,
      topK: 50,
      repetitionPenalty: 1,
      eosTokenIds: [4],
    });
  });
  it("ends at the request's tokens, else those of generation_config.json, config.json, the tokenizer", () => {
    const ends = (request: SamplingRequest, generation: GenerationConfig, of: EndTokens): readonly number[] =>
      resolveSampling(request, generation, of).eosTokenIds;
    const config = { eosTokenId: 306, eosTokenIds: [306, 305], tokenizerEosTokenId: 2 };
    expect(ends({ eosTokenIds: [] }, { eosTokenIds: [9] }, config)).toEqual([]);
    expect(ends({}, { eosTokenIds: [9] }, config)).toEqual([9]);
    expect(ends({}, {}, config)).toEqual([306, 305]);
    expect(ends({}, {}, { eosTokenId: 306, tokenizerEosTokenId: 2 })).toEqual([306]);
    expect(ends({}, {}, { tokenizerEosTokenId: 2 })).toEqual([2]);
    expect(ends({}, {}, { tokenizerEosTokenId: 0 })).toEqual([0]);
    expect(ends({}, {}, { tokenizerEosTokenId: null })).toEqual([]);
  });
  it("is greedy without do_sample and at temperature 0", () => {
    expect(resolveSampling({}, {}, {})).toMatchObject({ greedy: true, topK: 0, eosTokenIds: [] });
    expect(resolveSampling({}, { ...qwen, doSample: false }, {})).toMatchObject({
      greedy: true,
      repetitionPenalty: 1.05,
    });
    expect(resolveSampling({ temperature: 0 }, qwen, {})).toMatchObject({ greedy: true, temperature: 1 });
  });
  it.each([
    [{ temperature: -1 }, /temperature is -1/],
    [{ topP: 1.1 }, /top-p is 1\.1/],
    [{ topK: 1.5 }, /top-k is 1\.5/],
    [{ repetitionPenalty: 0 }, /repetition penalty is 0/],
  ])("refuses %j", (request, message) => {
    expect(() => resolveSampling(request, {}, {})).toThrow(message);
  });
});
