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
export type Answer = { output: string; output_tokens?: number; finished: boolean } | { reason: string };

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

/** An endpoint, greedy; as many questions are under way as its concurrency lets through. An image is sent as a data URI. */
export function endpointAnswerer(
  endpoint: ChatEndpoint,
  options: { maxNewTokens: number; maxPixels?: number; inFlight: number; baseUrl: string },
): Answerer {
  const { maxNewTokens, maxPixels = Infinity, inFlight, baseUrl } = options;
  return {
    identity: {
      endpoint: baseUrl,
      model_name: endpoint.model,
      max_pixels: Number.isFinite(maxPixels) ? maxPixels : null,
    },
    answer: (questions, onAnswers) =>
      forEachAtOnce(questions, inFlight, async ({ text, image }, place) => {
        let answer: Answer;
        try {
          const url = await imageDataUri(image, maxPixels);
          const [{ text: output, finished }] = await endpoint.ask({
            messages: [
              {
                role: "user",
                content: [
                  { type: "image_url", image_url: { url } },
                  { type: "text", text },
                ],
              },
            ],
            n: 1,
            maxTokens: maxNewTokens,
            temperature: 0,
          });
          answer = { output, finished };
        } catch (error) {
          answer = { reason: (error as Error).message };
        }
        await onAnswers([[place, answer]]);
      }),
    close: () => undefined,
  };
}
