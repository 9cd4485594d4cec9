/** `plan`: what a run of a scale would need in memory with a checkpoint, before any of it is loaded. */
import { totalmem } from "node:os";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { readJson } from "../../lib/model/checkpoint";
import { parseConfig } from "../../lib/model/config";
import { LORA_DEFAULTS } from "../../lib/model/lora-config";
import { generationPhase, parameterCounts, trainingPhase, type Phase } from "../../lib/model/memory-plan";
import { loadPreprocessorConfig } from "../../lib/processor/preprocessor-config";
import { loadSettings, SCALES } from "../../lib/settings";

const USAGE = "npm run -s fine-r1 -- plan --model DIR --scale paper|default [--adapter] [--rank 16] [--max-pixels N] [--text-tokens 256] [--memory GIB]";
const GIB = 2 ** 30;
const gib = (bytes: number): string => `${(bytes / GIB).toFixed(2)} GiB`;

function positive(option: string, text: string | undefined, fallback: number): number {
  const value = text === undefined ? fallback : Number(text);
  if (!(Number.isFinite(value) && value > 0)) throw new Error(`--${option} is ${JSON.stringify(text)}; expected a positive number`);
  return value;
}

/** Memory of this machine, or what this process may use of it. */
function hostMemory(): number {
  const limit = (process as { constrainedMemory?: () => number }).constrainedMemory?.() ?? 0;
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

function lines({ name, items, bytes }: Phase): string[] {
  return [`${name}: ${gib(bytes)}`, ...items.map((item) => `  ${item.name.padEnd(20)} ${gib(item.bytes).padStart(14)}  ${item.how}`)];
}

/** Prints the plan. @returns exit code: 0 where every phase fits; 1 where one does not, or an argument is bad */
export async function run(args: string[]): Promise<number> {
  try {
    const text = { type: "string" } as const;
    const { values } = parseArgs({ args, options: { model: text, scale: text, adapter: { type: "boolean", default: false }, rank: text, "max-pixels": text, "text-tokens": text, memory: text } });
    if (values.model === undefined) throw new Error(`--model is missing; ${USAGE}`);
    const scale = SCALES.find((name) => name === values.scale);
    if (!scale) throw new Error(`--scale is ${values.scale ?? "missing"}; expected ${SCALES.join(", ")}; ${USAGE}`);
    const file = path.join(values.model, "config.json");
    const config = parseConfig(readJson(file), file);
    const { sft, rl } = loadSettings({ scale, environment: {} });
    const rank = positive("rank", values.rank, 16);
    const lora = values.adapter ? { ...LORA_DEFAULTS, rank, alpha: 2 * rank, targetModules: "all-linear" } : null;
    const maxPixels = positive("max-pixels", values["max-pixels"], loadPreprocessorConfig(values.model).maxPixels);
    const { patchSize, spatialMergeSize } = config.vision;
    const imageTokens = Math.max(1, Math.floor(maxPixels / (patchSize * spatialMergeSize) ** 2));
    const imagePatches = imageTokens * spatialMergeSize ** 2;
    const promptTokens = imageTokens + positive("text-tokens", values["text-tokens"], 256);
    const shape = (rows: number, images: number) => ({ rows, promptTokens, responseTokens: rl.maxNewTokens, images, imagePatches });
    // an update's parts are computed one after another
    const sftRows = Math.ceil(sft.batchSize / sft.gradientAccumulationSteps);
    const groups = rl.groupsPerStep / rl.updatesPerStep / rl.gradientAccumulationSteps;
    const counts = (factor: number) => parameterCounts(config, lora, factor > 0);
    const phases = [
      trainingPhase("SFT step", config, counts(sft.visionLearningRateScale), shape(sftRows, sftRows), 1, sft.visionLearningRateScale > 0, sft.gradientCheckpointing === "layers"),
      generationPhase("RL generation", config, counts(rl.visionLearningRateScale), shape(rl.groupsPerGeneration * rl.numGenerations, rl.groupsPerGeneration), rl.numGenerations),
      trainingPhase("TAPO update", config, counts(rl.visionLearningRateScale), shape(groups * rl.numGenerations, 2 * groups), 2, rl.visionLearningRateScale > 0, rl.gradientCheckpointing === "layers"),
    ];
    const memory = values.memory === undefined ? hostMemory() : GIB * positive("memory", values.memory, 0);
    const tooBig = phases.filter(({ bytes }) => bytes > memory);
    const how = `${values.model}, scale ${scale}, ${lora ? `an adapter of rank ${rank} on all linear layers` : "the whole model"}; images of at most ${imageTokens} tokens`;
    process.stdout.write(`${[how, ...phases.flatMap(lines), `memory: ${gib(memory)}${values.memory === undefined ? " (this machine's; --memory GIB for a device's)" : ""}`].join("\n")}\n`);
    for (const { name, bytes } of tooBig) process.stderr.write(`plan: ${name} needs ${gib(bytes)}, ${gib(bytes - memory)} more than there are: it cannot run\n`);
    return tooBig.length > 0 ? 1 : 0;
  } catch (error) {
    process.stderr.write(`plan: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}
