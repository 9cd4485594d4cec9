/** Bodies and events of `/v1/chat/completions`. */
import type { Piece } from "./answer";
import type { ChosenLogProb } from "./log-probs";

/** What all parts of a reply say. */
export interface ReplyHead {
  id: string;
  created: number;
  model: string;
  /** Which weights answered: the name they were reloaded under, or `start`. */
  system_fingerprint: string;
}

/** Tokens as OpenAI's protocol counts them. */
export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
}

export const usageOf = (prompt: number, completion: number): Usage => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  total_tokens: prompt + completion,
});

/** What a request wants beside text. */
export interface ReplyOptions {
  logProbs: boolean;
  tokenIds: boolean;
}

const logProbsOf = (content: readonly ChosenLogProb[], { logProbs }: ReplyOptions): object | null =>
  logProbs ? { content, refusal: null } : null;

/** One answer, put together from its pieces. */
function choiceOf(index: number, pieces: readonly Piece[], options: ReplyOptions): object {
  return {
    index,
    message: { role: "assistant", content: pieces.map(({ text }) => text).join(""), refusal: null },
    logprobs: logProbsOf(
      pieces.flatMap(({ logProbs }) => logProbs),
      options,
    ),
    finish_reason: pieces[pieces.length - 1].finish,
    ...(options.tokenIds ? { token_ids: pieces.flatMap(({ tokenIds }) => tokenIds) } : {}),
  };
}

/** The body of a whole reply. @param answers the pieces of each answer */
export function completion(
  head: ReplyHead,
  promptIds: readonly number[],
  answers: readonly (readonly Piece[])[],
  options: ReplyOptions,
): object {
  const tokens = answers.flat().reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
  return {
    id: head.id,
    object: "chat.completion",
    created: head.created,
    model: head.model,
    system_fingerprint: head.system_fingerprint,
    choices: answers.map((pieces, index) => choiceOf(index, pieces, options)),
    usage: usageOf(promptIds.length, tokens),
    ...(options.tokenIds ? { prompt_token_ids: promptIds } : {}),
  };
}

const chunk = ({ id, created, model, system_fingerprint }: ReplyHead, rest: object): object => ({
  id,
  object: "chat.completion.chunk",
  created,
  model,
  system_fingerprint,
  ...rest,
});

/** The event that opens an answer. */
export const openingChunk = (head: ReplyHead, index: number): object =>
  chunk(head, {
    choices: [{ index, delta: { role: "assistant", content: "" }, logprobs: null, finish_reason: null }],
  });

/** The event of a piece. */
export const pieceChunk = (head: ReplyHead, piece: Piece, options: ReplyOptions): object =>
  chunk(head, {
    choices: [
      {
        index: piece.index,
        delta: piece.text === "" ? {} : { content: piece.text },
        logprobs: logProbsOf(piece.logProbs, options),
        finish_reason: piece.finish,
        ...(options.tokenIds ? { token_ids: piece.tokenIds } : {}),
      },
    ],
  });

/** The event that closes a stream whose client wants counts. */
export const usageChunk = (head: ReplyHead, usage: Usage): object => chunk(head, { choices: [], usage });
