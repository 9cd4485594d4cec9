/** What a run trains and saves: the whole model, or with `lora.rank` above 0 an adapter beside the base. */
import * as path from "node:path";
import { foldIn } from "../util/random";
import type { Params } from "../engine/tensorflow";
import { disposeTree, mapParams } from "../engine/tree";
import type { Experiment } from "./experiment";
import { loadAdapter, saveAdapter } from "../model/adapter";
import { loadModel, saveModel } from "../model/checkpoint";
import { initLora, mergeLora, splitAdapter } from "../model/lora";
import { LORA_DEFAULTS, type LoraConfig } from "../model/lora-config";
import type { Settings } from "./settings";

/** The adapter of a stage: its configuration and PEFT's directory. */
export interface StageAdapter {
  lora: LoraConfig;
  folder: string;
}

/** The adapter's configuration under a run's settings; null where the whole model is trained. */
export function loraConfig({ lora, model }: Pick<Settings, "lora" | "model">): LoraConfig | null {
  if (lora.rank === 0) return null;
  return {
    ...LORA_DEFAULTS,
    rank: lora.rank,
    alpha: lora.alpha,
    targetModules: lora.layers === "all" ? "all-linear" : LORA_DEFAULTS.targetModules,
    baseModel: model,
  };
}

/** The adapter of the stage `name` (`adapters/<name>` in the run's folder), or null. */
export function adapterOf(
  { settings, folder }: Pick<Experiment, "settings" | "folder">,
  name: string,
): StageAdapter | null {
  const lora = loraConfig(settings);
  return lora && { lora, folder: path.join(folder, "adapters", name) };
}

/** What SFT starts from: the base, with a fresh adapter where a run trains one. The caller disposes it. */
export function startOfSft({ settings, base, bench }: Pick<Experiment, "settings" | "base" | "bench">): Params {
  const lora = loraConfig(settings);
  return {
    ...mapParams(base, (p) => p.clone()),
    ...(lora ? initLora(bench.config, lora, foldIn(settings.seed, "lora")) : {}),
  };
}

/** Loads what `saveTrained` wrote: the model, or the base with the adapter beside it, so that RL goes on training it. The caller disposes it. */
export function loadTrained(
  { base, bench }: Pick<Experiment, "base" | "bench">,
  folder: string,
  adapter: StageAdapter | null,
): Params {
  if (!adapter) return loadModel(folder).params;
  return { ...loadAdapter(adapter.folder, bench.config).params, ...mapParams(base, (p) => p.clone()) };
}

/** Saves a plain model (an adapter is merged into it), and the adapter in PEFT's form. `params` stay the caller's. */
export function saveTrained(
  { bench }: Pick<Experiment, "bench">,
  folder: string,
  adapter: StageAdapter | null,
  params: Params,
  files: Record<string, string>,
): void {
  if (adapter)
    saveAdapter(adapter.folder, { config: bench.config, lora: adapter.lora, params: splitAdapter(params).adapter });
  const plain = adapter ? mergeLora(params) : params;
  try {
    saveModel(folder, {
      config: bench.config,
      params: plain,
      generationConfig: { eosTokenIds: bench.eosTokenIds, doSample: false },
      files,
    });
  } finally {
    if (adapter) disposeTree(plain);
  }
}
