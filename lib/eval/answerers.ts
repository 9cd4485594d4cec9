/** Who answers an evaluation's questions: a model here (`bench-answerer.ts`), or an endpoint elsewhere. */
import { imageDataUri } from "../processor/image-uri";
import { forEachAtOnce } from "../util/parallel";
import type { ChatEndpoint } from "../rollout/chat-endpoint";

/** One question as it is asked. */
export interface AskedQuestion {
  /** The user's turn after the image. */
  text: string;
  /** Name of the image among those of the run. */
  image: string;
  /** Absolute path of the image. */
  file: string;
  /** A control: the image is not shown. */
  blind: boolean;
  /** Number of the batch it belongs to. */
  batch: number;
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
  /** Questions that are answered together; default 1. */
  readonly batchSize?: number;
  /** Calls `onAnswers` with places in `questions` as answers come; each question is answered once. */
  answer(
    questions: readonly AskedQuestion[],
    onAnswers: (answers: readonly [place: number, answer: Answer][]) => void | Promise<void>,
  ): Promise<void>;
  close(): void;
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
 * An endpoint, greedy; as many questions are under way as its concurrency lets through. An image is sent as a data URI.
 * What has no text though there was room for it (an error, a filter, a refusal, nothing) is no answer, and has its
 * reason.
 */
export function endpointAnswerer(endpoint: ChatEndpoint, options: EndpointAnswererOptions): Answerer {
  const { maxNewTokens, maxPixels = Infinity, inFlight, baseUrl, signal } = options;
  const ask = async ({ text, file, blind }: AskedQuestion): Promise<Answer> => {
    try {
      const image = async () => ({
        type: "image_url" as const,
        image_url: { url: await imageDataUri(file, maxPixels) },
      });
      const content = [...(blind ? [] : [await image()]), { type: "text" as const, text }];
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
