/** The small runs that both sides train: whole batches, nothing random in them. */
import { loadSettings } from "../../lib/experiment/load-settings";
import type { Settings } from "../../lib/experiment/settings";

/** Every record in every batch, so that their order is of no account; images as they are; 32 bits. */
const WHOLE = [
  "precision=float32",
  "sft.augmentation=0",
  "sft.replayRows=0",
  "sft.batchSize=64",
  "sft.epochs=4",
  "sft.saveSteps=0",
  "rl.saveSteps=0",
];

const settings = (run: string, set: readonly string[]): Settings =>
  loadSettings({ scale: "smoke", run, set: [...WHOLE, ...set] });

/** For TRL: two micro-batches, the vision tower at a tenth of the rate; RL with options shown, on whole responses. */
export const trlSettings = (): Settings =>
  settings("interop-trl", [
    "sft.gradientAccumulationSteps=2",
    "start=base",
    "rl.augmentation=0",
    "rl.steps=4",
    "rl.groupsPerStep=3",
    "rl.numGenerations=8",
    "rl.positiveGenerations=4",
    "rl.maxNewTokens=80",
    "rl.openShare=0",
  ]);

/** For LLaMA-Factory: the paper's prompts, which have a system message, a frozen vision tower, no warm-up. */
export const factorySettings = (): Settings =>
  settings("interop-llamafactory", ["prompts=paper", "sft.visionLearningRateScale=0", "sft.warmupSteps=0"]);

/** For ms-swift: the same, the vision tower at a tenth of the rate. */
export const swiftSettings = (): Settings =>
  settings("interop-swift", ["prompts=paper", "sft.visionLearningRateScale=0.1", "sft.warmupSteps=0"]);

/** For vLLM: an adapter, trained far enough to change answers, and the questions that are asked. */
export const vllmSettings = (): Settings =>
  settings("interop-vllm", ["lora.rank=4", "sft.learningRate=0.002", "sft.epochs=8", "eval.role=dev", "eval.limit=96"]);
