/** Two short trainings on the toy world's images, whose steps are few enough to be stopped at each. */
import type { RlPrompt } from "../../lib/rollout/groups";
import { toyRl, toySft } from "./tiny";

const conversations = ["a", "b", "c"].map((image, i) => ({
  image,
  turns: [{ user: "What animal is this?", assistant: ` ${["cat", "dog", "red fox"][i]}` }],
}));
/** Six steps. */
export const sft = { ...toySft, batchSize: 2, epochs: 3, augmentation: 0.5 };
export const sftRun = { conversations, seed: 5, bf16: false };
export const prompts = [
  ["a", "b", "c"],
  ["b", "a", "c"],
  ["c", "a", "b"],
].map(([anchor, positive, negative]): RlPrompt => ({
  anchor,
  positive,
  negative,
  user: "What animal is this?",
  groundTruth: "cat",
  options: null,
  domainNames: ["cat", "dog"],
}));
/** Four steps of two groups. */
export const rl = { ...toyRl, steps: 4, groupsPerGeneration: 2, groupsPerStep: 2, maxGenerationBatches: 1 };
export const rlRun = { method: "tapo" as const, prompts, seed: 6, bf16: false };
