/**
 * `plan`: what a run of a scale would need, before any of it is loaded: memory with a checkpoint here, hours and price
 * in `plan-time.ts`.
 */
import * as path from "node:path";
import { imageTokens, plannedPhases } from "../lib/experiment/plan";
import { gib, hostMemory } from "../lib/util/room";
import { readJson } from "../lib/util/files";
import { storedWeightBytes } from "../lib/model/checkpoint";
import { parseConfig } from "../lib/model/config";
import { loraConfig } from "../lib/experiment/models";
import type { Phase } from "../lib/model/memory-plan";
import { loadPreprocessorConfig } from "../lib/processor/preprocessor-config";
import type { PlanOptions } from "./commands/plan";
import { settingsOf } from "./experiment";
import { note, print, printJson, snakeCase } from "./output";
import { adapterOf, printCalibration, printTimes } from "./plan-time";
import { UsageError } from "./values";

const GIB = 2 ** 30;

function lines({ name, items, bytes }: Phase): string[] {
  return [
    `${name}: ${gib(bytes)}`,
    ...items.map((item) => `  ${item.name.padEnd(20)} ${gib(item.bytes).padStart(14)}  ${item.how}`),
  ];
}

/** Prints the plan. @returns exit code: 0 where every phase fits; 1 where one does not */
export function run(options: PlanOptions): Promise<number> {
  if (options.calibration) return Promise.resolve(printCalibration(options));
  const timed = [options.size, options.device, options.subcategories].some((one) => one !== undefined);
  if (timed) printTimes(options);
  else if (options.model === undefined) throw new UsageError("--model is missing: DIR, or --size for a published one");
  if (options.model === undefined || timed) return Promise.resolve(0);
  return Promise.resolve(printMemory(options, options.model));
}

/** What the phases of a checkpoint's run hold. @returns exit code */
function printMemory(options: PlanOptions, model: string): number {
  const file = path.join(model, "config.json");
  const config = parseConfig(readJson(file), file);
  const settings = settingsOf(options);
  const lora = adapterOf(options) ?? loraConfig(settings);
  const [inSft, inRl] = [settings.sft.maxPixels, settings.rl.maxPixels].map(
    (limit) => options.maxPixels ?? (limit > 0 ? limit : loadPreprocessorConfig(model).maxPixels),
  );
  const planned = { config, lora, storedBytes: storedWeightBytes(model) };
  const { textTokens } = options;
  const phases = plannedPhases(planned, settings, { maxPixels: { sft: inSft, rl: inRl }, textTokens });
  const memory = options.memory === undefined ? hostMemory() : GIB * options.memory;
  const tooBig = phases.filter(({ bytes }) => bytes > memory);
  if (options.json) {
    printJson(snakeCase({ memory, phases }));
    return tooBig.length > 0 ? 1 : 0;
  }
  const trained = lora ? `an adapter of rank ${lora.rank}` : "the whole model";
  print(
    `${model}, scale ${settings.scale}, ${trained}; images of at most ${imageTokens(config, inSft)} tokens in SFT, ${imageTokens(config, inRl)} in RL`,
  );
  print(phases.flatMap(lines).join("\n"));
  print(
    `memory: ${gib(memory)}${options.memory === undefined ? " (this machine's; --memory GIB for a device's)" : ""}`,
  );
  for (const { name, bytes } of tooBig)
    note(`plan: ${name} needs ${gib(bytes)}, ${gib(bytes - memory)} more than there are: it cannot run`);
  return tooBig.length > 0 ? 1 : 0;
}
