/** What a server of rollouts replied, checked field by field: an error names the field and what it held. */
import { shownValue } from "../util/json-text";

/** An answer with the server's log-probs, under the tempered softmax. */
export interface RemoteAnswer {
  tokenIds: number[];
  logProbs: number[];
  finished: boolean;
  /** Name of the weights that answered. */
  weights: string;
}

/** What was asked. */
export interface AskedRollouts {
  /** Tokens of the prompt here. */
  inputIds: readonly number[];
  numGenerations: number;
  maxNewTokens: number;
  eosTokenIds: readonly number[];
}

/** Log-probs are at most 0, but for rounding. */
const LARGEST_LOG_PROB = 1e-3;

/** @throws Error */
function refuse(field: string, value: unknown, expected: string): never {
  throw new Error(`the reply's ${field} is ${shownValue(value)}; expected ${expected}`);
}

function objectAt(value: unknown, field: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse(field, value, "an object");
  return value as Record<string, unknown>;
}

function listAt(value: unknown, field: string): unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : refuse(field, value, "a list (is it fine-r1 serve?)");
}

const tokensAt = (value: unknown, field: string): number[] =>
  listAt(value, field).map((id, i) =>
    Number.isSafeInteger(id) && (id as number) >= 0
      ? (id as number)
      : refuse(`${field}[${i}]`, id, "the number of a token"),
  );

function logProbAt(entry: unknown, field: string): number {
  const { logprob } = objectAt(entry, field);
  return typeof logprob === "number" && Number.isFinite(logprob) && logprob <= LARGEST_LOG_PROB
    ? logprob
    : refuse(`${field}.logprob`, logprob, "a finite number of at most 0");
}

function answerAt(choice: unknown, field: string, { maxNewTokens, eosTokenIds }: AskedRollouts) {
  const { token_ids, logprobs } = objectAt(choice, field);
  const tokenIds = tokensAt(token_ids, `${field}.token_ids`);
  if (tokenIds.length < 1 || tokenIds.length > maxNewTokens)
    return refuse(`${field}.token_ids`, `${tokenIds.length} tokens`, `1 to ${maxNewTokens}`);
  const content = `${field}.logprobs.content`;
  const entries = listAt(objectAt(logprobs, `${field}.logprobs`).content, content);
  if (entries.length !== tokenIds.length)
    return refuse(content, `${entries.length} entries`, `one for each of ${tokenIds.length} tokens`);
  const logProbs = entries.map((entry, i) => logProbAt(entry, `${content}[${i}]`));
  return { tokenIds, logProbs, finished: eosTokenIds.includes(tokenIds[tokenIds.length - 1]) };
}

/**
 * The answers of a body of `/chat/completions`.
 * @param weightsField the field that names the weights which answered
 * @throws Error naming the field that is not as it should be, or where the server read another prompt
 */
export function parseRollouts(
  reply: unknown,
  asked: AskedRollouts,
  weightsField: "system_fingerprint" | "model",
): RemoteAnswer[] {
  const { prompt_token_ids, choices, [weightsField]: weights } = objectAt(reply, "body");
  const { inputIds, numGenerations } = asked;
  const ids = tokensAt(prompt_token_ids, "prompt_token_ids");
  if (ids.length !== inputIds.length || ids.some((id, i) => id !== inputIds[i]))
    throw new Error(
      `it read a prompt of ${ids.length} tokens, which has ${inputIds.length} here, or others; it needs this run's model and its limits of pixels`,
    );
  const answers = listAt(choices, "choices");
  if (answers.length !== numGenerations) refuse("choices", `${answers.length} answers`, `${numGenerations}`);
  if (typeof weights !== "string") return refuse(weightsField, weights, "the name of its weights");
  return answers.map((choice, i) => ({ ...answerAt(choice, `choices[${i}]`, asked), weights }));
}

/** A model that a server has. */
export interface ServedModel {
  id: string;
  /** Who made the server, where it says so. */
  ownedBy?: string;
}

/** The models in a body of `/models`. @throws Error naming the field that is not as it should be */
export const servedModels = (body: unknown): ServedModel[] =>
  listAt(objectAt(body, "body").data, "data").map((entry, i) => {
    const { id, owned_by } = objectAt(entry, `data[${i}]`);
    if (typeof id !== "string") return refuse(`data[${i}].id`, id, "a model's name");
    return typeof owned_by === "string" ? { id, ownedBy: owned_by } : { id };
  });
