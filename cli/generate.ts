/** `generate`: what a checkpoint says to a prompt with images of any size. */
import { parseArgs } from "node:util";
import { canCompile } from "../lib/engine/native";
import { useBf16 } from "../lib/engine/precision";
import { disposeTree } from "../lib/engine/tree";
import { loadAdapter } from "../lib/model/adapter";
import { loadModel } from "../lib/model/checkpoint";
import type { Message } from "../lib/processor/chat-template";
import { loadProcessor } from "../lib/processor/processor";
import { createTextGenerator } from "../lib/rollout/text-generator";
import { choiceOf, FLOAT_TYPES, numberOf } from "./arguments";

const USAGE =
  "npm run -s fine-r1 -- generate --model DIR --prompt TEXT --max-new-tokens N [--image FILE]… [--system TEXT] [--temperature T] [--top-p P] [--top-k K] " +
  "[--repetition-penalty R] [--seed S] [--adapter DIR] [--dtype auto|float32|bfloat16] [--precision auto|float32|bfloat16] [--ignore-eos] [--json]";

/**
 * Streams the response's text; `--json` prints `{promptTokenIds, imageGridThw, tokenIds, logProbs, text}` on one line
 * instead. What is not given comes from the checkpoint's `generation_config.json`. `--dtype` says how weights are held (`auto`: in
 * bfloat16 what is stored so, which changes no number) and `--precision` in what matrix products are computed (default float32;
 * `auto`: bfloat16 where the device has it).
 * @returns exit code: 0; 1 where the checkpoint, an image or an argument is bad
 */
export async function run(args: string[]): Promise<number> {
  try {
    const text = { type: "string" } as const;
    const { values } = parseArgs({
      args,
      options: {
        model: text,
        image: { type: "string", multiple: true, default: [] },
        prompt: text,
        system: text,
        "max-new-tokens": text,
        temperature: text,
        "top-p": text,
        "top-k": text,
        "repetition-penalty": text,
        seed: text,
        adapter: text,
        dtype: text,
        precision: text,
        "ignore-eos": { type: "boolean", default: false },
        json: { type: "boolean", default: false },
      },
    });
    const missing = (["model", "prompt", "max-new-tokens"] as const).find((name) => values[name] === undefined);
    if (missing) throw new Error(`--${missing} is missing; ${USAGE}`);
    const { model: dir, prompt, system, image: images } = values as typeof values & { model: string; prompt: string };
    const seed = numberOf("seed", values.seed) ?? 0;
    if (!Number.isInteger(seed)) throw new Error(`--seed is ${seed}; expected an integer`);
    const dtype = choiceOf("dtype", values.dtype, FLOAT_TYPES, "auto");
    const bf16 = useBf16(choiceOf("precision", values.precision, FLOAT_TYPES, "float32"));
    if (bf16 && !canCompile())
      throw new Error(
        "--precision bfloat16 needs the native engine: npm run -s fine-r1 -- doctor says why it is not there",
      );
    const processor = loadProcessor(dir);
    const { config, params: base, generationConfig } = loadModel(dir, { dtype });
    let params = base;
    const messages: Message[] = [
      ...(system === undefined ? [] : [{ role: "system" as const, content: system }]),
      {
        role: "user",
        content:
          images.length === 0
            ? prompt
            : [...images.map((image) => ({ type: "image" as const, image })), { type: "text" as const, text: prompt }],
      },
    ];
    try {
      if (values.adapter !== undefined) params = { ...base, ...loadAdapter(values.adapter, config).params };
      const result = await createTextGenerator(config, processor, generationConfig, { bf16 }).generate(
        params,
        messages,
        {
          maxNewTokens: numberOf("max-new-tokens", values["max-new-tokens"])!,
          temperature: numberOf("temperature", values.temperature),
          topP: numberOf("top-p", values["top-p"]),
          topK: numberOf("top-k", values["top-k"]),
          repetitionPenalty: numberOf("repetition-penalty", values["repetition-penalty"]),
          seed,
          eosTokenIds: values["ignore-eos"] ? [] : undefined,
          onText: values.json ? undefined : (piece) => void process.stdout.write(piece),
        },
      );
      const { promptTokenIds, imageGridThw, tokenIds, logProbs } = result;
      process.stdout.write(
        values.json
          ? `${JSON.stringify({ promptTokenIds, imageGridThw, tokenIds, logProbs, text: result.text })}\n`
          : "\n",
      );
    } finally {
      disposeTree(params);
    }
    return 0;
  } catch (error) {
    process.stderr.write(`generate: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}
