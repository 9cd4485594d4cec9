/** `plan`: what a run of a scale would need in memory with a checkpoint, before any of it is loaded. */
import * as path from "node:path";
import { parseArgs } from "node:util";
import { gib, hostMemory, rlPhases, sftPhases } from "../lib/experiment/plan";
import { readJson } from "../lib/model/checkpoint";
import { parseConfig } from "../lib/model/config";
import { LORA_DEFAULTS } from "../lib/model/lora-config";
import type { Phase } from "../lib/model/memory-plan";
import { loadPreprocessorConfig } from "../lib/processor/preprocessor-config";
import { loadSettings, SCALES } from "../lib/experiment/settings";

const USAGE =
  "npm run -s fine-r1 -- plan --model DIR --scale paper|default [--adapter] [--rank 16] [--max-pixels N] [--text-tokens 256] [--memory GIB]";
const GIB = 2 ** 30;
/** Of an SFT row, tokens: `sft --max-length`. */
const MAX_LENGTH = 4096;

function positive(option: string, text: string | undefined, fallback: number): number {
  const value = text === undefined ? fallback : Number(text);
  if (!(Number.isFinite(value) && value > 0))
    throw new Error(`--${option} is ${JSON.stringify(text)}; expected a positive number`);
  return value;
}

function lines({ name, items, bytes }: Phase): string[] {
  return [
    `${name}: ${gib(bytes)}`,
    ...items.map((item) => `  ${item.name.padEnd(20)} ${gib(item.bytes).padStart(14)}  ${item.how}`),
  ];
}

/** Prints the plan. @returns exit code: 0 where every phase fits; 1 where one does not, or an argument is bad */
export async function run(args: string[]): Promise<number> {
  try {
    const text = { type: "string" } as const;
    const { values } = parseArgs({
      args,
      options: {
        model: text,
        scale: text,
        adapter: { type: "boolean", default: false },
        rank: text,
        "max-pixels": text,
        "text-tokens": text,
        memory: text,
      },
    });
    if (values.model === undefined) throw new Error(`--model is missing; ${USAGE}`);
    const scale = SCALES.find((name) => name === values.scale);
    if (!scale) throw new Error(`--scale is ${values.scale ?? "missing"}; expected ${SCALES.join(", ")}; ${USAGE}`);
    const file = path.join(values.model, "config.json");
    const config = parseConfig(readJson(file), file);
    const settings = loadSettings({ scale, environment: {} });
    const rank = positive("rank", values.rank, 16);
    const lora = values.adapter ? { ...LORA_DEFAULTS, rank, alpha: 2 * rank, targetModules: "all-linear" } : null;
    const sizes = (limit: number) => {
      const maxPixels = positive(
        "max-pixels",
        values["max-pixels"],
        limit > 0 ? limit : loadPreprocessorConfig(values.model!).maxPixels,
      );
      const { patchSize, spatialMergeSize } = config.vision;
      const imageTokens = Math.max(1, Math.floor(maxPixels / (patchSize * spatialMergeSize) ** 2));
      return {
        promptTokens: imageTokens + positive("text-tokens", values["text-tokens"], 256),
        imagePatches: imageTokens * spatialMergeSize ** 2,
        imageTokens,
      };
    };
    const [inSft, inRl] = [sizes(settings.sft.maxPixels), sizes(settings.rl.maxPixels)];
    const responseTokens = settings.rl.maxNewTokens;
    const phases = [
      ...sftPhases(config, settings, lora, {
        ...inSft,
        responseTokens: Math.max(1, Math.min(responseTokens, MAX_LENGTH - inSft.promptTokens)),
      }),
      ...rlPhases(config, settings, lora, { ...inRl, responseTokens }),
    ];
    const memory = values.memory === undefined ? hostMemory() : GIB * positive("memory", values.memory, 0);
    const tooBig = phases.filter(({ bytes }) => bytes > memory);
    const how = `${values.model}, scale ${scale}, ${lora ? `an adapter of rank ${rank} on all linear layers` : "the whole model"}; images of at most ${inSft.imageTokens} tokens in SFT, ${inRl.imageTokens} in RL`;
    process.stdout.write(
      `${[how, ...phases.flatMap(lines), `memory: ${gib(memory)}${values.memory === undefined ? " (this machine's; --memory GIB for a device's)" : ""}`].join("\n")}\n`,
    );
    for (const { name, bytes } of tooBig)
      process.stderr.write(
        `plan: ${name} needs ${gib(bytes)}, ${gib(bytes - memory)} more than there are: it cannot run\n`,
      );
    return tooBig.length > 0 ? 1 : 0;
  } catch (error) {
    process.stderr.write(`plan: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}
