/**
 * Every setting of a run, typed, in three scales: `smoke` (seconds, for checks), `default` (the shipped experiment on two
 * CPU cores) and `paper` (the published numbers, for Qwen2.5-VL on a GPU).
 *
 * The scale comes from `FINE_R1_SCALE`, single settings from `FINE_R1_SET="rl.steps=8,seed=1"` or from code:
 * `loadSettings({ scale: "smoke", set: ["sft.epochs=1"] })`. Unknown names and wrong types are errors.
 */
import { COMPILERS } from "../engine/compiler";
import type { RlSettings, SftSettings } from "../train/settings";
import type { Precision } from "../engine/precision";
import { merge, type DeepPartial } from "../util/merge";

export const SCALES = ["smoke", "default", "paper"] as const;
export type Scale = (typeof SCALES)[number];

/** Construction of the chain-of-thought records (lib/cot). */
export interface CotSettings {
  /** Descriptions sampled per image. */
  descriptionsPerImage: number;
  /** Direct answers sampled per image: the model's beliefs about candidates. */
  beliefSamples: number;
  /** Concepts kept per image. */
  conceptsPerImage: number;
  /** Weight of redundancy against information (information bottleneck). */
  redundancyWeight: number;
  /** Seen sub-categories used; 0 for all. */
  subCategories: number;
  /** A control: each record with its own reasoning, or with that of another sub-category of its domain, answers staying. */
  rationales: "own" | "shuffled";
}

/** A low-rank adapter in place of the whole model, in SFT and RL. */
export interface LoraSettings {
  /** Rank; 0 trains the whole model. */
  rank: number;
  /** The adapter's output is scaled by alpha / rank. */
  alpha: number;
  /** Which linear layers have one: `all` (but the output layer), or the decoder's `attention`. */
  layers: "all" | "attention";
}

/** Evaluation. */
export interface EvalSettings {
  maxNewTokens: number;
  batchSize: number;
  /** Whose drawings: `test`, or `dev` while the recipe is chosen. */
  role: "dev" | "test";
  /** Rows per setting; 0 for all. */
  limit: number;
  /** Deviation 7: options shuffled by a seed per row, or the truth always first as in the released rows. */
  optionOrder: "shuffled" | "released";
}

/** A run's settings. */
export interface Settings {
  scale: Scale;
  /** Name of the run: `data/runs/<run>`. */
  run: string;
  seed: number;
  /** Directory of the base model. */
  model: string;
  /** `tiny` (short prompts of the shipped base) or `paper`. */
  prompts: "tiny" | "paper";
  /** Matrix products while training: bfloat16 where the device has it (`auto`), or always one of the two. */
  precision: Precision;
  cot: CotSettings;
  sft: SftSettings;
  rl: RlSettings;
  lora: LoraSettings;
  eval: EvalSettings;
}

const defaults: Settings = {
  scale: "default",
  run: "main",
  seed: 0,
  model: "data/base",
  prompts: "tiny",
  precision: "auto",
  cot: {
    descriptionsPerImage: 6,
    beliefSamples: 16,
    conceptsPerImage: 4,
    redundancyWeight: 0.5,
    subCategories: 0,
    rationales: "own",
  },
  sft: {
    epochs: 3,
    batchSize: 32,
    gradientAccumulationSteps: 1,
    gradientCheckpointing: "none",
    compiler: "auto",
    learningRate: 1.5e-4,
    visionLearningRateScale: 0.1,
    weightDecay: 0.1,
    warmupSteps: 6,
    maxGradNorm: 1,
    augmentation: 0.6,
    minPixels: 0,
    maxPixels: 0,
    replayRows: 16,
  },
  rl: {
    steps: 16,
    groupsPerStep: 16,
    updatesPerStep: 2,
    gradientAccumulationSteps: 1,
    gradientCheckpointing: "none",
    compiler: "auto",
    groupsPerGeneration: 12,
    promptsPerCall: 0,
    numGenerations: 10,
    positiveGenerations: 5,
    maxNewTokens: 72,
    temperature: 1,
    topP: 0.99,
    learningRate: 1.5e-4,
    visionLearningRateScale: 0.1,
    weightDecay: 0.01,
    warmupSteps: 4,
    schedule: "cosine",
    maxGradNorm: 1,
    clipRatioLow: 0.2,
    clipRatioHigh: 0.28,
    clipRatioDual: 3,
    klCoefficient: 0.01,
    entropyCoefficient: 0.03,
    negativeEntropyCoefficient: 0.03,
    augmentation: 0.6,
    minPixels: 0,
    maxPixels: 0,
    openShare: 0.5,
    conditionOn: "anchor",
    negativeLogProbs: "recomputed",
    maxGenerationBatches: 4,
    whenNoGroupSurvives: "skip",
    lossAverage: "token",
    reward: "strict",
  },
  lora: { rank: 0, alpha: 32, layers: "all" },
  eval: { maxNewTokens: 80, batchSize: 128, role: "test", limit: 0, optionOrder: "shuffled" },
};

const smoke: DeepPartial<Settings> = {
  scale: "smoke",
  run: "smoke",
  cot: { descriptionsPerImage: 2, beliefSamples: 4, subCategories: 6 },
  sft: { epochs: 1, batchSize: 8, replayRows: 2 },
  rl: {
    steps: 2,
    groupsPerStep: 2,
    updatesPerStep: 1,
    groupsPerGeneration: 3,
    numGenerations: 4,
    positiveGenerations: 2,
    maxNewTokens: 48,
    maxGenerationBatches: 2,
  },
  eval: { maxNewTokens: 64, batchSize: 16, role: "dev", limit: 12 },
};

/** Paper, sections 4.1 and A: what its text and the released scripts say. */
const paper: DeepPartial<Settings> = {
  scale: "paper",
  run: "paper",
  model: "models/Qwen2.5-VL-3B-Instruct",
  prompts: "paper",
  cot: { descriptionsPerImage: 10, beliefSamples: 16 },
  sft: {
    epochs: 10,
    batchSize: 64,
    gradientAccumulationSteps: 16,
    gradientCheckpointing: "layers",
    learningRate: 5e-6,
    visionLearningRateScale: 0,
    weightDecay: 0.1,
    warmupSteps: 6,
    augmentation: 0,
    maxPixels: 589_824,
    replayRows: 0,
  },
  rl: {
    steps: 47, // 10 epochs over 4 images of each of the six sets' 452 seen sub-categories
    groupsPerStep: 384,
    updatesPerStep: 3,
    gradientAccumulationSteps: 128,
    gradientCheckpointing: "layers",
    groupsPerGeneration: 384,
    promptsPerCall: 4,
    maxNewTokens: 4096,
    learningRate: 1e-6,
    visionLearningRateScale: 1,
    warmupSteps: 0,
    schedule: "constant",
    augmentation: 0,
    minPixels: 200_704,
    maxPixels: 1_003_520,
    reward: "substring",
    whenNoGroupSurvives: "stop",
    maxGenerationBatches: 20,
  },
  eval: { maxNewTokens: 2048, batchSize: 16 },
};

/** The allowed words of settings that take one. */
const CHOICES: Record<string, readonly string[]> = {
  scale: SCALES,
  prompts: ["tiny", "paper"],
  precision: ["auto", "float32", "bfloat16"] satisfies Precision[],
  "cot.rationales": ["own", "shuffled"],
  "sft.gradientCheckpointing": ["none", "layers"],
  "rl.gradientCheckpointing": ["none", "layers"],
  "sft.compiler": COMPILERS,
  "rl.compiler": COMPILERS,
  "rl.schedule": ["constant", "cosine"],
  "rl.conditionOn": ["anchor", "sampled"],
  "rl.negativeLogProbs": ["recomputed", "stale"],
  "rl.whenNoGroupSurvives": ["skip", "keep-all", "stop"],
  "rl.lossAverage": ["token", "micro-batch"],
  "rl.reward": ["substring", "strict"],
  "lora.layers": ["all", "attention"],
  "eval.role": ["dev", "test"],
  "eval.optionOrder": ["shuffled", "released"],
};

/** Settings that count something: whole numbers, 0 where it means "none" or "all". */
const COUNTS =
  /^(seed|cot\.(descriptionsPerImage|beliefSamples|conceptsPerImage|subCategories)|sft\.(epochs|batchSize|gradientAccumulationSteps|warmupSteps|minPixels|maxPixels|replayRows)|rl\.(steps|groupsPerStep|updatesPerStep|gradientAccumulationSteps|groupsPerGeneration|promptsPerCall|minPixels|maxPixels|numGenerations|positiveGenerations|maxNewTokens|warmupSteps|maxGenerationBatches)|lora\.rank|eval\.(maxNewTokens|batchSize|limit))$/;
const MAY_BE_ZERO =
  /^(seed|cot\.subCategories|sft\.(warmupSteps|minPixels|maxPixels|replayRows)|rl\.(promptsPerCall|minPixels|maxPixels|positiveGenerations|warmupSteps)|lora\.rank|eval\.limit)$/;

/** Applies one `name=value`. */
function assign(settings: Settings, assignment: string): Settings {
  const at = assignment.indexOf("=");
  if (at < 1) throw new Error(`setting ${JSON.stringify(assignment)}: expected name=value`);
  const [name, text] = [assignment.slice(0, at).trim(), assignment.slice(at + 1).trim()];
  if (name === "scale")
    throw new Error(`setting ${assignment}: choose the scale by FINE_R1_SCALE, --scale or loadSettings({ scale })`);
  const keys = name.split(".");
  let owner: Record<string, unknown> = settings as unknown as Record<string, unknown>;
  for (const key of keys.slice(0, -1)) {
    if (!Object.hasOwn(owner, key) || typeof owner[key] !== "object")
      throw new Error(`unknown setting ${JSON.stringify(name)}; see docs/settings.md`);
    owner = owner[key] as Record<string, unknown>;
  }
  const last = keys[keys.length - 1];
  if (!Object.hasOwn(owner, last) || typeof owner[last] === "object")
    throw new Error(`unknown setting ${JSON.stringify(name)}; known here: ${Object.keys(owner).join(", ")}`);
  const old = owner[last];
  let value: unknown = text;
  if (typeof old === "number") {
    value = Number(text);
    if (text === "" || !Number.isFinite(value)) throw new Error(`setting ${name}=${text}: expected a number`);
    if ((value as number) < 0) throw new Error(`setting ${name}=${text}: expected a number of at least 0`);
    if (COUNTS.test(name) && !(Number.isInteger(value) && (value as number) >= (MAY_BE_ZERO.test(name) ? 0 : 1)))
      throw new Error(`setting ${name}=${text}: expected a whole number of at least ${MAY_BE_ZERO.test(name) ? 0 : 1}`);
  } else if (CHOICES[name] && !CHOICES[name].includes(text))
    throw new Error(`setting ${name}=${text}: expected one of ${CHOICES[name].join(", ")}`);
  return merge(settings, keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as DeepPartial<Settings>);
}

/** Where settings may come from. */
export interface SettingsSource {
  scale?: string;
  run?: string;
  /** `name=value` assignments, applied last. */
  set?: readonly string[];
  environment?: Record<string, string | undefined>;
}

/**
 * Settings from scale, environment (`FINE_R1_SCALE`, `FINE_R1_RUN`, `FINE_R1_SET`) and assignments, in that order.
 * @throws Error on an unknown scale, name or value, or a run name that is not a plain word
 */
export function loadSettings(source: SettingsSource = {}): Settings {
  const environment = source.environment ?? process.env;
  const scale = source.scale ?? environment.FINE_R1_SCALE ?? "default";
  if (!(SCALES as readonly string[]).includes(scale))
    throw new Error(`unknown scale ${JSON.stringify(scale)}; expected one of ${SCALES.join(", ")}`);
  const settings = scale === "default" ? defaults : merge(defaults, scale === "smoke" ? smoke : paper);
  const run = source.run ?? environment.FINE_R1_RUN;
  return changeSettings(settings, [
    ...(run ? [`run=${run}`] : []),
    ...(environment.FINE_R1_SET ?? "").split(",").filter((s) => s.trim() !== ""),
    ...(source.set ?? []),
  ]);
}

/**
 * Settings with some `name=value` assigned, in that order.
 * @throws Error on an unknown name, a value of the wrong kind, or values that do not go together
 */
export function changeSettings(given: Settings, assignments: readonly string[]): Settings {
  let settings = given;
  for (const assignment of assignments) settings = assign(settings, assignment);
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(settings.run))
    throw new Error(`setting run=${settings.run}: expected letters, digits, - and _ only`);
  const { numGenerations, positiveGenerations, groupsPerStep, updatesPerStep } = settings.rl;
  if (positiveGenerations < 0 || positiveGenerations >= numGenerations)
    throw new Error(
      `setting rl.positiveGenerations=${positiveGenerations}: expected 0 to ${numGenerations - 1} (rl.numGenerations - 1)`,
    );
  if (groupsPerStep % updatesPerStep !== 0)
    throw new Error(
      `setting rl.groupsPerStep=${groupsPerStep}: expected a multiple of rl.updatesPerStep (${updatesPerStep})`,
    );
  const groupsPerUpdate = groupsPerStep / updatesPerStep;
  if (groupsPerUpdate % settings.rl.gradientAccumulationSteps !== 0)
    throw new Error(
      `setting rl.gradientAccumulationSteps=${settings.rl.gradientAccumulationSteps}: expected a divisor of the ${groupsPerUpdate} groups of an update`,
    );
  return settings;
}
