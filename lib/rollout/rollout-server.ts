/** Rollouts elsewhere: a server of the OpenAI protocol (`fine-r1 serve`) that draws as the generator here does. */
import { setMaxListeners } from "node:events";
import OpenAI from "openai";
import { redactor } from "../util/secrets";
import { checkBaseUrl, checkedKey } from "./chat-client";
import { endpointFetch } from "./endpoint-fetch";
import type { GenerateOptions } from "./types";

/** A prompt as it is sent. */
export interface RemotePrompt {
  /** The user's turn after the image. */
  text: string;
  /** As a data URL. */
  image: string;
  /** Its tokens here, which must be those that the server reads. */
  inputIds: readonly number[];
}

/** How it is answered: what the generator is told, and which of the list's prompts it is. */
export type RemoteOptions = Pick<
  GenerateOptions,
  "numGenerations" | "maxNewTokens" | "temperature" | "topP" | "seed" | "eosTokenIds" | "bannedTokenIds"
> & { promptIndex: number };

/** An answer with the server's log-probs, under the tempered softmax. */
export interface RemoteAnswer {
  tokenIds: number[];
  logProbs: number[];
  finished: boolean;
  /** Name of the weights that answered. */
  weights: string;
}

/** A server that samples. */
export interface RolloutServer {
  /** @throws Error naming the server, where it refuses, reads the prompt otherwise, or its answers make no sense */
  sample(prompt: RemotePrompt, options: RemoteOptions): Promise<RemoteAnswer[]>;
  /** @throws Error naming the server where it does not answer, or does not serve the model */
  ready(): Promise<void>;
  /** Has it put the weights of that name in place. @throws Error naming the server where it cannot */
  reload(name: string): Promise<void>;
}

/** How it is reached. */
export interface RolloutServerOptions {
  /** Up to and with `/v1`. */
  baseUrl: string;
  /** The model's name there. */
  model: string;
  /** From the environment alone. */
  apiKey?: string;
  /** For one attempt; default 600,000. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** What the reply has beside OpenAI's fields. */
interface WithTokens {
  prompt_token_ids?: number[];
  system_fingerprint?: string;
  choices: { token_ids?: number[]; logprobs?: { content?: { logprob: number }[] | null } | null }[];
}

const isSound = (ids: number[] | undefined, logProbs: number[] | undefined, most: number): boolean =>
  Array.isArray(ids) &&
  Array.isArray(logProbs) &&
  ids.length >= 1 &&
  ids.length <= most &&
  ids.length === logProbs.length &&
  ids.every((id) => Number.isSafeInteger(id) && id >= 0) &&
  logProbs.every((p) => Number.isFinite(p) && p <= 1e-3);

/** @throws Error where the base URL is none or has a password in it, or the key can't be one */
export function createRolloutServer(options: RolloutServerOptions): RolloutServer {
  const { baseUrl, model, apiKey, timeoutMs = 600_000, signal } = options;
  checkBaseUrl(baseUrl);
  const key = checkedKey(apiKey);
  const redact = redactor(apiKey === undefined ? null : key, "[key]");
  if (signal) setMaxListeners(0, signal); // many requests listen to one signal
  const client = new OpenAI({
    baseURL: baseUrl,
    apiKey: key,
    organization: null,
    project: null,
    logLevel: "off",
    timeout: timeoutMs,
    maxRetries: 4,
    fetch: endpointFetch(timeoutMs, () => undefined),
  });
  const fail = (what: string): never => {
    throw new Error(redact(`rollouts at ${baseUrl}, model ${model}: ${what}`));
  };
  const asked = async <T>(request: Promise<T>): Promise<T> => {
    try {
      return await request;
    } catch (error) {
      signal?.throwIfAborted();
      return fail((error as Error).message);
    }
  };
  return {
    ready: async () => {
      const { data } = await asked(client.models.list({ signal }));
      const names = Array.isArray(data) ? data.map(({ id }) => id) : [];
      if (!names.includes(model)) fail(`it serves ${names.join(", ") || "no model"}; name one of these`);
    },
    sample: async ({ text, image, inputIds }, how) => {
      const body = {
        model,
        messages: [
          {
            role: "user" as const,
            content: [
              { type: "image_url" as const, image_url: { url: image } },
              { type: "text" as const, text },
            ],
          },
        ],
        n: how.numGenerations,
        max_tokens: how.maxNewTokens,
        temperature: how.temperature,
        top_p: how.topP,
        top_k: 0,
        repetition_penalty: 1,
        seed: how.seed,
        seed_index: how.promptIndex,
        ignore_eos: true,
        stop_token_ids: how.eosTokenIds,
        logit_bias: Object.fromEntries(how.bannedTokenIds.map((id) => [String(id), -100])),
        logprobs: true,
        logprobs_of: "tempered",
        return_token_ids: true,
      };
      const reply = (await asked(client.chat.completions.create(body, { signal }))) as unknown as WithTokens;
      const ids = reply.prompt_token_ids;
      if (!Array.isArray(ids)) return fail("the reply has no token ids; is it fine-r1 serve?");
      if (ids.length !== inputIds.length || ids.some((id, i) => id !== inputIds[i]))
        return fail(
          `it read a prompt of ${ids.length} tokens, which has ${inputIds.length} here, or others; it needs this run's model and its limits of pixels`,
        );
      if (!Array.isArray(reply.choices) || reply.choices.length !== how.numGenerations)
        return fail(`${reply.choices?.length} answers in place of ${how.numGenerations}`);
      return reply.choices.map((choice, i): RemoteAnswer => {
        const tokenIds = choice.token_ids;
        const logProbs = choice.logprobs?.content?.map(({ logprob }) => logprob);
        if (!isSound(tokenIds, logProbs, how.maxNewTokens))
          return fail(`answer ${i} has no log-prob for each token, or more tokens than asked for`);
        const finished = how.eosTokenIds.includes(tokenIds![tokenIds!.length - 1]);
        return { tokenIds: tokenIds!, logProbs: logProbs!, finished, weights: reply.system_fingerprint ?? "" };
      });
    },
    reload: async (name) => {
      await asked(client.post("/reload", { body: { weights: name }, signal }));
    },
  };
}
