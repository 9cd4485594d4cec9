/** What the stages of a run would hold in memory, phase by phase: `lib/model/memory-plan.ts` under a run's settings. */
import type { ModelConfig } from "../model/config";
import type { LoraConfig } from "../model/lora-config";
import {
  generationPhase,
  parameterCounts,
  trainingPhase,
  type ParameterCounts,
  type Phase,
} from "../model/memory-plan";
import type { Settings } from "./settings";

/** The longest row of a stage. */
export interface RowSizes {
  /** Prompt with its image's tokens. */
  promptTokens: number;
  responseTokens: number;
  /** Of the largest image. */
  imagePatches: number;
}

/** What is trained: a whole model, or an adapter beside its weights. */
export interface PlannedModel {
  config: ModelConfig;
  lora: LoraConfig | null;
  /** Bytes of each weight (`storedWeightBytes`); a model that is trained whole is in float32 all the same. */
  storedBytes: 2 | 4;
}

function countsOf({ config, lora, storedBytes }: PlannedModel, visionTrained: boolean): ParameterCounts {
  return { ...parameterCounts(config, lora, visionTrained), weightBytes: lora ? storedBytes : 4 };
}

/** An SFT step: the rows of one part of a mini-batch, computed at once. */
export function sftPhases(model: PlannedModel, { sft }: Pick<Settings, "sft">, sizes: RowSizes): Phase[] {
  const rows = Math.ceil(sft.batchSize / sft.gradientAccumulationSteps);
  const visionTrained = sft.visionLearningRateScale > 0;
  return [
    trainingPhase(
      "SFT step",
      model.config,
      countsOf(model, visionTrained),
      { ...sizes, rows, images: rows },
      1,
      visionTrained,
      sft.gradientCheckpointing === "layers",
    ),
  ];
}

/** Sampling, and a TAPO update: the groups of one part of a mini-batch. */
export function rlPhases(model: PlannedModel, { rl }: Pick<Settings, "rl">, sizes: RowSizes): Phase[] {
  const { config } = model;
  const visionTrained = rl.visionLearningRateScale > 0;
  const counts = countsOf(model, visionTrained);
  const prompts = rl.promptsPerCall > 0 ? Math.min(rl.promptsPerCall, rl.groupsPerGeneration) : rl.groupsPerGeneration;
  const sources = rl.positiveGenerations > 0 ? 2 : 1; // a prompt is read with its anchor, and with its positive
  const rows = prompts * rl.numGenerations;
  const groups = rl.groupsPerStep / rl.updatesPerStep / rl.gradientAccumulationSteps;
  return [
    generationPhase(
      "RL generation",
      config,
      counts,
      { ...sizes, rows, images: sources * prompts },
      rl.numGenerations / sources,
    ),
    trainingPhase(
      "TAPO update",
      config,
      counts,
      {
        ...sizes,
        rows: groups * rl.numGenerations,
        prompts: (rl.conditionOn === "sampled" ? sources : 1) * groups,
        images: 3 * groups,
      },
      2,
      visionTrained,
      rl.gradientCheckpointing === "layers",
    ),
  ];
}

/** Longest prompts of a plan, where no data is at hand. */
export interface PlannedPrompts {
  /** Pixels of the largest image, by stage. */
  maxPixels: { sft: number; rl: number };
  /** Tokens of a prompt's text. */
  textTokens: number;
}

/** Tokens of an image of so many pixels. */
export function imageTokens({ vision }: ModelConfig, maxPixels: number): number {
  return Math.max(1, Math.floor(maxPixels / (vision.patchSize * vision.spatialMergeSize) ** 2));
}

/** Every phase of a run, from shapes and settings alone: SFT step, RL generation, TAPO update. */
export function plannedPhases(model: PlannedModel, settings: Settings, prompts: PlannedPrompts): Phase[] {
  const sizes = (maxPixels: number): Omit<RowSizes, "responseTokens"> => {
    const tokens = imageTokens(model.config, maxPixels);
    return {
      promptTokens: tokens + prompts.textTokens,
      imagePatches: tokens * model.config.vision.spatialMergeSize ** 2,
    };
  };
  const [sft, rl] = [sizes(prompts.maxPixels.sft), sizes(prompts.maxPixels.rl)];
  const responseTokens = settings.rl.maxNewTokens;
  const room = Math.max(1, Math.min(responseTokens, settings.sft.maxLength - sft.promptTokens));
  return [
    ...sftPhases(model, settings, { ...sft, responseTokens: room }),
    ...rlPhases(model, settings, { ...rl, responseTokens }),
  ];
}
