/** What the commands `sft` and `rl` share: their options, the memory that is planned, the progress they print. */
import * as path from "node:path";
import { readJson } from "../lib/model/checkpoint";
import { loraConfig } from "../lib/experiment/adapters";
import { gib, hostMemory, type RowSizes } from "../lib/experiment/plan";
import type { Job } from "../lib/experiment/job";
import { parseConfig, type ModelConfig } from "../lib/model/config";
import { parseLoraConfig, type LoraConfig } from "../lib/model/lora-config";
import type { Phase } from "../lib/model/memory-plan";
import { progress, type Progress } from "../lib/report/progress";
import { loadSettings, type Settings } from "../lib/experiment/settings";
import type { RlOptions } from "./commands/rl";
import { note } from "./output";

/** Bytes of a GiB. */
export const GIB = 2 ** 30;

/** The adapter that is trained: that of `--adapter`, or a fresh one where `lora.rank` asks for it; null for the whole model. */
export function loraOf({ adapter, model }: { adapter?: string; model: string }, settings: Settings): LoraConfig | null {
  if (adapter === undefined) return loraConfig({ lora: settings.lora, model });
  const file = path.join(adapter, "adapter_config.json");
  return parseLoraConfig(readJson(file), file);
}

/** The options that both have. */
export type JobOptions = Omit<RlOptions, "method" | "out">;

/** A job, its data files, and what its memory depends on. */
export interface OpenedJob {
  job: Omit<Job, "onStep">;
  files: string[];
  settings: Settings;
  config: ModelConfig;
  lora: LoraConfig | null;
}

/** The job of the options. @param out its folder @throws Error naming the setting or file that is wrong */
export function jobOf(options: JobOptions, out: string): OpenedJob {
  const { model, adapter, data, scale, seed, saveSteps, dtype } = options;
  // augmentation and replay are the drawings' and the shipped base's; a photograph is trained as it is
  const photographs = ["sft.augmentation=0", "rl.augmentation=0", "sft.replayRows=0"];
  const settings = loadSettings({
    scale,
    set: [...photographs, ...options.set, ...(seed === undefined ? [] : [`seed=${seed}`])],
  });
  const file = path.join(model, "config.json");
  return {
    job: { settings, model, adapter, out: path.resolve(out), saveSteps, dtype: dtype === "bfloat16" ? "BF16" : "F32" },
    files: data.map((one) => path.resolve(one)),
    settings,
    config: parseConfig(readJson(file), file),
    lora: loraOf(options, settings),
  };
}

/**
 * Reports the phases on stderr.
 * @param memory GiB of the device (`--memory`), or this machine's
 * @throws Error with the numbers where one does not fit
 */
export function assertFits(phases: readonly Phase[], sizes: RowSizes, memory: number | undefined): void {
  const there = memory === undefined ? hostMemory() : GIB * memory;
  for (const { name, bytes } of phases)
    note(
      `${name}: ${gib(bytes)} planned, ${gib(there)} there (rows of up to ${sizes.promptTokens + sizes.responseTokens} tokens)`,
    );
  const tooBig = phases.find(({ bytes }) => bytes > there);
  if (tooBig)
    throw new Error(
      `${tooBig.name} needs ${gib(tooBig.bytes)}, ${gib(tooBig.bytes - there)} more than there are; \`plan\` shows what holds them: more gradientAccumulationSteps, fewer rl.promptsPerCall, a smaller maxPixels or an adapter (lora.rank) need less. --memory GIB says what a device has`,
    );
}

/** A job's `onStep` that prints progress, and `finish` for its end. */
export function stepProgress(label: string): { onStep: NonNullable<Job["onStep"]>; finish: () => void } {
  let bar: Progress | null = null;
  return {
    onStep: (step, total, note) => {
      bar ??= progress(label, total);
      bar.update(step, note);
    },
    finish: () => bar?.finish(),
  };
}
