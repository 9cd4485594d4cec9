/** A LoRA adapter as PEFT's directory: adapter_config.json and adapter_model.safetensors. */
import * as fs from "node:fs";
import * as path from "node:path";
import type { Params } from "../engine/tensorflow";
import { publishedName, readJson } from "./checkpoint";
import type { ModelConfig } from "./config";
import { replaceDirectory } from "./directory";
import { currentName, loraModules, loraConstants, loraShapes } from "./lora";
import { loraConfigToJson, parseLoraConfig, type LoraConfig } from "./lora-config";
import { readHeader, readTensor, writeSafetensors, type ReadOptions, type SafetensorsHeader } from "./safetensors";

/** A loaded adapter. */
export interface LoadedAdapter {
  lora: LoraConfig;
  /** Its tensors under the model's names (`lora.ts`), to be put beside the model's: `{ ...params, ...adapter.params }`. The caller disposes them. */
  params: Params;
}

const PREFIX = "base_model.model.";

/** A PEFT tensor's name here; null where it is no A or B of a linear layer. `language_model.` stood alone for a while. */
function ownName(stored: string): string | null {
  const match = /^base_model\.model\.(.+)\.lora_(A|B)\.(?:default\.)?weight$/.exec(stored);
  if (!match) return null;
  const module = match[1]
    .replace(/^language_model\.(?:model\.)?/, "model.")
    .replace(/^(?!model\.|visual\.|lm_head$)/, "model.");
  return `${publishedName(module)}.lora_${match[2]}.weight`;
}

/** Where each tensor of the adapter is. @throws Error naming file, tensor and both shapes where the adapter is for another base */
function locate(header: SafetensorsHeader, shapes: Record<string, number[]>): Map<string, string> {
  const { file, entries } = header;
  const places = new Map<string, string>();
  for (const [stored, { shape }] of Object.entries(entries)) {
    const name = ownName(stored);
    if (name === null)
      throw new Error(
        `${file}: tensor ${stored} [${shape.join(", ")}] is no lora_A or lora_B of a linear layer; nothing else is supported`,
      );
    const expected = shapes[name] as number[] | undefined; // a name that ends in .lora_A.weight is no property of every object
    if (!expected)
      throw new Error(
        `${file}: tensor ${stored} [${shape.join(", ")}] adapts a layer that target_modules don't name or this model doesn't have; the adapter is for another base`,
      );
    if (shape.join() !== expected.join())
      throw new Error(
        `${file}: tensor ${stored} has shape [${shape.join(", ")}]; this model and adapter_config.json ask for [${expected.join(", ")}]: the adapter is for another base or rank`,
      );
    const twin = places.get(name);
    if (twin) throw new Error(`${file}: tensors ${twin} and ${stored} are the same layer's`);
    places.set(name, stored);
  }
  const missing = Object.keys(shapes).filter((name) => !places.has(name));
  if (missing.length > 0)
    throw new Error(
      `${file}: ${missing.length} tensors are missing that target_modules ask for, the first is ${missing[0]} [${shapes[missing[0]].join(", ")}]`,
    );
  return places;
}

const weightShapes = (config: ModelConfig, lora: LoraConfig): Record<string, number[]> =>
  Object.fromEntries(
    Object.entries(loraShapes(loraModules(config, lora))).filter(([name]) => name.endsWith(".weight")),
  );

/**
 * Loads an adapter for a model, under any of the module names that versions of transformers gave it.
 * @throws Error naming file, field or tensor, and both shapes; nothing stays loaded then
 */
export function loadAdapter(dir: string, config: ModelConfig, options: ReadOptions = {}): LoadedAdapter {
  const configFile = path.join(dir, "adapter_config.json");
  const lora = parseLoraConfig(readJson(configFile), configFile);
  const file = path.join(dir, "adapter_model.safetensors");
  if (!fs.existsSync(file))
    throw new Error(
      `${dir}: adapter_model.safetensors is missing; adapters in other formats have to be saved anew with PEFT`,
    );
  const header = readHeader(file);
  const places = locate(header, weightShapes(config, lora));
  const params = loraConstants(loraModules(config, lora));
  try {
    for (const [name, stored] of places) params[name] = readTensor(header, stored, options);
  } catch (error) {
    Object.values(params).forEach((tensor) => tensor.dispose());
    throw error;
  }
  return { lora, params };
}

/** What `saveAdapter` writes. */
export interface SavedAdapter {
  config: ModelConfig;
  lora: LoraConfig;
  /** Holds the adapter's tensors; others are left alone. */
  params: Params;
  /** Storage of the weights; default F32. */
  dtype?: "F32" | "F16" | "BF16";
}

/**
 * Writes a directory that `loadAdapter` and PEFT read (module names of current transformers); made under a temporary
 * name, it takes the place of an earlier adapter.
 * @throws Error when `dir` exists and is no adapter, or a tensor is missing or has another shape
 */
export function saveAdapter(dir: string, { config, lora, params, dtype }: SavedAdapter): void {
  const tensors: Params = {};
  for (const [name, shape] of Object.entries(weightShapes(config, lora))) {
    if (!params[name]) throw new Error(`adapter tensor ${name} [${shape.join(", ")}] is missing`);
    if (params[name].shape.join() !== shape.join())
      throw new Error(
        `adapter tensor ${name} has shape [${params[name].shape.join(", ")}]; the configuration asks for [${shape.join(", ")}]`,
      );
    tensors[`${PREFIX}${currentName(name)}`] = params[name];
  }
  const extra = Object.keys(params).find(
    (name) => /\.lora_[AB]\.weight$/.test(name) && !tensors[`${PREFIX}${currentName(name)}`],
  );
  if (extra)
    throw new Error(
      `adapter tensor ${extra} [${params[extra].shape.join(", ")}] adapts a layer that target_modules don't name`,
    );
  replaceDirectory(dir, "adapter_config.json", "adapter", (temporary) => {
    fs.writeFileSync(
      path.join(temporary, "adapter_config.json"),
      `${JSON.stringify(loraConfigToJson(lora), null, 2)}\n`,
    );
    writeSafetensors(path.join(temporary, "adapter_model.safetensors"), tensors, { dtype });
  });
}
