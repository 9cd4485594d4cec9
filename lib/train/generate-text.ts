/** Generation for one image and one question: what a notebook cell wants. */
import type { Params } from "../engine/tensorflow";
import type { GenerationConfig } from "../model/generation-config";
import { textStream } from "../processor/text-stream";
import type { Rollout } from "../rollout/types";
import { nextTurn, throwIfAborted } from "../util/abort";
import type { Workbench } from "./workbench";

/** A rollout with its text. */
export type TextRollout = Rollout & { text: string };

/** How it is generated. */
export interface GenerateTextOptions {
  /** Default 1. */
  samples?: number;
  /** Default 0: greedy. */
  temperature?: number;
  /** Default 80. */
  maxNewTokens?: number;
  /** Default 0. */
  seed?: number;
  /** The checkpoint's own end tokens and repetition penalty; default the bench's, and no penalty. */
  generation?: Pick<GenerationConfig, "eosTokenIds" | "repetitionPenalty">;
  /** Hears of the first sample's text, piece by piece; the pieces, joined, are its text. */
  onText?: (piece: string) => void;
  /** Looked at after each token. */
  signal?: AbortSignal;
}

/**
 * Answers to a user turn about one image of the bench; greedy unless a temperature is given. The event loop turns after
 * each token.
 * @throws the signal's reason once it is aborted
 */
export async function generateText(
  params: Params,
  bench: Workbench,
  image: string,
  text: string,
  options: GenerateTextOptions = {},
): Promise<TextRollout[]> {
  const { samples = 1, temperature = 0, maxNewTokens = 80, seed = 0, generation = {}, onText, signal } = options;
  const { eosTokenIds = bench.eosTokenIds, repetitionPenalty } = generation;
  await bench.images.load([image]);
  const features = bench.features(params, [image]);
  const stream = textStream(bench.processor.tokenizer);
  let read = 0;
  const steps = bench.generator.steps(
    params,
    { prompts: [bench.prompt(text, bench.places([image])[0])], features },
    {
      numGenerations: samples,
      maxNewTokens,
      temperature: temperature === 0 ? 1 : temperature,
      topP: 1,
      greedy: temperature === 0,
      eosTokenIds,
      bannedTokenIds: bench.bannedTokenIds,
      seed,
      ...(repetitionPenalty === undefined ? {} : { repetitionPenalty }),
      onToken: (_, __, [{ tokenIds }]) => {
        for (; read < tokenIds.length; read++) onText?.(stream.push(tokenIds[read]));
      },
    },
  );
  try {
    for (;;) {
      const { done, value } = steps.next();
      if (done) {
        onText?.(stream.end());
        return value.map((rollout) => ({ ...rollout, text: bench.processor.tokenizer.decode(rollout.tokenIds) }));
      }
      await nextTurn();
      throwIfAborted(signal);
    }
  } finally {
    steps.return?.();
    features.dispose();
  }
}
