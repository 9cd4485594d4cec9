/** Which model another engine trains, and how it is held. */
import { modelFolder } from "../experiment/model-folder";
import type { Settings } from "../experiment/settings";
import { LORA_DEFAULTS } from "../model/lora-config";
import type { Yaml } from "./yaml";

/** The base model's directory, absolute. */
export const basePath = (settings: Settings): string => modelFolder(settings);

/** Whether matrix products are computed in bfloat16; `auto` is yes: other engines run on GPUs. */
export const usesBf16 = ({ precision }: Pick<Settings, "precision">): boolean => precision !== "float32";

/** Names of the layers that have an adapter, as PEFT takes them. */
export const loraTargets = ({ lora }: Pick<Settings, "lora">): Yaml =>
  lora.layers === "all" ? "all-linear" : (LORA_DEFAULTS.targetModules as string[]);

/** Where Stage 2 starts: what Stage 1 leaves, the base, or a directory. */
export function startOf(settings: Settings, afterStage1: string): string {
  if (settings.start === "sft") return afterStage1;
  return settings.start === "base" ? basePath(settings) : modelFolder({ model: settings.start });
}
