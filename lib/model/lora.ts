/**
 * Low-rank adapters (Hu et al. 2021, arXiv 2106.09685) as further tensors of the parameter record, beside the layer
 * they adapt: `<module>.lora_A.weight` [rank, in], `<module>.lora_B.weight` [out, rank], and the constants
 * `<module>.lora_scaling` and, where something is dropped in training, `<module>.lora_dropout`. `project` (project.ts)
 * adds them wherever the layer is used; `{ ...params, ...adapter }` is a model with its adapter.
 */
import { shownValue } from "../util/json-text";
import { foldIn, random } from "../util/random";
import { patternProblem } from "../util/safe-pattern";
import { widened } from "../engine/resident";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import type { ModelConfig } from "./config";
import type { LoraConfig } from "./lora-config";
import { paramShapes } from "./shapes";

/** What LoRA makes of one layer. */
export interface LoraModule {
  /** [out, in] of the layer. */
  shape: [number, number];
  rank: number;
  scaling: number;
  /** Share of its input that training drops. */
  dropout: number;
}

const LORA_NAME = /\.lora_(A\.weight|B\.weight|scaling|dropout)$/;

/** Whether a parameter belongs to an adapter. */
export const isLora = (name: string): boolean => LORA_NAME.test(name);

/** Whether a parameter is trained when an adapter is: A or B. */
export const isLoraWeight = (name: string): boolean => isLora(name) && name.endsWith(".weight");

/** A module's name in current versions of transformers, from its name in the published files. */
export function currentName(name: string): string {
  if (name.startsWith("visual.")) return `model.${name}`;
  return name.startsWith("model.") ? `model.language_model.${name.slice("model.".length)}` : name;
}

/** How the modules of a version of transformers are called, from their names in the published files. */
export type Spelling = (name: string) => string;

const decoderUnder =
  (prefix: string): Spelling =>
  (name) =>
    name.startsWith("model.") ? `${prefix}${name.slice("model.".length)}` : name;

/**
 * The spellings that adapters were saved under: of transformers from 4.52 on; of those before, which is that of the
 * published files; with `language_model` outermost; and of adapters made on the model without its output layer, or on
 * the decoder alone.
 */
export const SPELLINGS: readonly Spelling[] = [
  currentName,
  (name) => name,
  decoderUnder("language_model.model."),
  decoderUnder("language_model."),
  decoderUnder(""),
];

/** Whether PEFT's `target_modules` or `exclude_modules` name a module, under one spelling or under any of several. */
function named(by: readonly string[] | string, spellings: readonly string[]): boolean {
  if (typeof by !== "string")
    return by.some((name) => spellings.some((spelling) => spelling === name || spelling.endsWith(`.${name}`)));
  const whole = new RegExp(wholeName(by));
  return spellings.some((spelling) => whole.test(spelling));
}

const wholeName = (pattern: string): string => `^(?:${pattern})$`;
const nameEnding = (pattern: string): string => `^(?:.*\\.)?(?:${pattern})$`;

const isAllLinear = (targets: LoraConfig["targetModules"]): boolean =>
  typeof targets === "string" && targets.toLowerCase() === "all-linear";

/** @throws Error naming field and pattern where one is no regular expression, or takes for ever on these names */
function checkPatterns(
  { targetModules, excludeModules, rankPattern, alphaPattern }: LoraConfig,
  names: readonly string[],
): void {
  const texts = names.flatMap((name) => SPELLINGS.map((spelling) => spelling(name)));
  const patterns: [string, string, string][] = [
    ...(isAllLinear(targetModules) ? [] : [["target_modules", targetModules] as const]),
    ["exclude_modules", excludeModules] as const,
  ].flatMap(([field, value]) => (typeof value === "string" ? [[field, value, wholeName(value)]] : []));
  for (const [field, table] of Object.entries({ rank_pattern: rankPattern, alpha_pattern: alphaPattern }))
    patterns.push(...Object.keys(table).map((key): [string, string, string] => [field, key, nameEnding(key)]));
  for (const [field, written, pattern] of patterns) {
    const problem = patternProblem(pattern, texts);
    if (problem !== null) throw new Error(`LoRA: ${field} has ${shownValue(written)}, which ${problem}`);
  }
}

/** The value of a `rank_pattern` or `alpha_pattern` for a module (PEFT's `get_pattern_key`). */
function patterned(pattern: Record<string, number>, spellings: readonly string[], fallback: number): number {
  const key = Object.keys(pattern).find((ending) =>
    spellings.some((spelling) => new RegExp(nameEnding(ending)).test(spelling)),
  );
  return key === undefined ? fallback : pattern[key];
}

/** What an adapter can be put on, and what it cannot, by published name. */
interface Candidates {
  /** In the order of the forward pass. */
  names: string[];
  isLinear(name: string): boolean;
}

function candidates(config: ModelConfig, shapes: Record<string, number[]>): Candidates {
  const modules = Object.keys(shapes)
    .filter((name) => name.endsWith(".weight") && shapes[name].length > 1)
    .map((name) => name.slice(0, -".weight".length));
  return {
    names: config.tieWordEmbeddings ? [...modules, "lm_head"] : modules,
    isLinear: (name) => shapes[`${name}.weight`].length === 2 && name !== "model.embed_tokens",
  };
}

/** The modules that a configuration names. @param spell all spellings of a module that count */
function chosen({ names, isLinear }: Candidates, lora: LoraConfig, spell: (name: string) => string[]): string[] {
  return names.filter((name) => {
    if (lora.excludeModules !== null && named(lora.excludeModules, spell(name))) return false;
    if (isAllLinear(lora.targetModules)) return name !== "lm_head" && isLinear(name);
    return named(lora.targetModules, spell(name));
  });
}

/**
 * The modules that a configuration names where nothing says which spelling it is in. A list of names is read in the
 * current and the published spelling together: no name of one means another module in the other. A pattern is read in
 * the current spelling, and in the published one where that names nothing.
 */
function chosenUnspelled(all: Candidates, lora: LoraConfig): string[] {
  const either = (name: string): string[] => [currentName(name), name];
  if (typeof lora.targetModules !== "string" && typeof lora.excludeModules !== "string")
    return chosen(all, lora, either);
  const current = chosen(all, lora, (name) => [currentName(name)]);
  return current.length > 0 ? current : chosen(all, lora, (name) => [name]);
}

/**
 * The layers that an adapter has, by published name, in the order of the forward pass.
 * @param spelling that of the names in `lora`, where it is known
 * @throws Error where nothing is named, or something that can't be adapted (a convolution, an embedding, a tied output
 * layer)
 */
export function loraModules(config: ModelConfig, lora: LoraConfig, spelling?: Spelling): Record<string, LoraModule> {
  const shapes = paramShapes(config);
  const all = candidates(config, shapes);
  checkPatterns(lora, all.names);
  const found = spelling ? chosen(all, lora, (name) => [spelling(name)]) : chosenUnspelled(all, lora);
  const shown = spelling ?? currentName;
  if (found.length === 0)
    throw new Error(
      `LoRA: target_modules ${shownValue(lora.targetModules)} name no layer of this model; its layers are called like ${shown("model.layers.0.self_attn.q_proj")}`,
    );
  return Object.fromEntries(
    found.map((name): [string, LoraModule] => {
      if (name === "lm_head" && config.tieWordEmbeddings)
        throw new Error(
          "LoRA: target_modules name lm_head, which is tied to the embeddings; leave it out or untie the model",
        );
      if (!all.isLinear(name))
        throw new Error(
          `LoRA: target_modules name ${shown(name)} [${shapes[`${name}.weight`].join(", ")}], which is no linear layer; leave it out with exclude_modules`,
        );
      const spellings = spelling ? [spelling(name)] : [currentName(name), name];
      const rank = patterned(lora.rankPattern, spellings, lora.rank);
      const alpha = patterned(lora.alphaPattern, spellings, lora.alpha);
      return [
        name,
        {
          shape: shapes[`${name}.weight`] as [number, number],
          rank,
          scaling: alpha / (lora.useRslora ? Math.sqrt(rank) : rank),
          dropout: lora.dropout,
        },
      ];
    }),
  );
}

/**
 * The same adapter in names that mean the same everywhere: as it is where its names already do, else with every layer's
 * whole current name in `target_modules`, and ranks and alphas by them.
 * @param spelling that of the names in `lora`
 */
export function respelled(config: ModelConfig, lora: LoraConfig, spelling: Spelling): LoraConfig {
  const modules = loraModules(config, lora, spelling);
  const same = (other: Record<string, LoraModule>): boolean => JSON.stringify(other) === JSON.stringify(modules);
  try {
    if (same(loraModules(config, lora)) && same(loraModules(config, lora, currentName))) return lora;
  } catch {
    // other names: written out below
  }
  const names = Object.keys(modules);
  const pattern = (given: Record<string, number>, fallback: number): Record<string, number> =>
    Object.fromEntries(
      names
        .map((name): [string, number] => [name, patterned(given, [spelling(name)], fallback)])
        .filter(([, value]) => value !== fallback)
        .map(([name, value]) => [currentName(name).replace(/\./g, "\\."), value]),
    );
  return {
    ...lora,
    targetModules: names.map(currentName),
    excludeModules: null,
    rankPattern: pattern(lora.rankPattern, lora.rank),
    alphaPattern: pattern(lora.alphaPattern, lora.alpha),
  };
}

/** Shapes of an adapter's tensors by name. */
export function loraShapes(modules: Record<string, LoraModule>): Record<string, number[]> {
  return Object.fromEntries(
    Object.entries(modules).flatMap(([name, { shape, rank }]): [string, number[]][] => [
      [`${name}.lora_A.weight`, [rank, shape[1]]],
      [`${name}.lora_B.weight`, [shape[0], rank]],
      [`${name}.lora_scaling`, []],
    ]),
  );
}

/** The constant tensors `<module>.lora_scaling`, and `<module>.lora_dropout` where it is above 0. */
export function loraConstants(modules: Record<string, LoraModule>): Params {
  return Object.fromEntries(
    Object.entries(modules).flatMap(([name, { scaling, dropout }]): [string, Tensor][] => [
      [`${name}.lora_scaling`, tf.scalar(scaling)],
      ...(dropout > 0 ? [[`${name}.lora_dropout`, tf.scalar(dropout)] as [string, Tensor]] : []),
    ]),
  );
}

/** Whether training with this adapter drops something. */
export const hasLoraDropout = (params: Params): boolean =>
  Object.keys(params).some((name) => name.endsWith(".lora_dropout"));

/** The record without the rates of dropout: the same tensors, no copies. */
export const withoutLoraDropout = (params: Params): Params =>
  Object.fromEntries(Object.entries(params).filter(([name]) => !name.endsWith(".lora_dropout")));

/**
 * The seed of one part of one training step as a tensor for `LORA_SEED`, int32 [2]; null where nothing is dropped. The
 * caller disposes it.
 */
export function loraSeed(params: Params, seed: number): Tensor | null {
  return hasLoraDropout(params) ? tf.tensor1d([foldIn(seed, "lora-dropout") | 0, 0], "int32") : null;
}

/**
 * A fresh adapter as PEFT makes it: A uniform within 1 / sqrt(in) (Kaiming with a = sqrt 5), B zero, so that it changes
 * nothing yet. A tensor depends on the seed and its name only. The caller disposes them.
 */
export function initLora(config: ModelConfig, lora: LoraConfig, seed: number): Params {
  const modules = loraModules(config, lora);
  const adapter = loraConstants(modules);
  for (const [
    name,
    {
      shape: [outSize, inSize],
      rank,
    },
  ] of Object.entries(modules)) {
    const draw = random(foldIn(seed, "lora", name));
    const bound = 1 / Math.sqrt(inSize);
    adapter[`${name}.lora_A.weight`] = tf.tensor2d(
      Float32Array.from({ length: rank * inSize }, () => bound * (2 * draw.uniform() - 1)),
      [rank, inSize],
    );
    adapter[`${name}.lora_B.weight`] = tf.zeros([outSize, rank]);
  }
  return adapter;
}

/** The adapter's tensors of a record, and the others; the same tensors, no copies. */
export function splitAdapter(params: Params): { base: Params; adapter: Params } {
  const pick = (wanted: boolean): Params =>
    Object.fromEntries(Object.entries(params).filter(([name]) => isLora(name) === wanted));
  return { base: pick(false), adapter: pick(true) };
}

/**
 * The model with its adapter merged, `W + scaling · B · A`, under the names of a plain model. All tensors are new
 * handles that the caller disposes; `params` stays as it is. Of a base held in bfloat16 the merged layers are float32,
 * the others stay as they are.
 * @throws Error where an adapted layer is missing or has another shape
 */
export function mergeLora(params: Params): Params {
  const { base, adapter } = splitAdapter(params);
  const merged: Params = {};
  try {
    for (const [name, tensor] of Object.entries(base)) {
      const module = name.replace(/\.weight$/, "");
      const [a, b, scaling] = ["lora_A.weight", "lora_B.weight", "lora_scaling"].map(
        (part) => adapter[`${module}.${part}`],
      );
      merged[name] =
        name.endsWith(".weight") && a
          ? tf.tidy(() => widened(tensor).add(tf.matMul(b as tf.Tensor2D, a as tf.Tensor2D).mul(scaling)))
          : tensor.clone();
    }
    const orphan = Object.keys(adapter).find((name) => !base[name.replace(LORA_NAME, ".weight")]);
    if (orphan) throw new Error(`LoRA: ${orphan} adapts a layer that these parameters don't have`);
  } catch (error) {
    disposeTree(merged);
    throw error;
  }
  return merged;
}
