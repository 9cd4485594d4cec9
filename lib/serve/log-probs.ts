/** Log-probs of tokens as OpenAI's protocol gives them. */
import { BYTE_CHARACTERS } from "../processor/byte-level";
import type { Tokenizer } from "../processor/tokenizer";
import { logProbOf } from "../rollout/sample";

/** A token with its log-prob under the model's own softmax: no temperature, penalty or cut. */
export interface TokenLogProb {
  token: string;
  logprob: number;
  /** Its UTF-8 bytes; a token may be a part of a character. */
  bytes: number[];
}

/** A chosen token, and the most probable ones. */
export interface ChosenLogProb extends TokenLogProb {
  top_logprobs: TokenLogProb[];
}

const BYTE_OF: ReadonlyMap<string, number> = new Map(BYTE_CHARACTERS.map((character, byte) => [character, byte]));

/** The bytes that a token stands for: those of its byte-level characters, or of an added token as it is written. */
export function tokenBytes(tokenizer: Tokenizer, id: number): number[] {
  const token = tokenizer.token(id) ?? "";
  const bytes = tokenizer.specialIds.has(id) ? [undefined] : Array.from(token, (character) => BYTE_OF.get(character));
  return bytes.every((byte): byte is number => byte !== undefined) ? bytes : [...new TextEncoder().encode(token)];
}

/** Ids of the `k` largest values of a row, largest first; of equal ones the lower id. */
export function largest(values: Float32Array, start: number, size: number, k: number): number[] {
  const best: number[] = [];
  for (let id = 0; k > 0 && id < size; id++) {
    const value = values[start + id];
    if (best.length === k && !(value > values[start + best[k - 1]])) continue;
    let place = best.length;
    while (place > 0 && value > values[start + best[place - 1]]) place--;
    best.splice(place, 0, id);
    if (best.length > k) best.pop();
  }
  return best;
}

/** `softmax(logits / temperature)` of a row. */
export function softmax(logits: Float32Array, start: number, size: number, temperature: number): Float32Array {
  const row = logits.subarray(start, start + size);
  const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = row.map((x) => Math.exp((x - most) / temperature));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((x) => x / total);
}

/** The log-prob of `chosen` with `top` most probable tokens. @param logits rows of `size`, this one at `start` */
export function chosenLogProb(
  tokenizer: Tokenizer,
  logits: Float32Array,
  start: number,
  size: number,
  chosen: number,
  top: number,
  temperature = 1,
): ChosenLogProb {
  const of = (id: number, logprob: number): TokenLogProb => {
    const bytes = tokenBytes(tokenizer, id);
    return { token: Buffer.from(bytes).toString("utf8"), logprob, bytes };
  };
  const own = logProbOf(logits, start, size, chosen, temperature);
  const other = (id: number): number => own + (logits[start + id] - logits[start + chosen]) / temperature;
  return {
    ...of(chosen, own),
    top_logprobs: largest(logits, start, size, top).map((id) => of(id, id === chosen ? own : other(id))),
  };
}
