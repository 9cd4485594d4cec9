/** The servers that can sample for Stage 2: what each is told, and how each is given new weights, in its own form. */
import * as path from "node:path";
import { fingerprint } from "../util/hash";
import { foldIn } from "../util/random";

/** A policy on disk: an adapter in PEFT's form, or a whole model. */
export interface SavedWeights {
  /** Absolute; the server sees it too. */
  folder: string;
  isAdapter: boolean;
}

/** Requests beside sampling. */
export interface EngineClient {
  /** Up to and with `/v1`. */
  baseUrl: string;
  /** @param at behind the base URL, or an absolute URL @throws Error naming the server, as it answers */
  post(at: string, body: object): Promise<void>;
  /** Names of the models and adapters that it serves. */
  models(): Promise<string[]>;
}

/** What differs between servers. */
export interface RolloutEngine {
  /** What to look at where it refuses weights. */
  advice: string;
  /** Fields of a request that only this server has, the seed among them. */
  fields(how: { seed: number; promptIndex: number }): Record<string, unknown>;
  /** The field of a reply that names the weights which answered. */
  weightsField: "system_fingerprint" | "model";
  /**
   * Has the server put weights in place.
   * @param model as its requests have called it so far
   * @returns what they call it from now on, and what replies call the weights
   */
  reload(client: EngineClient, saved: SavedWeights, model: string): Promise<{ model: string; weights: string }>;
}

/** `fine-r1 serve`: draws what the generator here would draw, and gives log-probs before the nucleus. */
const fineR1: RolloutEngine = {
  advice: "it puts weights in place where it was started with --weights",
  fields: ({ seed, promptIndex }) => ({ seed, seed_index: promptIndex, logprobs_of: "tempered" }),
  weightsField: "system_fingerprint",
  reload: async ({ post }, { folder }, model) => {
    const weights = path.basename(folder);
    await post("/reload", { weights });
    return { model, weights };
  },
};

/** How the names of pushed adapters begin. */
const PUSHED = "fine-r1-";

/**
 * vLLM. An adapter is loaded under a name that is a hash of its weights, and asked for by it: blocks of the prefix
 * cache are found by the adapter's name, so that a name used twice could bring back an older policy's
 * (vllm-project/vllm#42125). A whole model takes the place of the one that is served; that replies come from it cannot
 * be seen from them.
 */
const vllm: RolloutEngine = {
  advice:
    "vLLM takes adapters where it was started with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=1, whole models with VLLM_SERVER_DEV_MODE=1",
  // one seed would draw the same numbers for every prompt
  fields: ({ seed, promptIndex }) => ({ seed: foldIn(seed, promptIndex) }),
  weightsField: "model",
  reload: async ({ baseUrl, post, models }, { folder, isAdapter }, model) => {
    if (!isAdapter) {
      const root = baseUrl.replace(/\/v1\/?$/, "");
      await post(`${root}/collective_rpc`, { method: "reload_weights", kwargs: { weights_path: folder } });
      for (const cache of ["prefix", "mm", "encoder"]) await post(`${root}/reset_${cache}_cache`, {});
      return { model, weights: model };
    }
    const name = `${PUSHED}${fingerprint(folder).slice(0, 16)}`;
    if (!(await models()).includes(name)) await post("/load_lora_adapter", { lora_name: name, lora_path: folder });
    if (model.startsWith(PUSHED) && model !== name) await post("/unload_lora_adapter", { lora_name: model });
    return { model: name, weights: name };
  },
};

/** The engine of a server, by whom its list of models says that they are owned by. */
export const engineOf = (ownedBy: string | undefined): RolloutEngine => (ownedBy === "vllm" ? vllm : fineR1);
