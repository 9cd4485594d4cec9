/** Who answers an evaluation's questions: a model here, with an adapter or without, or an endpoint elsewhere. */
import { imageDataUri } from "../processor/image-uri";
import { forEachAtOnce } from "../util/parallel";
import { disposeTree } from "../engine/tree";
import { loadAdapter } from "../model/adapter";
import { loadModel } from "../model/checkpoint";
import type { PixelLimits } from "../processor/image-processor";
import { loadProcessor } from "../processor/processor";
import { fingerprint, hashTree } from "../util/hash";
import type { ChatEndpoint } from "../rollout/chat-endpoint";
import { createTextGenerator, type TokenizedPrompt } from "../rollout/text-generator";

/** One question as it is asked. */
export interface AskedQuestion {
  /** The user's turn after the image. */
  text: string;
  /** Absolute path. */
  image: string;
}

/** An answer, or why there is none. */
export type Answer =
  | {
      output: string;
      output_tokens?: number;
      finished: boolean;
      /** True where a server gave the thoughts apart, and `output` has them back as `<think>…</think>`. */
      thoughts_put_back?: boolean;
      /** What a server does not take and the answer was asked for without, such as `temperature`. */
      left_out?: readonly string[];
    }
  | { reason: string };

/** Answers questions in its own order of work. */
export interface Answerer {
  /** What the answers depend on, for the manifest. */
  readonly identity: Record<string, unknown>;
  /** Calls `onAnswers` with places in `questions` as answers come; each question is answered once. */
  answer(
    questions: readonly AskedQuestion[],
    onAnswers: (answers: readonly [place: number, answer: Answer][]) => void | Promise<void>,
  ): Promise<void>;
  close(): void;
}

/** What turns a question into a local model's text. */
const CODE = ["lib/engine", "lib/model", "lib/processor", "lib/rollout", "native", "package-lock.json"];

/** How a local model answers. */
export interface ModelOptions {
  adapter?: string;
  maxNewTokens: number;
  batchSize: number;
  /** Pixel limits in place of the checkpoint's: training's may differ. */
  limits?: PixelLimits;
  /** That of the checkpoint unless given. */
  repetitionPenalty?: number;
  /** How weights are held; `auto`: in bfloat16 what is stored so, which changes no number. Default float32. */
  dtype?: "auto" | "float32" | "bfloat16";
  /** Matrix products in bfloat16; default false. */
  bf16?: boolean;
}

/** A model directory, greedy. @throws Error naming the file that is missing or wrong */
export function modelAnswerer(dir: string, options: ModelOptions): Answerer {
  const { adapter, maxNewTokens, batchSize, limits = {}, repetitionPenalty, dtype = "float32", bf16 = false } = options;
  const processor = loadProcessor(dir);
  const { config, params: base, generationConfig } = loadModel(dir, { dtype });
  let params = base;
  try {
    if (adapter !== undefined) params = { ...base, ...loadAdapter(adapter, config).params };
  } catch (error) {
    disposeTree(base);
    throw error;
  }
  const generator = createTextGenerator(config, processor, generationConfig, { bf16 });
  return {
    identity: {
      model: fingerprint(dir),
      adapter: adapter === undefined ? null : fingerprint(adapter),
      repetition_penalty: repetitionPenalty ?? null,
      limits,
      dtype,
      bf16,
      code: hashTree(CODE),
    },
    answer: async (questions, onAnswers) => {
      for (let start = 0; start < questions.length; start += batchSize) {
        const answers: [number, Answer][] = [];
        const prompts: { place: number; prompt: TokenizedPrompt }[] = [];
        for (const [i, { text, image }] of questions.slice(start, start + batchSize).entries()) {
          try {
            prompts.push({
              place: start + i,
              prompt: await processor.prompt(
                [
                  {
                    role: "user",
                    content: [
                      { type: "image", image },
                      { type: "text", text },
                    ],
                  },
                ],
                limits,
              ),
            });
          } catch (error) {
            answers.push([start + i, { reason: (error as Error).message }]);
          }
        }
        const results = generator.generateFromPrompts(
          params,
          prompts.map(({ prompt }) => prompt),
          { maxNewTokens, temperature: 0, repetitionPenalty },
        );
        results.forEach(({ text, tokenIds, finished }, i) =>
          answers.push([prompts[i].place, { output: text, output_tokens: tokenIds.length, finished }]),
        );
        await onAnswers(answers);
      }
    },
    close: () => disposeTree(params),
  };
}

/** How an endpoint is asked. */
export interface EndpointAnswererOptions {
  maxNewTokens: number;
  maxPixels?: number;
  /** Questions under way at once. */
  inFlight: number;
  baseUrl: string;
  /** Stops asking: questions under way are given up, and `answer` throws the signal's reason. */
  signal?: AbortSignal;
}

/** What the manifest says of thoughts that a server gives apart. */
const THOUGHTS = "put back as <think>…</think> where the server gives them apart";

/**
 * An endpoint, greedy; as many questions are under way as its concurrency lets through. An image is sent as a data URI. What
 * has no text though there was room for it (an error, a filter, a refusal, nothing) is no answer, and has its reason.
 */
export function endpointAnswerer(endpoint: ChatEndpoint, options: EndpointAnswererOptions): Answerer {
  const { maxNewTokens, maxPixels = Infinity, inFlight, baseUrl, signal } = options;
  const ask = async ({ text, image }: AskedQuestion): Promise<Answer> => {
    try {
      const url = await imageDataUri(image, maxPixels);
      const content = [
        { type: "image_url" as const, image_url: { url } },
        { type: "text" as const, text },
      ];
      const [{ text: output, finished, thoughtsPutBack, leftOut }] = await endpoint.ask(
        { messages: [{ role: "user", content }], n: 1, maxTokens: maxNewTokens, temperature: 0 },
        signal,
      );
      return {
        output,
        finished,
        ...(thoughtsPutBack ? { thoughts_put_back: true } : {}),
        ...(leftOut === undefined ? {} : { left_out: leftOut }),
      };
    } catch (error) {
      signal?.throwIfAborted();
      return { reason: (error as Error).message };
    }
  };
  return {
    identity: {
      endpoint: baseUrl,
      model_name: endpoint.model,
      max_pixels: Number.isFinite(maxPixels) ? maxPixels : null,
      thoughts: THOUGHTS,
    },
    answer: (questions, onAnswers) =>
      forEachAtOnce(questions, inFlight, async (question, place) => {
        signal?.throwIfAborted();
        const answer = await ask(question);
        await onAnswers([[place, answer]]);
      }),
    close: () => undefined,
  };
}
