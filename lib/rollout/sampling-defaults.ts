/** How a checkpoint is sampled when the caller leaves something open: the rules of transformers' `generate`. */
import type { ModelConfig } from "../model/config";
import type { GenerationConfig } from "../model/generation-config";

/** What a caller may ask for; what is absent comes from the checkpoint. */
export interface SamplingRequest {
  /** 0 for greedy. */
  temperature?: number;
  /** In (0, 1]. */
  topP?: number;
  /** 0 for all tokens. */
  topK?: number;
  repetitionPenalty?: number;
  /** Tokens that end the response; none at all is allowed. */
  eosTokenIds?: readonly number[];
}

/** A complete choice. */
export interface ResolvedSampling {
  greedy: boolean;
  temperature: number;
  topP: number;
  topK: number;
  repetitionPenalty: number;
  eosTokenIds: readonly number[];
}

/** Where end tokens come from when neither the caller nor `generation_config.json` names any. */
export interface EndTokens extends Pick<ModelConfig, "eosTokenId" | "eosTokenIds"> {
  /** The tokenizer's `eos_token`, for a checkpoint whose `config.json` names none either. */
  tokenizerEosTokenId?: number | null;
}

/** All of config.json's end tokens, else the tokenizer's; empty where there is none. */
function endTokens({ eosTokenId, eosTokenIds, tokenizerEosTokenId }: EndTokens): readonly number[] {
  if (eosTokenIds) return eosTokenIds;
  const one = eosTokenId ?? tokenizerEosTokenId ?? null;
  return one === null ? [] : [one];
}

/** transformers' default where neither caller nor checkpoint names a top-k. */
const DEFAULT_TOP_K = 50;

function check(field: string, value: number, ok: boolean, expected: string): void {
  if (!ok) throw new Error(`generate: ${field} is ${value}; expected ${expected}`);
}

/**
 * Fills a request from `generation_config.json`. Sampled where the caller gives a temperature above 0, or gives none
 * and the checkpoint has `do_sample`; else greedy, which heeds the repetition penalty but not temperature, top-k and
 * top-p. End tokens are the request's, else those of `generation_config.json`, of `config.json`, of the tokenizer.
 * @throws Error naming the field that is out of range
 */
export function resolveSampling(
  request: SamplingRequest,
  generation: GenerationConfig,
  ends: EndTokens,
): ResolvedSampling {
  const temperature = request.temperature ?? generation.temperature ?? 1;
  const topP = request.topP ?? generation.topP ?? 1;
  const topK = request.topK ?? generation.topK ?? DEFAULT_TOP_K;
  const repetitionPenalty = request.repetitionPenalty ?? generation.repetitionPenalty ?? 1;
  check("temperature", temperature, temperature >= 0 && Number.isFinite(temperature), "a number >= 0 (0 is greedy)");
  check("top-p", topP, topP > 0 && topP <= 1, "a number above 0 and at most 1");
  check("top-k", topK, Number.isInteger(topK) && topK >= 0, "an integer >= 0 (0 for all tokens)");
  check(
    "repetition penalty",
    repetitionPenalty,
    repetitionPenalty > 0 && Number.isFinite(repetitionPenalty),
    "a positive number (1 for none)",
  );
  const greedy = temperature === 0 || (request.temperature === undefined && generation.doSample !== true);
  const eosTokenIds = request.eosTokenIds ?? generation.eosTokenIds ?? endTokens(ends);
  return {
    greedy,
    temperature: temperature === 0 ? 1 : temperature,
    topP,
    topK: greedy ? 0 : topK,
    repetitionPenalty,
    eosTokenIds,
  };
}
