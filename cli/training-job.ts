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
import { choiceOf, countOf, numberOf } from "./arguments";

const text = { type: "string" } as const;

/** Options of both. */
export const JOB_OPTIONS = {
  model: text,
  adapter: text,
  data: { type: "string", multiple: true },
  out: text,
  scale: text,
  override: { type: "string", multiple: true },
  "save-steps": text,
  dtype: text,
  memory: text,
  "on-bad-row": text,
  json: { type: "boolean", default: false },
} as const;

export const JOB_USAGE =
  "[--adapter DIR] [--out DIR] [--scale paper|default|smoke] [--override NAME=VALUE]… [--save-steps N] [--dtype float32|bfloat16] [--memory GIB] [--on-bad-row stop|skip] [--json]";

/** What `JOB_OPTIONS` gave. */
export interface JobValues {
  model?: string;
  adapter?: string;
  data?: string[];
  out?: string;
  scale?: string;
  override?: string[];
  "save-steps"?: string;
  dtype?: string;
  memory?: string;
  json: boolean;
}

/** The job, and its data files. @throws Error naming the option that is wrong */
export function jobOf(
  values: JobValues,
  otherwise: string,
  usage: string,
): { job: Omit<Job, "onStep">; files: string[]; settings: Settings; config: ModelConfig; lora: LoraConfig | null } {
  const { model, adapter, data = [] } = values;
  if (model === undefined) throw new Error(`--model is missing; ${usage}`);
  if (data.length === 0) throw new Error(`--data is missing; ${usage}`);
  const scale = choiceOf("scale", values.scale, ["paper", "default", "smoke"], "paper");
  // augmentation and replay are the drawings' and the shipped base's; a photograph is trained as it is
  const settings = loadSettings({
    scale,
    set: ["sft.augmentation=0", "rl.augmentation=0", "sft.replayRows=0", ...(values.override ?? [])],
  });
  const out = path.resolve(values.out ?? otherwise);
  const file = path.join(model, "config.json");
  const dtype = choiceOf("dtype", values.dtype, ["float32", "bfloat16"], "float32");
  const adapterFile = adapter === undefined ? null : path.join(adapter, "adapter_config.json");
  return {
    job: {
      settings,
      model,
      adapter,
      out,
      saveSteps: countOf("save-steps", values["save-steps"], 0, 0),
      dtype: dtype === "bfloat16" ? "BF16" : "F32",
    },
    files: data.map((one) => path.resolve(one)),
    settings,
    config: parseConfig(readJson(file), file),
    lora:
      adapterFile === null
        ? loraConfig({ lora: settings.lora, model })
        : parseLoraConfig(readJson(adapterFile), adapterFile),
  };
}

/**
 * Reports the phases on stderr.
 * @param memory GiB of the device (`--memory`), or this machine's
 * @throws Error with the numbers where one does not fit
 */
export function assertFits(phases: readonly Phase[], sizes: RowSizes, memory: string | undefined): void {
  const there = memory === undefined ? hostMemory() : 2 ** 30 * (numberOf("memory", memory) ?? 0);
  for (const { name, bytes } of phases)
    process.stderr.write(
      `${name}: ${gib(bytes)} planned, ${gib(there)} there (rows of up to ${sizes.promptTokens + sizes.responseTokens} tokens)\n`,
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
