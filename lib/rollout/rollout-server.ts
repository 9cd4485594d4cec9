/** Rollouts elsewhere: a server of the OpenAI protocol (`fine-r1 serve`, vLLM) that samples for Stage 2. */
import { setMaxListeners } from "node:events";
import { redactedJson } from "../util/secrets";
import { openClient } from "./openai-client";
import { engineOf, type EngineClient, type SavedWeights } from "./rollout-engines";
import { parseRollouts, servedModels, type RemoteAnswer } from "./rollout-reply";
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

/** A server that samples. */
export interface RolloutServer {
  /** @throws Error naming the server, where it refuses, reads the prompt otherwise, or its answers make no sense */
  sample(prompt: RemotePrompt, options: RemoteOptions): Promise<RemoteAnswer[]>;
  /**
   * Has it put weights in place.
   * @returns the name that answers give to these weights
   * @throws Error naming the server where it cannot
   */
  reload(saved: SavedWeights): Promise<string>;
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

/**
 * Asks a server which models it has, and which engine it is.
 * @throws Error where the base URL is none or has a password in it, the key can't be one, the server does not answer,
 * or it does not serve the model
 */
export async function connectRollouts(options: RolloutServerOptions): Promise<RolloutServer> {
  const { baseUrl, model, apiKey, timeoutMs = 600_000, signal } = options;
  if (signal) setMaxListeners(0, signal); // many requests listen to one signal
  const { client, redact, failureOf } = openClient({ baseUrl, apiKey, timeoutMs, maxRetries: 4 });
  const fail = (what: string): never => {
    throw new Error(redact(`rollouts at ${baseUrl}, model ${model}: ${what}`));
  };
  /** What `read` makes of the body of a request, which has no key in it any more. */
  const asked = async <T>(request: Promise<unknown>, read: (body: unknown) => T, advice = ""): Promise<T> => {
    try {
      return read(redactedJson(await request, redact));
    } catch (error) {
      signal?.throwIfAborted();
      return fail(`${failureOf(error).message}${advice}`);
    }
  };
  const models = () => asked(client.get("/models", { signal }), servedModels);
  const served = await models();
  const own = served.find(({ id }) => id === redact(model));
  if (own === undefined)
    return fail(`it serves ${served.map(({ id }) => id).join(", ") || "no model"}; name one of these`);
  const engine = engineOf(own.ownedBy);
  const reloading: EngineClient = {
    baseUrl,
    post: (at, body) => asked(client.post(at, { body, signal }), () => undefined, `; ${engine.advice}`),
    models: async () => (await models()).map(({ id }) => id),
  };
  let current = model;
  return {
    sample: async ({ text, image, inputIds }, how) => {
      const body = {
        model: current,
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
        ignore_eos: true,
        stop_token_ids: how.eosTokenIds,
        logit_bias: Object.fromEntries(how.bannedTokenIds.map((id) => [String(id), -100])),
        logprobs: true,
        return_token_ids: true,
        ...engine.fields(how),
      };
      const request = client.post("/chat/completions", { body, signal });
      return asked(request, (reply) => parseRollouts(reply, { inputIds, ...how }, engine.weightsField));
    },
    reload: async (saved) => {
      const put = await engine.reload(reloading, saved, current);
      current = put.model;
      return redact(put.weights); // as answers name it
    },
  };
}
