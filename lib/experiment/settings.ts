/**
 * Every setting of a run, declared once, in three scales: `smoke` (seconds, for checks), `default` (the shipped
 * experiment on two CPU cores) and `paper` (the published setting, for Qwen2.5-VL on a GPU). A scale is a named set of
 * values, no more. docs/settings.md lists all of them; it is generated from these declarations.
 */
import { RL_SETTINGS, SFT_SETTINGS } from "../train/settings";
import { isDrawn, isStudy } from "../benchmark/drawn";
import { trainedPrompts } from "./model-folder";
import { amount, choice, count, defaultsOf, text, type Values } from "../util/declared";
import { merge, type DeepPartial } from "../util/merge";

export const SCALES = ["smoke", "default", "paper"] as const;
export type Scale = (typeof SCALES)[number];

/** Construction of the chain-of-thought records. */
const COT_SETTINGS = {
  descriptionsPerImage: count(6, "Descriptions asked for each image (K of the paper)."),
  beliefSamples: count(16, "Direct answers sampled for each drawing: what the base believes about candidates."),
  conceptsPerImage: count(4, "Visual concepts kept for each image."),
  redundancyWeight: amount(0.5, "Weight of redundancy against information (information bottleneck)."),
  comparedWords: count(
    2,
    "Words of a candidate that a drawing's comparison names at most, in records and in replayed rows; 0 for all.",
    0,
  ),
  rationalesPerImage: count(4, "Rationales asked for each photograph; the first that passes is kept."),
  candidates: choice(
    ["own", "given"],
    "own",
    "Candidates of a photograph's rationale: the teacher's own, or four given.",
  ),
  match: choice(["exact", "substring"], "exact", "When a teacher's answer counts as right."),
  minWords: count(0, "Fewest words of a kept rationale.", 0),
  maxWords: count(1200, "Most words of a kept rationale."),
  duplicateShare: amount(0.8, "Share of four-word runs in common from which two rationales count as the same."),
  maxTokens: count(96, "Longest answer of a teacher, in tokens."),
  temperature: amount(1, "Sampling temperature of the teacher."),
  subCategories: count(0, "Seen sub-categories that are trained on; 0 for all.", 0),
  images: count(0, "Few-shot images of each that get a rationale; 0 for all. The released data has one of each.", 0),
  rationales: choice(
    ["own", "shuffled"],
    "own",
    "A control: each record with its own reasoning, or with that of another sub-category, answers staying.",
  ),
};
export type CotSettings = Values<typeof COT_SETTINGS>;

/** A low-rank adapter in place of the whole model, in SFT and RL. */
const LORA_SETTINGS = {
  rank: count(0, "Rank of the adapter; 0 trains the whole model.", 0),
  alpha: amount(32, "The adapter's output is scaled by alpha / rank."),
  layers: choice(
    ["all", "attention"],
    "all",
    "Linear layers with an adapter: all but the output layer, or the decoder's attention.",
  ),
};
export type LoraSettings = Values<typeof LORA_SETTINGS>;

/** Evaluation. */
const EVAL_SETTINGS = {
  maxNewTokens: count(80, "Longest answer in tokens."),
  batchSize: count(128, "Questions answered at a time."),
  alpha: choice(
    ["white", "drop"],
    "white",
    "Transparent images: put on white (the release's evaluation, through vLLM), or the channel dropped.",
  ),
  role: choice(["dev", "test"], "test", "Whose images are asked about: `dev` while the recipe is chosen."),
  limit: count(0, "Questions of each world (closed, open), a random sample; 0 for all.", 0),
  optionOrder: choice(
    ["shuffled", "released"],
    "shuffled",
    "Deviation 7: options shuffled by a seed for each image, or the truth first as in the released rows.",
  ),
  questions: choice(
    ["released", "own"],
    "released",
    "Published questions where the benchmark has them, or one for each image.",
  ),
  repetitionPenalty: amount(0, "Penalty on tokens already there; 0 for the checkpoint's own."),
  minPixels: count(0, "Fewest pixels of an image; 0 for the checkpoint's own limit.", 0),
  maxPixels: count(0, "Most pixels of an image; 0 for the checkpoint's own limit.", 0),
};
export type EvalSettings = Values<typeof EVAL_SETTINGS>;

/** The tiny bases of this repository: of `emoji-fgvr`, and of the study's drawings. */
export const SHIPPED_BASE = "data/base";
export const STUDY_BASE = "data/study-base";

/** The shipped base that was pre-trained on a benchmark's drawings. */
export const baseOf = (benchmark: string): string => (isStudy(benchmark) ? STUDY_BASE : SHIPPED_BASE);

const RUN_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

const SHARED_SETTINGS = {
  run: text("main", "Name of the run: `data/runs/<run>`.", RUN_NAME, "letters, digits, - and _ only, at most 64"),
  seed: count(0, "Every draw follows from it.", 0),
  benchmark: text(
    "emoji-fgvr",
    "What is recognised: `emoji-fgvr`, `emoji-study-dev`, `emoji-study-test`, image sets joined by `+` (`aircraft+pet`), `grocery`, or a folder.",
  ),
  sets: text("data/sets", "Folder of the image sets."),
  shots: count(4, "Training images of each seen sub-category.", 2),
  model: text(SHIPPED_BASE, "Directory of the base model, a Qwen2.5-VL checkpoint."),
  teacher: text(
    "self",
    "Who writes the rationales: `self` (the base model), a URL that speaks OpenAI's protocol, or a records file (sharegpt JSON).",
  ),
  teacherModel: text("default", "Name of the model that the teacher's endpoint serves."),
  similarity: text(
    "model",
    "What makes sub-categories alike: `model` (its vision tower), `names` (spelling), or a CLIP or SigLIP ONNX directory. Emoji-FGVR has its own.",
  ),
  triplets: text(
    "own",
    "Stage-2 prompts: `own` (drawn from the few-shot images), or a parquet file in the release's layout.",
  ),
  start: text(
    "sft",
    "What Stage 2 starts from: `sft` (this run's Stage 1), `base`, or the directory of a checkpoint or an adapter.",
  ),
  prompts: choice(["tiny", "paper"], "tiny", "`tiny`: short prompts of the shipped base; `paper`: the released ones."),
  precision: choice(
    ["auto", "float32", "bfloat16"],
    "auto",
    "Matrix products of training and sampling: bfloat16 where the device has it (`auto`), or always one of the two.",
  ),
  memory: amount(0, "GiB that the device has, for the memory plan; 0 for this machine's."),
  onBadRow: choice(
    ["stop", "skip"],
    "stop",
    "At a record, row or image that cannot be used: stop, or leave it out and report it.",
  ),
};

/** All declarations, as docs and checks read them. */
export const SETTINGS = {
  ...SHARED_SETTINGS,
  cot: COT_SETTINGS,
  sft: SFT_SETTINGS,
  rl: RL_SETTINGS,
  lora: LORA_SETTINGS,
  eval: EVAL_SETTINGS,
};

/** A run's settings. */
export type Settings = Values<typeof SETTINGS> & { scale: Scale };

const smoke: DeepPartial<Settings> = {
  run: "smoke",
  cot: { descriptionsPerImage: 2, beliefSamples: 4, subCategories: 6 },
  sft: { epochs: 1, batchSize: 8, replayRows: 2, saveSteps: 1 },
  rl: {
    steps: 2,
    groupsPerStep: 2,
    updatesPerStep: 1,
    groupsPerGeneration: 3,
    numGenerations: 4,
    positiveGenerations: 2,
    maxNewTokens: 48,
    maxGenerationBatches: 2,
    whenNoGroupSurvives: "keep-all", // so few groups may all be wrong, and every stage is to run
    saveSteps: 1,
  },
  eval: { maxNewTokens: 64, batchSize: 16, role: "dev", limit: 12 },
};

/** Paper, sections 4.1 and A: what its text and the released scripts say. */
const paper: DeepPartial<Settings> = {
  run: "paper",
  benchmark: "aircraft+bird+car+dog+flower+pet",
  model: "models/Qwen2.5-VL-3B-Instruct",
  teacher: "data/released/stage1/Fine-R1-Stage1-data.json",
  prompts: "paper",
  cot: { descriptionsPerImage: 10, beliefSamples: 16, conceptsPerImage: 8, minWords: 60, maxTokens: 2048, images: 1 },
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
    saveSteps: 20,
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
    openShare: 1, // as in the release
    reward: "substring",
    whenNoGroupSurvives: "stop",
    maxGenerationBatches: 20,
    saveSteps: 1,
  },
  eval: { maxNewTokens: 2048, batchSize: 16 },
};

/** The values of a scale. */
export function scaleSettings(scale: Scale): Settings {
  const defaults: Settings = { scale: "default", ...defaultsOf(SETTINGS) };
  if (scale === "default") return defaults;
  return merge(defaults, { scale, ...(scale === "smoke" ? smoke : paper) });
}

/** The study's names are longer, and so are its rationales. */
const STUDY_LENGTHS: DeepPartial<Settings> = {
  cot: { comparedWords: 0 },
  rl: { maxNewTokens: 128 },
  eval: { maxNewTokens: 136 },
};

/** The study's recipe (docs/study/protocol.md), at the default scale. */
const STUDY_RECIPE: DeepPartial<Settings> = {
  rl: {
    steps: 32,
    groupsPerStep: 32,
    groupsPerGeneration: 24,
    learningRate: 1e-4,
    visionLearningRateScale: 0,
    replayRows: 16,
    replayWeight: 1,
  },
};

function studySettings(given: Settings): Settings {
  const settings = merge(given, STUDY_LENGTHS);
  return given.scale === "default" ? merge(settings, STUDY_RECIPE) : settings;
}

/**
 * What fits other values than the tiny base on its drawings: applied first where a photograph or another model is
 * named.
 */
export function fittedSettings(given: Settings): Settings {
  const drawings = isDrawn(given.benchmark);
  const settings = isStudy(given.benchmark) ? studySettings(given) : given;
  const shipped = settings.model === SHIPPED_BASE || settings.model === STUDY_BASE;
  if (drawings && settings.model === baseOf(settings.benchmark)) return settings;
  return merge(settings, {
    ...(shipped ? {} : { prompts: trainedPrompts(settings) ?? "paper" }),
    // augmentation is made for square drawings; replayed rows are those of the shipped base's pre-training
    sft: { replayRows: 0, ...(drawings ? {} : { augmentation: 0 }) },
    ...(drawings ? {} : { rl: { augmentation: 0 } }),
  });
}
