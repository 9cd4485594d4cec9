/** TAPO steps whose responses vLLM samples, by `rl --rollouts`: adapters are pushed, then whole models. */
import { mkdirSync, rmSync } from "node:fs";
import * as path from "node:path";
import { loadSettings } from "../../lib/experiment/load-settings";
import { runFolder } from "../../lib/experiment/run";
import type { RlLog } from "../../lib/train/rl-log";
import { readJsonl } from "../../lib/util/files";
import { runCommand, scratch } from "./python";

/** What a training's log says. */
export interface RolloutRun {
  what: string;
  steps: number;
  tokens: number;
  /** The most of any step. */
  staleness: number;
  /** Mean |log-prob here - log-prob of vLLM| of a token: of the first step, and of the last. */
  first: number;
  last: number;
}

const STEPS = 3;
const SHARED = [
  "start=base",
  "precision=float32",
  "rl.augmentation=0",
  `rl.steps=${STEPS}`,
  "rl.groupsPerStep=4",
  "rl.groupsPerGeneration=8",
  "rl.maxGenerationBatches=2",
  "rl.whenNoGroupSurvives=keep-all",
  "rl.maxNewTokens=60",
  "rl.learningRate=0.002",
  "rl.warmupSteps=0",
];

/** Runs `rl` against the server, from nothing. */
function train(baseUrl: string, what: string, name: string, set: readonly string[]): RolloutRun {
  const run = `interop-vllm-${name}`;
  const weights = path.join(scratch, "rollout-weights");
  const settings = [...SHARED, ...set];
  const folder = runFolder(loadSettings({ scale: "smoke", run, set: settings }));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(weights, { recursive: true });
  const where = ["--rollouts", baseUrl, "--rollout-model", "base", "--rollout-weights", weights];
  runCommand(`vllm-rl-${name}`, [
    ...["rl", "--scale", "smoke", "--run", run, ...where],
    ...settings.flatMap((one) => ["--set", one]),
  ]);
  const log = readJsonl<RlLog>(path.join(folder, "logs/tapo.jsonl"));
  const differences = log.map(({ logProbDifference }) => logProbDifference!);
  return {
    what,
    steps: log.length,
    tokens: log.reduce((n, { tokens }) => n + tokens, 0),
    staleness: Math.max(...log.map(({ staleness }) => staleness!)),
    first: differences[0],
    last: differences[differences.length - 1],
  };
}

/** Adapters, to a server of the tiny base. */
export const adapterRuns = (baseUrl: string): RolloutRun[] => [
  train(baseUrl, "adapter, pushed before each step", "adapter", ["lora.rank=4"]),
  train(baseUrl, "adapter, pushed before the first alone", "stale", ["lora.rank=4", `rl.pushEvery=${STEPS}`]),
];

/** Whole models, to a server of the checkpoint in `folder`, in whose place they are put. */
export const wholeRuns = (baseUrl: string, folder: string): RolloutRun[] => [
  train(baseUrl, "whole model, its output layer not tied, pushed before each step", "whole", [
    `model=${folder}`,
    "prompts=tiny",
  ]),
];

/** What is wrong with the runs: log-probs differ right after a push, or do not where the pushed policy is old. */
export function rolloutFault(runs: readonly RolloutRun[], tolerance: number): string | null {
  for (const { what, tokens, staleness, first, last } of runs) {
    if (tokens === 0) return `${what}: no token was sampled`;
    if (!(first <= tolerance)) return `${what}: log-probs differ by ${first} in the first step`;
    if (staleness === 0 && !(last <= tolerance)) return `${what}: log-probs differ by ${last} in the last step`;
    if (staleness > 0 && !(last > tolerance)) return `${what}: log-probs of an older policy differ by ${last} alone`;
  }
  return null;
}
