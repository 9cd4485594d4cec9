/** A model that is loaded here as the answerer of an evaluation: greedy, in batches that a resumed run repeats. */
import type { Params } from "../engine/tensorflow";
import type { GenerationConfig } from "../model/generation-config";
import type { Workbench } from "../train/workbench";
import type { Answer, Answerer, AskedQuestion } from "./answerers";
import { greedyAnswers } from "./greedy";

/** How it answers. */
export interface BenchAnswererOptions {
  /** What the answers depend on besides the questions. */
  identity: Record<string, unknown>;
  seed: number;
  maxNewTokens: number;
  batchSize: number;
  /** The checkpoint's own end tokens and repetition penalty; default the bench's, and no penalty. */
  generation?: Pick<GenerationConfig, "eosTokenIds" | "repetitionPenalty">;
}

/** Loads a batch's images; those that cannot be read are left out, each with its reason. */
async function readable(bench: Workbench, batch: readonly AskedQuestion[]): Promise<(string | null)[]> {
  const load = (names: readonly string[]): Promise<string | null> =>
    bench.images.load(names).then(
      () => null,
      (error: unknown) => (error as Error).message,
    );
  if ((await load(batch.map(({ image }) => image))) === null) return batch.map(() => null);
  const reasons: (string | null)[] = [];
  for (const { image } of batch) reasons.push(await load([image]));
  await load(batch.filter((_, i) => reasons[i] === null).map(({ image }) => image));
  return reasons;
}

/**
 * The parameters stay the caller's. Questions of one `batch` are answered together, so that a run that goes on computes
 * what the first one would have: what a row's answer rounds to may depend on the rows beside it.
 */
export function benchAnswerer(params: Params, bench: Workbench, options: BenchAnswererOptions): Answerer {
  const { seed, maxNewTokens, batchSize, generation } = options;
  const answerBatch = async (batch: readonly AskedQuestion[]): Promise<Answer[]> => {
    const reasons = await readable(bench, batch);
    const asked = batch.filter((_, i) => reasons[i] === null);
    if (asked.length === 0) return reasons.map((reason) => ({ reason: reason! }));
    // without images the features are not looked at; an image of the bank stands in for their shape
    const images = asked.map(({ image }) => image);
    const places = bench.places(images);
    const prompts = asked.map(({ text, blind }, i) => bench.prompt(text, blind ? null : places[i]));
    const rollouts = greedyAnswers(params, bench, images, prompts, { ...generation, maxNewTokens, seed });
    let next = 0;
    return reasons.map((reason): Answer => {
      if (reason !== null) return { reason };
      const { tokenIds, finished } = rollouts[next++];
      return { output: bench.processor.tokenizer.decode(tokenIds), output_tokens: tokenIds.length, finished };
    });
  };
  return {
    identity: options.identity,
    batchSize,
    answer: async (questions, onAnswers) => {
      for (let start = 0; start < questions.length;) {
        const { batch: number } = questions[start];
        let end = start;
        while (end < questions.length && questions[end].batch === number) end++;
        const answers = await answerBatch(questions.slice(start, end));
        await onAnswers(answers.map((answer, i) => [start + i, answer]));
        start = end;
      }
    },
    close: () => undefined,
  };
}
