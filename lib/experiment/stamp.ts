/** Stamps of saved stages: a stage is used again under the same code, data and settings, and made anew otherwise. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import type { Experiment } from "./experiment";
import { provenance } from "./run";
import type { Settings } from "./settings";

/** A stage's stamp: equal stamps mean equal results. */
export function stageStamp(experiment: Experiment, stage: string, parts: (keyof Settings)[]): string {
  const { code, data } = provenance(experiment.settings);
  const chosen = Object.fromEntries(parts.map((part) => [part, experiment.settings[part]]));
  const { seed, model, prompts } = experiment.settings;
  return createHash("sha256")
    .update(JSON.stringify({ stage, code, data, seed, bf16: experiment.bf16, model, prompts, chosen }))
    .digest("hex");
}

export const stampFile = (target: string): string => `${target}.stamp`;
export const isFresh = (target: string, stamp: string): boolean =>
  existsSync(target) && existsSync(stampFile(target)) && readFileSync(stampFile(target), "utf8") === stamp;
