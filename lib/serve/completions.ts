/** `/v1/chat/completions`: a checkpoint that answers requests, many at a time. */
import { randomInt, randomUUID } from "node:crypto";
import type { CompileOptions } from "../engine/compile";
import type { Params } from "../engine/tensorflow";
import type { LoadedModel } from "../model/checkpoint";
import type { Processor } from "../processor/processor";
import { specialTokenIn, specialTokensOf } from "../processor/special-tokens";
import { resolveSampling, type ResolvedSampling } from "../rollout/sampling-defaults";
import { createAnswer, type Answer, type Piece } from "./answer";
import { ApiError, badField } from "./api-error";
import { createBatch } from "./batch";
import type { Limits } from "./limits";
import { createImageEncoder, hostPrompt } from "./prompt";
import { completion, openingChunk, pieceChunk, usageChunk, usageOf, type ReplyHead } from "./reply";
import { readRequest, type ChatCall } from "./request";
import { createScheduler, type Job } from "./scheduler";

/** What is served. */
export interface ServedModel extends Pick<LoadedModel, "config" | "generationConfig"> {
  /** Its name in requests. */
  name: string;
  /** The model's, an adapter's among them; the caller's. */
  params: Params;
  processor: Processor;
}

/** Other parameters for the same model: what a reload puts in place. */
export interface Weights {
  params: Params;
  /** Disposes what is this one's own, once it is replaced. */
  release(): void;
}

/** Hears a stream's events. */
export type OnEvent = (event: object) => void;

/** A model that answers. */
export interface Completions {
  readonly model: string;
  /** Requests that wait or are decoded. */
  readonly load: number;
  /** Reads a request's body. @throws ApiError naming what is wrong */
  read(body: unknown): ChatCall;
  /** The body of a whole reply. @param signal drops the request @throws ApiError */
  complete(call: ChatCall, signal: AbortSignal): Promise<object>;
  /** The same in events, as tokens come. */
  stream(call: ChatCall, onEvent: OnEvent, signal: AbortSignal): Promise<void>;
  /**
   * Answers with other weights from now on; what is being decoded ends with the ones it began with.
   * @param name what replies say of them
   * @throws what `load` throws: the old ones stay
   */
  reload(name: string, load: () => Weights): Promise<void>;
  /** Ends all requests with a 503, and frees what the server holds; the parameters stay the caller's. */
  close(): Promise<void>;
}

/** @param slots answers that are decoded at once */
export function createCompletions(
  { name, params, config, generationConfig, processor }: ServedModel,
  slots: number,
  limits: Limits,
  options: CompileOptions = {},
): Completions {
  const { tokenizer } = processor;
  const batch = createBatch(config, params, slots, options);
  const encode = createImageEncoder(config, options);
  let weights: Weights & { name: string } = { name: "start", params, release: () => undefined };
  const scheduler = createScheduler(batch, (images) => encode(weights.params, images), limits.waiting);
  const special = specialTokensOf(tokenizer);
  const context = Math.min(limits.contextTokens, config.text.maxPositionEmbeddings);

  const checkText = (text: string, param: string): void => {
    const token = specialTokenIn(text, special);
    if (token !== null)
      throw badField(
        param,
        `holds ${JSON.stringify(token)}, which is a token of the model and no text`,
        "special_token",
      );
  };

  /** A request's own choice; else the checkpoint's; else the protocol's, which samples from all tokens. */
  const samplingOf = ({ sampling: asked, ignoreEos, stopTokenIds }: ChatCall): ResolvedSampling => {
    const resolved = resolveSampling(
      {
        temperature: asked.temperature ?? generationConfig.temperature ?? 1,
        topP: asked.topP,
        topK: asked.topK ?? generationConfig.topK ?? 0,
        repetitionPenalty: asked.repetitionPenalty,
        ...(ignoreEos ? { eosTokenIds: [] } : {}),
      },
      generationConfig,
      { ...config, tokenizerEosTokenId: tokenizer.eosTokenId },
    );
    return { ...resolved, eosTokenIds: [...resolved.eosTokenIds, ...stopTokenIds] };
  };

  /** How many tokens an answer may have. @throws ApiError where there is no room for them */
  function roomFor({ maxTokens }: ChatCall, prompt: number): number {
    const left = context - prompt;
    if (left >= (maxTokens ?? 1)) return maxTokens ?? Math.min(left, limits.answerTokens);
    const answer = maxTokens === null ? "an answer" : `${maxTokens} of the answer`;
    throw new ApiError(
      400,
      `the prompt has ${prompt} tokens; with ${answer} that is more than the ${context} tokens of the context`,
      maxTokens === null ? "messages" : "max_tokens",
      "context_length_exceeded",
    );
  }

  /** Decodes what is asked for. @param onPrompt hears the prompt's tokens before the first piece */
  const decode = (
    call: ChatCall,
    onPrompt: (ids: readonly number[]) => void,
    onPiece: (piece: Piece) => void,
    signal: AbortSignal,
  ): Promise<void> => {
    const sampling = samplingOf(call);
    const seed = call.seed ?? randomInt(2 ** 31);
    return scheduler.run(async (): Promise<Job> => {
      const prompt = await hostPrompt(config, processor, call, limits.imagePixels);
      const { inputIds } = prompt.row;
      const answerOptions = {
        sampling,
        maxTokens: roomFor(call, inputIds.length),
        seed,
        seedIndex: call.seedIndex,
        tempered: call.tempered,
        stop: call.stop,
        logProbs: call.logProbs,
        bannedTokenIds: [...new Set([config.imageTokenId, config.videoTokenId, ...call.bannedTokenIds])],
        vocabulary: config.text.vocabSize,
      };
      onPrompt(inputIds);
      const answers = Array.from({ length: call.n }, (_, index): Answer =>
        createAnswer(index, inputIds, tokenizer, answerOptions, onPiece),
      );
      return { prompt, answers };
    }, signal);
  };

  const newHead = (): ReplyHead => ({
    id: `chatcmpl-${randomUUID()}`,
    created: Math.floor(Date.now() / 1000),
    model: name,
    system_fingerprint: weights.name,
  });
  const optionsOf = ({ logProbs, tokenIds }: ChatCall) => ({ logProbs: logProbs !== null, tokenIds });

  return {
    model: name,
    get load() {
      return scheduler.load;
    },
    read: (body) => readRequest(body, name, limits, checkText),
    complete: async (call, signal) => {
      const answers = Array.from({ length: call.n }, (): Piece[] => []);
      let promptIds: readonly number[] = [];
      let head: ReplyHead | null = null;
      await decode(
        call,
        (ids) => (promptIds = ids),
        (piece) => {
          head ??= newHead(); // of the weights that answer
          answers[piece.index].push(piece);
        },
        signal,
      );
      return completion(head ?? newHead(), promptIds, answers, optionsOf(call));
    },
    stream: async (call, onEvent, signal) => {
      let head: ReplyHead | null = null;
      const opened = new Set<number>();
      let [promptTokens, tokens] = [0, 0];
      await decode(
        call,
        (ids) => (promptTokens = ids.length),
        (piece) => {
          head ??= newHead();
          tokens += piece.tokenIds.length;
          if (!opened.has(piece.index)) onEvent(openingChunk(head, piece.index));
          opened.add(piece.index);
          if (piece.text !== "" || piece.finish !== null || call.logProbs !== null || call.tokenIds)
            onEvent(pieceChunk(head, piece, optionsOf(call)));
        },
        signal,
      );
      if (call.streamUsage) onEvent(usageChunk(head ?? newHead(), usageOf(promptTokens, tokens)));
    },
    reload: (called, load) =>
      scheduler.alone(() => {
        const next = load();
        batch.use(next.params);
        weights.release();
        weights = { ...next, name: called };
      }),
    close: async () => {
      scheduler.stop(new ApiError(503, "the server is being shut down"));
      await scheduler.idle();
      batch.dispose();
      weights.release();
    },
  };
}
