/** `generate`: what a checkpoint says to a prompt with images of any size. */
import { disposeTree } from "../lib/engine/tree";
import { loadAdapter } from "../lib/model/adapter";
import { loadModel } from "../lib/model/checkpoint";
import type { Message } from "../lib/processor/chat-template";
import { loadProcessor } from "../lib/processor/processor";
import { createTextGenerator } from "../lib/rollout/text-generator";
import type { GenerateOptions } from "./commands/generate";
import { print, printJson, printPiece } from "./output";
import { chosenPrecision } from "./precision";

/** The conversation so far: images before the prompt. */
function messagesOf({ system, prompt, image: images }: GenerateOptions): Message[] {
  const text = { type: "text" as const, text: prompt };
  const content = images.length === 0 ? prompt : [...images.map((image) => ({ type: "image" as const, image })), text];
  return [...(system === undefined ? [] : [{ role: "system" as const, content: system }]), { role: "user", content }];
}

/**
 * Streams the response's text; `--json` prints `{prompt_token_ids, image_grid_thw, token_ids, log_probs, text}` on one
 * line instead.
 * @returns exit code 0
 * @throws Error where the checkpoint, an image or an option is bad
 */
export async function run(options: GenerateOptions): Promise<number> {
  const { model, adapter, maxNewTokens, temperature, topP, topK, repetitionPenalty, seed, ignoreEos, json } = options;
  const bf16 = chosenPrecision(options);
  const processor = loadProcessor(model);
  const { config, params: base, generationConfig } = loadModel(model, { dtype: options.dtype });
  let params = base;
  try {
    if (adapter !== undefined) params = { ...base, ...loadAdapter(adapter, config).params };
    const generator = createTextGenerator(config, processor, generationConfig, { bf16 });
    const result = await generator.generate(params, messagesOf(options), {
      maxNewTokens,
      temperature,
      topP,
      topK,
      repetitionPenalty,
      seed,
      eosTokenIds: ignoreEos ? [] : undefined,
      onText: json ? undefined : printPiece,
    });
    if (!json) print();
    else
      printJson({
        prompt_token_ids: result.promptTokenIds,
        image_grid_thw: result.imageGridThw,
        token_ids: result.tokenIds,
        log_probs: result.logProbs,
        text: result.text,
      });
    return 0;
  } finally {
    disposeTree(params);
  }
}
