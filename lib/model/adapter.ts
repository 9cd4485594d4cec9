/** A LoRA adapter as PEFT's directory: adapter_config.json and adapter_model.safetensors. */
import * as fs from "node:fs";
import * as path from "node:path";
import type { Params } from "../engine/tensorflow";
import { readJson, writeText } from "../util/files";
import { publishedName } from "./checkpoint";
import type { ModelConfig } from "./config";
import { replaceDirectory } from "./directory";
import { currentName, loraModules, loraConstants, loraShapes, respelled, SPELLINGS, type Spelling } from "./lora";
import { loraConfigToJson, parseLoraConfig, type LoraConfig } from "./lora-config";
import { readHeader, readTensor, writeSafetensors, type ReadOptions, type SafetensorsHeader } from "./safetensors";

/** A loaded adapter. */
export interface LoadedAdapter {
  lora: LoraConfig;
  /**
   * Its tensors under the model's names (`lora.ts`), to be put beside the model's: `{ ...params, ...adapter.params }`.
   * The caller disposes them.
   */
  params: Params;
}

const PREFIX = "base_model.model.";

const STORED = /^base_model\.model\.(.+)\.lora_(A|B)\.(?:default\.)?weight$/;

/** A module's published name, from its name in a file: in any of `SPELLINGS`. */
function ownModule(stored: string): string {
  return publishedName(
    stored.replace(/^language_model\.(?:model\.)?/, "model.").replace(/^(?!model\.|visual\.|lm_head$)/, "model."),
  );
}

/** A PEFT tensor's name here; null where it is no A or B of a linear layer. */
function ownName(stored: string): string | null {
  const match = STORED.exec(stored);
  return match && `${ownModule(match[1])}.lora_${match[2]}.weight`;
}

/**
 * The spelling of the names in `adapter_config.json`: that of the file's tensors where it names the same layers with
 * the same ranks, else one that does (of an adapter whose tensors were renamed alone), else that of the tensors.
 */
function spellingOf({ entries }: SafetensorsHeader, config: ModelConfig, lora: LoraConfig): Spelling {
  const stored = Object.keys(entries).flatMap((name) => STORED.exec(name)?.[1] ?? []);
  const votes = (spelling: Spelling): number => stored.filter((name) => spelling(ownModule(name)) === name).length;
  const likely = [...SPELLINGS].sort((a, b) => votes(b) - votes(a));
  const ranks = new Map(
    Object.entries(entries).flatMap(([name, { shape }]): [string, number][] => {
      const own = ownName(name);
      return own?.endsWith(".lora_A.weight") ? [[own.slice(0, -".lora_A.weight".length), shape[0]]] : [];
    }),
  );
  const fits = (spelling: Spelling): boolean => {
    try {
      const modules = Object.entries(loraModules(config, lora, spelling));
      return modules.length === ranks.size && modules.every(([name, { rank }]) => ranks.get(name) === rank);
    } catch {
      return false; // names nothing, or what has no adapter
    }
  };
  return likely.find(fits) ?? likely[0];
}

/**
 * Where each tensor of the adapter is.
 * @throws Error naming file, tensor and both shapes where the adapter is for another base
 */
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

/** An adapter's configuration in names that mean the same everywhere, and its tensors' header. */
function openAdapter(dir: string, config: ModelConfig): { lora: LoraConfig; header: SafetensorsHeader } {
  const configFile = path.join(dir, "adapter_config.json");
  const lora = parseLoraConfig(readJson(configFile), configFile);
  const file = path.join(dir, "adapter_model.safetensors");
  if (!fs.existsSync(file))
    throw new Error(
      `${dir}: adapter_model.safetensors is missing; adapters in other formats have to be saved anew with PEFT`,
    );
  const header = readHeader(file);
  return { header, lora: respelled(config, lora, spellingOf(header, config, lora)) };
}

/**
 * An adapter's configuration as `loadAdapter` gives it, without its tensors: for plans.
 * @throws Error naming file and field
 */
export const readAdapterConfig = (dir: string, config: ModelConfig): LoraConfig => openAdapter(dir, config).lora;

/**
 * Loads an adapter for a model, under any of the module names that versions of transformers gave it. The file's tensors
 * say which names `target_modules`, `exclude_modules` and the patterns are written in; where those would name other
 * layers today, the configuration that is returned lists every layer by its current name.
 * @throws Error naming file, field or tensor, and both shapes; nothing stays loaded then
 */
export function loadAdapter(dir: string, config: ModelConfig, options: ReadOptions = {}): LoadedAdapter {
  const { lora, header } = openAdapter(dir, config);
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
    writeText(path.join(temporary, "adapter_config.json"), `${JSON.stringify(loraConfigToJson(lora), null, 2)}\n`);
    writeSafetensors(path.join(temporary, "adapter_model.safetensors"), tensors, { dtype });
  });
}
