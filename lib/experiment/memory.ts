/** The memory plan of a stage, told before a model is loaded. */
import { storedWeightBytes } from "../model/checkpoint";
import type { Phase } from "../model/memory-plan";
import { loraConfig } from "./models";
import { gib, hostMemory } from "../util/room";
import type { PlannedModel } from "./plan";
import { modelFolder } from "./model-folder";
import type { Experiment } from "./types";

/** What an experiment trains. */
export function plannedModel({ config, settings }: Pick<Experiment, "config" | "settings">): PlannedModel {
  return { config, lora: loraConfig(settings), storedBytes: storedWeightBytes(modelFolder(settings)) };
}

/**
 * Says what each phase needs, on one line.
 * @throws Error with the numbers where one does not fit
 */
export function assertFits({ settings, say }: Pick<Experiment, "settings" | "say">, phases: readonly Phase[]): void {
  const there = settings.memory > 0 ? settings.memory * 2 ** 30 : hostMemory();
  say(`memory: ${phases.map(({ name, bytes }) => `${name} ${gib(bytes)}`).join(", ")}; ${gib(there)} there`);
  const tooBig = phases.find(({ bytes }) => bytes > there);
  if (!tooBig) return;
  throw new Error(
    `${tooBig.name} needs ${gib(tooBig.bytes)}, ${gib(tooBig.bytes - there)} more than there are; \`plan\` shows what holds them. ` +
      "More gradientAccumulationSteps, fewer rl.promptsPerCall, a smaller maxPixels or an adapter (lora.rank) need less; memory=GIB says what a device has",
  );
}
