import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { loadAdapter, readAdapterConfig, saveAdapter } from "../../lib/model/adapter";
import type { ModelConfig } from "../../lib/model/config";
import { currentName, initLora, isLoraWeight, loraModules } from "../../lib/model/lora";
import { LORA_DEFAULTS, loraConfigToJson, type LoraConfig } from "../../lib/model/lora-config";
import { writeSafetensors } from "../../lib/model/safetensors";
import { toyConfig, toyProcessor } from "../helpers/tiny";

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-spelling-"));
afterAll(() => fs.rmSync(scratch, { recursive: true, force: true }));

const config: ModelConfig = toyConfig(toyProcessor());
const isVisual = (name: string): boolean => name.startsWith("visual.");
const linear = Object.keys(loraModules(config, { ...LORA_DEFAULTS, targetModules: "all-linear" }));
const decoder = linear.filter((name) => !isVisual(name));
const published = (name: string): string => name;
const outermost = (name: string): string => name.replace(/^model\./, "language_model.model.");
const inner = (name: string): string => name.replace(/^model\./, "language_model.");

/** ms-swift's default for the decoder's layers, as it is in public adapters of Qwen2-VL. */
const SWIFT = "^(model)(?!.*(lm_head|output|emb|wte|shared)).*";

let folders = 0;
/** An adapter on `modules`, its tensors named by `spell`, with `change` in its configuration. */
function adapterOn(modules: string[], spell: (name: string) => string, change: Record<string, unknown>): string {
  const dir = path.join(scratch, String(folders++));
  const lora: LoraConfig = { ...LORA_DEFAULTS, rank: 2, alpha: 6, targetModules: modules.map(currentName) };
  const params = initLora(config, lora, 4);
  const stored: Params = Object.fromEntries(
    Object.keys(params)
      .filter(isLoraWeight)
      .map((name) => [`base_model.model.${spell(name)}`, params[name]]),
  );
  fs.mkdirSync(dir);
  fs.writeFileSync(path.join(dir, "adapter_config.json"), JSON.stringify({ ...loraConfigToJson(lora), ...change }));
  writeSafetensors(path.join(dir, "adapter_model.safetensors"), stored);
  disposeTree(params);
  return dir;
}

/**
 * The layers that are loaded; saved here and loaded again they are the same, and the configuration of both says the
 * same.
 */
function loadedModules(dir: string): string[] {
  const before = tf.memory().numTensors;
  const loaded = loadAdapter(dir, config);
  const again = path.join(scratch, `saved-${folders++}`);
  saveAdapter(again, { config, ...loaded });
  const second = loadAdapter(again, config);
  const modulesOf = (params: Params): string[] =>
    Object.keys(params).flatMap((name) => (name.endsWith(".lora_A.weight") ? [name.slice(0, -14)] : []));
  for (const name of Object.keys(loaded.params))
    expect(Array.from(second.params[name].dataSync()), name).toEqual(Array.from(loaded.params[name].dataSync()));
  expect(modulesOf(second.params)).toEqual(modulesOf(loaded.params));
  expect(second.lora).toEqual(loaded.lora);
  expect(readAdapterConfig(dir, config)).toEqual(loaded.lora);
  expect(Object.keys(loraModules(config, loaded.lora)).sort()).toEqual(modulesOf(loaded.params).sort());
  const found = modulesOf(loaded.params);
  disposeTree(loaded.params, second.params);
  expect(tf.memory().numTensors).toBe(before);
  return found;
}

describe("the spelling of an adapter's names is that of its tensors", () => {
  const gate = linear.filter((name) => /\.(q_proj|gate_proj)$/.test(name));
  it.each<[string, string[], (name: string) => string, Record<string, unknown>]>([
    ["ms-swift's default pattern, before 4.52: the decoder", decoder, published, { target_modules: SWIFT }],
    ["ms-swift's default pattern, from 4.52 on: every layer", linear, currentName, { target_modules: SWIFT }],
    ["PEFT's list of all old names", linear, published, { target_modules: linear }],
    ["PEFT's list of all current names", linear, currentName, { target_modules: linear.map(currentName) }],
    ["PEFT's list with language_model outermost", linear, outermost, { target_modules: linear.map(outermost) }],
    [
      "a list of an adapter made on the model without its output layer",
      linear,
      inner,
      { target_modules: linear.map(inner) },
    ],
    [
      "exclude_modules of the old vision tower",
      gate.filter((name) => !isVisual(name)),
      published,
      { target_modules: ["q_proj", "gate_proj"], exclude_modules: "^visual.*" },
    ],
    [
      "the same text with current tensors leaves nothing out",
      gate,
      currentName,
      { target_modules: ["q_proj", "gate_proj"], exclude_modules: "^visual.*" },
    ],
    [
      "a pattern of the old decoder alone",
      decoder.filter((name) => name.endsWith("q_proj")),
      published,
      { target_modules: "model\\.layers\\.\\d+\\.self_attn\\.q_proj" },
    ],
    [
      "LLaMA-Factory's pattern, either way",
      decoder.filter((name) => /\.(q_proj|v_proj)$/.test(name)),
      published,
      { target_modules: "^(?!.*visual).*(?:q_proj|v_proj).*" },
    ],
    ["old names in the configuration alone", decoder, currentName, { target_modules: SWIFT }],
    [
      "the old vision tower alone",
      linear.filter(isVisual),
      published,
      { target_modules: "visual\\..*(qkv|proj|mlp\\.[02])", exclude_modules: ".*patch_embed.*" },
    ],
  ])("%s", (_, modules, spell, change) =>
    expect(loadedModules(adapterOn(modules, spell, change)).sort()).toEqual([...modules].sort()),
  );

  it("ranks and alphas too: a pattern of the old decoder is not one of the vision tower", () => {
    const dir = adapterOn(decoder.slice(0, 2), published, {
      target_modules: decoder.slice(0, 2),
      rank_pattern: {},
      alpha_pattern: { "^model\\.layers\\.0\\.self_attn\\.q_proj": 4 },
    });
    const { lora, params } = loadAdapter(dir, config);
    // alpha 4 over rank 2, and the adapter's own 6 over 2
    const scaling = (module: string): number => params[`${module}.lora_scaling`].dataSync()[0];
    expect([scaling("model.layers.0.self_attn.q_proj"), scaling(decoder[1])]).toEqual([2, 3]);
    expect(lora.alphaPattern).toEqual({ "model\\.language_model\\.layers\\.0\\.self_attn\\.q_proj": 4 });
    disposeTree(params);
    expect(loadedModules(dir)).toEqual(decoder.slice(0, 2));
  });

  it("is no way around what the file lacks: layers named and not there are still an error", () =>
    expect(() => loadAdapter(adapterOn(decoder.slice(1), published, { target_modules: SWIFT }), config)).toThrow(
      new RegExp(`2 tensors are missing that target_modules ask for, the first is ${decoder[0]}.lora_A.weight`),
    ));
});

describe("names of a configuration alone", () => {
  const names = (lora: Partial<LoraConfig>): string[] =>
    Object.keys(loraModules(config, { ...LORA_DEFAULTS, ...lora }));
  it("a list is read in the current and the published spelling together", () => {
    expect(names({ targetModules: linear })).toEqual(linear);
    expect(names({ targetModules: linear.map(currentName) })).toEqual(linear);
    expect(names({ targetModules: ["up_proj"], excludeModules: decoder })).toEqual(
      linear.filter((name) => isVisual(name) && name.endsWith("up_proj")),
    );
  });
});
