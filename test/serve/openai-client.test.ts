/** The official client for Node against a server on the fixture's model. */
import type OpenAI from "openai";
import { APIConnectionError, APIUserAbortError, BadRequestError, NotFoundError } from "openai";
import { beforeAll, describe, expect, it } from "vitest";
import { tf } from "../../lib/engine/tensorflow";
import { imageDataUri } from "../../lib/processor/image-uri";
import { createTextGenerator, type TextGenerator } from "../../lib/rollout/text-generator";
import { imageFile, served, type Served } from "./served";

type Body = OpenAI.ChatCompletionCreateParamsNonStreaming & Record<string, unknown>;

let own: Served;
let generator: TextGenerator;
let square: string;
beforeAll(async () => {
  own = await served();
  generator = createTextGenerator(own.config, own.processor, own.generationConfig);
  square = await imageDataUri(imageFile("square"));
});

const text = (content: string): OpenAI.ChatCompletionMessageParam[] => [{ role: "user", content }];
const body = (over: Partial<Body> = {}): Body => ({
  model: "fixture",
  messages: text("Which is larger?"),
  max_tokens: 20,
  ignore_eos: true,
  ...over,
});
const withImage = (): OpenAI.ChatCompletionMessageParam[] => [
  {
    role: "user",
    content: [
      { type: "image_url", image_url: { url: square } },
      { type: "text", text: "Which is larger?" },
    ],
  },
];
const ask = (over: Partial<Body> = {}): Promise<OpenAI.ChatCompletion> =>
  own.client.chat.completions.create(body(over));
const textsOf = ({ choices }: OpenAI.ChatCompletion): (string | null)[] =>
  choices.map(({ message }) => message.content);
/** Fields that vLLM has beside OpenAI's. */
type WithTokenIds = { prompt_token_ids: number[]; choices: { token_ids: number[] }[] };

describe("models", () => {
  it("are listed and found by name", async () => {
    const models = [];
    for await (const model of own.client.models.list()) models.push(model.id);
    expect(models).toEqual(["fixture"]);
    expect(await own.client.models.retrieve("fixture")).toMatchObject({ id: "fixture", object: "model" });
    await expect(own.client.models.retrieve("other")).rejects.toThrow(NotFoundError);
  });
});

describe("chat completions", () => {
  it("greedy: text, tokens and log-probs of `fine-r1 generate`, with an image and without", async () => {
    for (const [messages, content] of [
      [text("Which is larger?"), "Which is larger?"],
      [
        withImage(),
        [
          { type: "image" as const, image: imageFile("square") },
          { type: "text" as const, text: "Which is larger?" },
        ],
      ],
    ] as const) {
      const expected = await generator.generate(own.params, [{ role: "user", content: content as string }], {
        maxNewTokens: 20,
        temperature: 0,
        eosTokenIds: [],
      });
      const reply = await ask({
        messages: messages as OpenAI.ChatCompletionMessageParam[],
        temperature: 0,
        logprobs: true,
        top_logprobs: 3,
        return_token_ids: true,
      });
      const [choice] = reply.choices;
      const ids = reply as unknown as WithTokenIds;
      expect(choice).toMatchObject({
        index: 0,
        message: { role: "assistant", content: expected.text },
        finish_reason: "length",
      });
      expect(ids.prompt_token_ids).toEqual(expected.promptTokenIds);
      expect(ids.choices[0].token_ids).toEqual(expected.tokenIds);
      const logProbs = choice.logprobs!.content!;
      expect(logProbs).toHaveLength(20);
      logProbs.forEach(({ logprob, top_logprobs }, t) => {
        expect(Math.abs(logprob - expected.logProbs[t])).toBeLessThan(1e-4);
        expect(top_logprobs[0].logprob).toBeGreaterThanOrEqual(logprob);
        expect(top_logprobs).toHaveLength(3);
      });
      expect(reply.usage).toEqual({
        prompt_tokens: expected.promptTokenIds.length,
        completion_tokens: 20,
        total_tokens: expected.promptTokenIds.length + 20,
      });
    }
  });

  it("a seed's answer is that of `fine-r1 generate --seed`, and another with another seed", async () => {
    const options = { temperature: 1.5, topP: 0.9, topK: 0, repetitionPenalty: 1.2, seed: 7 };
    const { text: expected } = await generator.generate(own.params, [{ role: "user", content: "Which is larger?" }], {
      ...options,
      maxNewTokens: 20,
      eosTokenIds: [],
    });
    const asked = { temperature: 1.5, top_p: 0.9, top_k: 0, repetition_penalty: 1.2 };
    expect(textsOf(await ask({ ...asked, seed: 7 }))).toEqual([expected]);
    expect(textsOf(await ask({ ...asked, seed: 8 }))).not.toEqual([expected]);
  });

  it("a seed gives the same answers whatever else is in the batch, more answers than slots among it", async () => {
    const asked: Partial<Body>[] = [
      { seed: 1, temperature: 1.2, n: 3, max_tokens: 40 },
      { seed: 2, temperature: 0.8, top_p: 0.9, messages: withImage(), max_tokens: 25 },
      { seed: 3, temperature: 2, n: 7, max_tokens: 18, top_k: 40 },
      { temperature: 0, messages: text("A long question, ".repeat(30)), max_tokens: 50 },
      { seed: 5, repetition_penalty: 1.3, max_tokens: 9 },
    ];
    const alone: (string | null)[][] = [];
    for (const one of asked) alone.push(textsOf(await ask(one)));
    expect(new Set(alone[2]).size).toBe(7);
    for (const order of [
      [0, 1, 2, 3, 4],
      [4, 2, 0, 3, 1],
    ]) {
      const together = await Promise.all(
        order.map(async (i, place) => {
          await new Promise((resolve) => setTimeout(resolve, 7 * place)); // while others are decoded
          return [i, textsOf(await ask(asked[i]))] as const;
        }),
      );
      for (const [i, texts] of together) expect(texts).toEqual(alone[i]);
    }
  });

  it("without a seed answers differ", async () => {
    const texts = await Promise.all([ask({ temperature: 2 }), ask({ temperature: 2 })]);
    expect(textsOf(texts[0])).not.toEqual(textsOf(texts[1]));
  });

  it("ends at a stop string, which is not in the text, and at the model's end token", async () => {
    const [whole] = textsOf(await ask({ temperature: 0 }));
    const stop = whole!.slice(8, 11);
    const reply = await ask({ temperature: 0, stop: ["never said", stop] });
    expect(reply.choices[0]).toMatchObject({
      message: { content: whole!.slice(0, whole!.indexOf(stop)) },
      finish_reason: "stop",
    });
    expect(reply.usage!.completion_tokens).toBeLessThan(20);
    const ended = await ask({ temperature: 3, seed: 1, max_tokens: 1500, ignore_eos: false, n: 4 });
    expect(ended.choices.some((choice) => choice.finish_reason === "stop")).toBe(true);
  });

  it("streams pieces that join to the reply, for each of several answers, with the count of tokens last", async () => {
    const asked = { n: 3, seed: 4, temperature: 1.5, max_tokens: 30, logprobs: true } as const;
    const whole = await ask(asked);
    const stream = await own.client.chat.completions.create({
      ...body(asked),
      stream: true,
      stream_options: { include_usage: true },
    });
    const texts = ["", "", ""];
    const ends: (string | null)[] = [];
    const tokens = [0, 0, 0];
    let usage: unknown = null;
    let events = 0;
    for await (const event of stream) {
      events++;
      usage = event.usage ?? null;
      for (const { index, delta, finish_reason, logprobs } of event.choices) {
        texts[index] += delta.content ?? "";
        tokens[index] += logprobs?.content?.length ?? 0;
        if (finish_reason !== null) ends[index] = finish_reason;
      }
    }
    expect(texts).toEqual(textsOf(whole));
    expect(ends).toEqual(["length", "length", "length"]);
    expect(tokens).toEqual([30, 30, 30]);
    expect(usage).toEqual(whole.usage);
    expect(events).toBe(3 + 90 + 1);
  });

  it("says what is wrong with a request", async () => {
    await expect(ask({ temperature: -1 })).rejects.toThrow(BadRequestError);
    await expect(ask({ temperature: -1 })).rejects.toMatchObject({
      status: 400,
      param: "temperature",
      type: "invalid_request_error",
    });
    await expect(ask({ model: "gpt" })).rejects.toMatchObject({ status: 404, code: "model_not_found" });
    await expect(ask({ messages: text("now <|im_end|>") })).rejects.toMatchObject({
      status: 400,
      code: "special_token",
      param: "messages[0].content",
    });
    const broken = `data:image/png;base64,${Buffer.from("no image").toString("base64")}`;
    const pictures = (url: string): OpenAI.ChatCompletionMessageParam[] => [
      { role: "user", content: [{ type: "image_url", image_url: { url } }] },
    ];
    await expect(ask({ messages: pictures(broken) })).rejects.toMatchObject({ status: 400, code: "invalid_image" });
    await expect(ask({ messages: pictures(broken), stream: true } as never)).rejects.toMatchObject({ status: 400 });
    await expect(ask({ messages: text("word ".repeat(9000)) })).rejects.toMatchObject({
      status: 400,
      code: "context_length_exceeded",
    });
  });
});

describe("the server's memory", () => {
  it("a client that goes gives its slots back", async () => {
    const before = tf.memory().numTensors;
    const gone = new AbortController();
    const stream = await own.client.chat.completions.create(
      { ...body({ n: 4, max_tokens: 1900 }), stream: true },
      { signal: gone.signal },
    );
    let events = 0;
    try {
      for await (const event of stream) {
        expect(event.choices).toHaveLength(1);
        if (++events === 12) gone.abort();
      }
    } catch (error) {
      expect(error instanceof APIUserAbortError || error instanceof APIConnectionError).toBe(true);
    }
    expect(events).toBeLessThan(1000);
    await expect.poll(() => own.completions.load, { timeout: 5000 }).toBe(0);
    expect((await ask({ n: 4 })).choices).toHaveLength(4);
    await expect.poll(() => tf.memory().numTensors).toBe(before);
  });

  it("50 requests of every kind leave no tensor behind", async () => {
    const kinds: Partial<Body>[] = [
      { temperature: 0 },
      { messages: withImage(), n: 2 },
      { stop: "e", seed: 3 },
      { max_tokens: 1 },
      {
        messages: [
          { role: "user", content: [{ type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }] },
        ],
      },
    ];
    const round = (i: number): Promise<unknown> => ask({ ...kinds[i % kinds.length] }).catch((error: unknown) => error);
    await Promise.all(kinds.map((_, i) => round(i)));
    const before = tf.memory().numTensors;
    for (let i = 0; i < 50; i += 10) await Promise.all(Array.from({ length: 10 }, (_, j) => round(i + j)));
    await expect.poll(() => own.completions.load).toBe(0);
    await expect.poll(() => tf.memory().numTensors).toBe(before);
  });
});
