/** `serve`: a checkpoint behind OpenAI's protocol, until it is interrupted. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { disposeTree } from "../lib/engine/tree";
import { loadAdapter } from "../lib/model/adapter";
import { loadModel } from "../lib/model/checkpoint";
import { loadProcessor } from "../lib/processor/processor";
import { createCompletions } from "../lib/serve/completions";
import { DEFAULT_LIMITS, type Limits } from "../lib/serve/limits";
import { startServer } from "../lib/serve/server";
import { loadWeights } from "../lib/serve/weights";
import type { ServeOptions } from "./commands/serve";
import { note, print } from "./output";
import { chosenPrecision } from "./precision";
import { UsageError } from "./values";

/** The key that requests need; null where there is none. @throws Error, without the key in it, where it can't be one */
function requiredKey(): string | null {
  const key = process.env.FINE_R1_SERVE_KEY?.trim() ?? "";
  if (key !== "" && !/^[\x21-\x7e]+$/.test(key))
    throw new Error("FINE_R1_SERVE_KEY has spaces or characters that can't stand in a header; give letters and digits");
  return key === "" ? null : key;
}

const limitsOf = (options: ServeOptions): Limits => ({
  ...DEFAULT_LIMITS,
  bodyBytes: Math.floor(options.maxBody * 2 ** 20),
  heldBytes: Math.floor(options.maxHeld * 2 ** 20),
  imagePixels: options.maxImagePixels,
  n: options.maxAnswers,
  answerTokens: options.maxNewTokens,
  contextTokens: options.maxContext,
});

/** Waits for Ctrl-C or SIGTERM; a second one ends the process at once. */
function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    let heard = false;
    const end = (): void => {
      if (heard) process.exit(130);
      heard = true;
      resolve();
    };
    process.on("SIGINT", end);
    process.on("SIGTERM", end);
  });
}

/**
 * Serves until it is interrupted; what is under way then ends with an error that says so.
 * @returns exit code 0
 * @throws Error where the checkpoint is bad or the port is taken
 */
export async function run(options: ServeOptions): Promise<number> {
  const { model, adapter, port, slots, dtype, weights } = options;
  const name = options.modelName ?? path.basename(path.resolve(model));
  if (name.trim() === "") throw new UsageError("--model-name is empty; expected a name");
  const apiKey = requiredKey();
  const limits = limitsOf(options);
  const end = interrupted();
  const bf16 = chosenPrecision(options);
  if (!existsSync(model)) throw new Error(`${model}: there is no such folder; --model is a checkpoint's directory`);
  if (weights !== undefined && !existsSync(weights)) throw new Error(`${weights}: there is no such folder (--weights)`);
  const processor = loadProcessor(model);
  const { config, params: base, generationConfig } = loadModel(model, { dtype });
  let params = base;
  try {
    if (adapter !== undefined) params = { ...base, ...loadAdapter(adapter, config).params };
    const completions = createCompletions({ name, params, config, generationConfig, processor }, slots, limits, {
      bf16,
    });
    const server = await startServer(completions, {
      port,
      apiKey,
      limits,
      loadWeights: weights === undefined ? null : (called) => loadWeights(weights, called, config, base, { dtype }),
    });
    print(`${name} at ${server.baseUrl}${apiKey === null ? "" : ", with an API key"}; Ctrl-C ends it`);
    await end;
    note(completions.load === 0 ? "ending" : `ending; requests cut off: ${completions.load}`);
    await server.close();
    return 0;
  } finally {
    disposeTree(params);
  }
}
