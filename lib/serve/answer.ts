/** One answer while it is decoded: tokens drawn from its own stream of numbers, text up to a stop string, log-probs. */
import { foldIn, random } from "../util/random";
import { textStream } from "../processor/text-stream";
import type { Tokenizer } from "../processor/tokenizer";
import { sampleFromLogits, sampleToken } from "../rollout/sample";
import type { ResolvedSampling } from "../rollout/sampling-defaults";
import type { BatchRow } from "./batch";
import { chosenLogProb, softmax, type ChosenLogProb } from "./log-probs";
import { stopStrings } from "./stop-strings";

/** What came of a token. */
export interface Piece {
  /** Which of the request's answers. */
  index: number;
  /** Text that is certain now; may be empty. */
  text: string;
  tokenIds: number[];
  /** Empty where they are not asked for. */
  logProbs: ChosenLogProb[];
  /** With the last piece: ended by the model or a stop string, or cut off at the limit of tokens. */
  finish: "stop" | "length" | null;
}

/** How an answer is made. */
export interface AnswerOptions {
  sampling: ResolvedSampling;
  maxTokens: number;
  seed: number;
  /** Which of several prompts it answers. */
  seedIndex: number;
  /** Draws and log-probs as training samples. */
  tempered: boolean;
  stop: readonly string[];
  /** Most probable tokens beside each log-prob; null for no log-probs. */
  logProbs: number | null;
  bannedTokenIds: readonly number[];
  vocabulary: number;
}

/** An answer in the batch. */
export interface Answer extends BatchRow {
  /** Ends it without another piece. */
  drop(): void;
}

/**
 * Begins the answer number `index` of a request. Its draws depend on seed and places alone: they are those of
 * `fine-r1 generate --seed` for the first.
 * @param promptIds the prompt's tokens, which count as seen
 */
export function createAnswer(
  index: number,
  promptIds: readonly number[],
  tokenizer: Tokenizer,
  options: AnswerOptions,
  onPiece: (piece: Piece) => void,
): Answer {
  const { sampling, maxTokens, seed, seedIndex, tempered, stop, logProbs, bannedTokenIds, vocabulary } = options;
  const draws = random(foldIn(seed, seedIndex, index));
  const seen = sampling.repetitionPenalty === 1 ? null : new Set(promptIds);
  const stream = textStream(tokenizer);
  const stops = stopStrings(stop);
  const tokenIds: number[] = [];
  let open = true;
  const draw = (logits: Float32Array, start: number): number =>
    tempered
      ? sampleToken(
          softmax(logits, start, vocabulary, sampling.temperature),
          0,
          vocabulary,
          { topP: sampling.topP, bannedTokenIds, greedy: false },
          draws.uniform,
        )
      : sampleFromLogits(logits, start, vocabulary, seen ?? [], { ...sampling, bannedTokenIds }, draws.uniform);
  const logProbTemperature = tempered ? sampling.temperature : 1;
  return {
    tokenIds,
    get open() {
      return open;
    },
    drop: () => void (open = false),
    choose: (logits, start) => {
      const token = draw(logits, start);
      tokenIds.push(token);
      seen?.add(token);
      const certain = stops.push(stream.push(token));
      const ended = certain.stopped || sampling.eosTokenIds.includes(token);
      const finish = ended ? "stop" : tokenIds.length >= maxTokens ? "length" : null;
      let { text } = certain;
      if (finish !== null && !certain.stopped) {
        const last = stops.push(stream.end());
        text += last.text + stops.end();
      }
      open = finish === null;
      onPiece({
        index,
        text,
        tokenIds: [token],
        logProbs:
          logProbs === null
            ? []
            : [chosenLogProb(tokenizer, logits, start, vocabulary, token, logProbs, logProbTemperature)],
        finish,
      });
    },
  };
}
