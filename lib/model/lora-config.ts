/** `adapter_config.json` of PEFT's LoRA in camelCase, and back. */
import { shownValue } from "../util/json-text";

/** A low-rank adapter (Hu et al. 2021): `W + scaling · B · A` with A [rank, in] and B [out, rank]. */
export interface LoraConfig {
  rank: number;
  /** The scaling is alpha / rank, or alpha / sqrt(rank) with `useRslora`. */
  alpha: number;
  /** Rank-stabilised scaling (Kalajdzievski 2023). */
  useRslora: boolean;
  /** Dropout on the adapter's input in SFT; generation, scoring and merging don't use it, RL refuses it. */
  dropout: number;
  /**
   * Names of modules or endings of them, a regular expression of whole names, or "all-linear" (all but the output
   * layer).
   */
  targetModules: string[] | string;
  /** Modules left out, in the same form. */
  excludeModules: string[] | string | null;
  /** Other ranks and alphas by the ending of a module's name (a regular expression); the first that fits. */
  rankPattern: Record<string, number>;
  alphaPattern: Record<string, number>;
  /** Where the adapter says its base comes from. */
  baseModel: string | null;
}

/** PEFT's defaults of rank and alpha, on the attention of the decoder. */
export const LORA_DEFAULTS: LoraConfig = {
  rank: 8,
  alpha: 8,
  useRslora: false,
  dropout: 0,
  targetModules: ["q_proj", "k_proj", "v_proj", "o_proj"],
  excludeModules: null,
  rankPattern: {},
  alphaPattern: {},
  baseModel: null,
};

/** What of PEFT is not supported, with the one value that is; null, false and empty say the same. */
const UNSUPPORTED = [
  "modules_to_save",
  "layers_to_transform",
  "layers_pattern",
  "layer_replication",
  "megatron_config",
  "trainable_token_indices",
  "target_parameters",
  "alora_invocation_tokens",
  "fan_in_fan_out",
  "use_dora",
  "use_qalora",
  "use_bdlora",
  "lora_bias",
  "velora_config",
  "monteclora_config",
  "kasa_config",
  "arrow_config",
];
/** Initialisations that leave the base as it is; the others (PiSSA, OLoRA, CorDA, …) need a changed base. */
const INITIALISATIONS: unknown[] = [true, false, "gaussian", "eva", "orthogonal", undefined, null];

const isEmpty = (x: unknown): boolean =>
  x === undefined || x === null || x === false || (typeof x === "object" && Object.keys(x).length === 0);
const isName = (x: unknown): boolean => typeof x === "string" && x !== "";
const isNames = (x: unknown): boolean => isName(x) || (Array.isArray(x) && x.length > 0 && x.every(isName));
const isRank = (x: unknown): boolean => Number.isInteger(x) && (x as number) > 0;
const isPositive = (x: unknown): boolean => typeof x === "number" && Number.isFinite(x) && x > 0;
const isTable = (ok: (x: unknown) => boolean) => (x: unknown) =>
  typeof x === "object" && !Array.isArray(x) && Object.values(x as object).every(ok);

/** Parses the content of an `adapter_config.json`. @param file named in errors @throws Error naming file and field */
export function parseLoraConfig(json: unknown, file = "adapter_config.json"): LoraConfig {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new Error(`${file}: expected a JSON object`);
  const source = json as Record<string, unknown>;
  const fail = (field: string, expected: string): never => {
    throw new Error(`${file}: ${field} is ${shownValue(source[field])}; ${expected}`);
  };
  if (source.peft_type !== "LORA") fail("peft_type", 'only "LORA" is supported');
  if ((source.bias ?? "none") !== "none") fail("bias", 'only "none" is supported');
  for (const field of UNSUPPORTED) if (!isEmpty(source[field])) fail(field, "this is not supported");
  if (!INITIALISATIONS.includes(source.init_lora_weights))
    fail("init_lora_weights", "such an adapter belongs to a changed base; convert it to plain LoRA with PEFT first");
  const take = <T>(field: string, fallback: T, ok: (x: unknown) => boolean, expected: string): T => {
    const value = source[field] ?? fallback;
    return value === null || ok(value) ? (value as T) : fail(field, `expected ${expected}`);
  };
  if (source.target_modules === undefined || source.target_modules === null)
    fail("target_modules", 'expected names, a regular expression or "all-linear"');
  return {
    rank: take("r", 8, isRank, "a positive integer"),
    alpha: take("lora_alpha", 8, isPositive, "a positive number"),
    useRslora: take("use_rslora", false, (x) => typeof x === "boolean", "true or false"),
    dropout: take("lora_dropout", 0, (x) => typeof x === "number" && x >= 0 && x < 1, "a number from 0 to below 1"),
    targetModules: take<string[] | string>(
      "target_modules",
      [],
      isNames,
      'names, a regular expression or "all-linear"',
    ),
    excludeModules: isEmpty(source.exclude_modules)
      ? null
      : take<string[] | string | null>("exclude_modules", null, isNames, "names or a regular expression"),
    rankPattern: take("rank_pattern", {}, isTable(isRank), "positive integers by module"),
    alphaPattern: take("alpha_pattern", {}, isTable(isPositive), "positive numbers by module"),
    baseModel: take<string | null>("base_model_name_or_path", null, (x) => typeof x === "string", "a string"),
  };
}

/** The content of `adapter_config.json`. */
export function loraConfigToJson(lora: LoraConfig): Record<string, unknown> {
  return {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: lora.baseModel,
    inference_mode: true,
    r: lora.rank,
    lora_alpha: lora.alpha,
    lora_dropout: lora.dropout,
    use_rslora: lora.useRslora,
    target_modules: lora.targetModules,
    exclude_modules: lora.excludeModules,
    rank_pattern: lora.rankPattern,
    alpha_pattern: lora.alphaPattern,
    bias: "none",
    fan_in_fan_out: false,
    init_lora_weights: true,
    modules_to_save: null,
  };
}
