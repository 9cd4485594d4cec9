/** The same questions to two servers of the OpenAI protocol, greedy: which tokens came, and with what log-probs. */
import OpenAI from "openai";
import type { ChatMessage } from "../../lib/rollout/chat-endpoint";

/** One answer. */
export interface GreedyAnswer {
  promptTokenIds: number[];
  tokenIds: number[];
  logProbs: number[];
  /** How far the token is ahead of the next best one. */
  leads: number[];
}

/** What the reply has beside OpenAI's fields, as vLLM and `fine-r1 serve` give it. */
interface Reply {
  prompt_token_ids?: number[];
  choices: {
    token_ids?: number[];
    logprobs?: { content?: { logprob: number; top_logprobs: { logprob: number }[] }[] | null } | null;
  }[];
}

/** The greedy answer of a server. @throws Error where it refuses, or a token has no id or log-prob */
export async function greedyAnswer(
  baseURL: string,
  model: string,
  messages: readonly ChatMessage[],
  maxTokens: number,
): Promise<GreedyAnswer> {
  const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0, logLevel: "off" });
  const reply = (await client.chat.completions.create({
    model,
    messages: messages as OpenAI.ChatCompletionMessageParam[],
    max_tokens: maxTokens,
    temperature: 0,
    logprobs: true,
    top_logprobs: 2,
    return_token_ids: true,
  } as OpenAI.ChatCompletionCreateParamsNonStreaming)) as unknown as Reply;
  const promptTokenIds = reply.prompt_token_ids;
  const [{ token_ids: tokenIds, logprobs }] = reply.choices;
  const content = logprobs?.content;
  if (!promptTokenIds || !tokenIds || content?.length !== tokenIds.length)
    throw new Error(`${baseURL}, model ${model}: the reply has no id and log-prob for each token`);
  const leads = content.map(({ top_logprobs: [first, second] }) => first.logprob - second.logprob);
  return { promptTokenIds, tokenIds, logProbs: content.map(({ logprob }) => logprob), leads };
}

/** Where the answers to a question part. */
export interface Parting {
  question: number;
  /** The first token that differs, from 0. */
  token: number;
  /** How far the token here was ahead of the next best one. */
  lead: number;
}

/** Two servers' answers to the same questions. */
export interface ComparedAnswers {
  questions: number;
  /** Answers that are the same to the last token. */
  same: number;
  /** Tokens up to where answers part, which log-probs are compared on. */
  tokens: number;
  /** Largest difference of a token's log-prob. */
  logProb: number;
  parted: Parting[];
}

/** @throws Error where the two did not read the same prompt */
export function compareAnswers(theirs: readonly GreedyAnswer[], here: readonly GreedyAnswer[]): ComparedAnswers {
  const result: ComparedAnswers = { questions: here.length, same: 0, tokens: 0, logProb: 0, parted: [] };
  if (theirs.length !== here.length) throw new Error(`${theirs.length} answers there, ${here.length} here`);
  here.forEach((own, question) => {
    const other = theirs[question];
    if (own.promptTokenIds.join() !== other.promptTokenIds.join())
      throw new Error(
        `question ${question}: a prompt of ${other.promptTokenIds.length} tokens there, of ${own.promptTokenIds.length} here, or of others`,
      );
    const longest = Math.max(own.tokenIds.length, other.tokenIds.length);
    let token = 0;
    while (token < longest && own.tokenIds[token] === other.tokenIds[token]) token++;
    for (let t = 0; t < token; t++)
      result.logProb = Math.max(result.logProb, Math.abs(own.logProbs[t] - other.logProbs[t]));
    result.tokens += token;
    if (token === longest) result.same++;
    else result.parted.push({ question, token, lead: own.leads[Math.min(token, own.leads.length - 1)] });
  });
  return result;
}

/** What is wrong with a comparison: log-probs further apart than the tolerance, or answers that part for more. */
export function faultOf({ logProb, parted, tokens }: ComparedAnswers, tolerance: number): string | null {
  if (tokens === 0) return "no token was compared";
  if (!(logProb <= tolerance)) return `a log-prob differs by ${logProb}`;
  const far = parted.find(({ lead }) => !(lead <= 2 * tolerance));
  return far ? `question ${far.question} parts at token ${far.token}, which was ahead by ${far.lead} here` : null;
}
