/** Logs of other trainers as this project's rows, a row a step; what they do not log is null. */
import { existsSync, readdirSync } from "node:fs";
import * as path from "node:path";
import { readJsonl, readJsonObject } from "../util/files";

/** A row of `logs/<method>.jsonl` (`SftLog`, `RlLog`) whose missing numbers are null. */
export interface ImportedRow {
  step: number;
  [metric: string]: number | null;
}

/** A log that was found. */
export interface ImportedLog {
  file: string;
  /** Who wrote it. */
  from: string;
  stage: "sft" | "rl";
  rows: ImportedRow[];
}

type Row = Record<string, unknown>;

/** A finite number of a row, or null. Keys lead into records, or are names with dots or slashes in them. */
function numberOf(row: Row, ...keys: string[]): number | null {
  let value: unknown = row;
  for (const key of keys) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return null;
    value = (value as Row)[key];
  }
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

const oneMinus = (value: number | null): number | null => (value === null ? null : 1 - value);

/** The release logs the KL as the loss it is. */
const negated = (value: number | null): number | null => (value === null ? null : -value);

/** What an update that was skipped counts as: these trainers skip none. */
const NONE_SKIPPED = 0;

/** A line of a Hugging Face SFT log. */
function sftRow(row: Row, step: number, before: number): ImportedRow {
  const tokens = numberOf(row, "num_tokens");
  return {
    step,
    loss: numberOf(row, "loss"),
    gradNorm: numberOf(row, "grad_norm"),
    skipped: NONE_SKIPPED,
    learningRate: numberOf(row, "learning_rate"),
    tokens: tokens === null ? null : tokens - before,
  };
}

/** Metrics of Stage 2 that no other engine has. */
const UNKNOWN_IN_RL = {
  accuracyOpen: null,
  accuracyClosed: null,
  listing: null,
  commonestAnswer: null,
  generationBatches: null,
  groups: null,
  conditioningGap: null,
};

/** A line of TRL's GRPO log. */
function grpoRow(row: Row, step: number, before: number): ImportedRow {
  const tokens = numberOf(row, "num_tokens");
  return {
    step,
    reward: numberOf(row, "reward"),
    accuracy: numberOf(row, "rewards/accuracy_reward/mean"),
    format: numberOf(row, "rewards/format_reward/mean"),
    length: numberOf(row, "completions/mean_length"),
    finished: oneMinus(numberOf(row, "completions/clipped_ratio")),
    kept: oneMinus(numberOf(row, "frac_reward_zero_std")),
    entropy: numberOf(row, "entropy"),
    kl: null,
    negativeEntropy: null,
    clipFractionHigh: numberOf(row, "clip_ratio/high_mean"),
    clipFractionLow: numberOf(row, "clip_ratio/low_mean"),
    clipFractionDual: null,
    ratioMean: null,
    approxKl: null,
    gradNorm: numberOf(row, "grad_norm"),
    skipped: NONE_SKIPPED,
    learningRate: numberOf(row, "learning_rate"),
    tokens: tokens === null ? null : tokens - before,
    seconds: numberOf(row, "step_time"),
    ...UNKNOWN_IN_RL,
  };
}

/**
 * Rows of a `trainer_state.json`: of TRL's SFT and GRPO, of transformers, of LLaMA-Factory.
 * @throws Error naming the file where it has no log
 */
export function hfLog(file: string): ImportedLog {
  const { log_history: history } = readJsonObject(file);
  if (!Array.isArray(history))
    throw new Error(`${file}: log_history is no list; a trainer_state.json of transformers expected`);
  const steps = (history as Row[]).filter((row) => numberOf(row, "step") !== null && numberOf(row, "loss") !== null);
  const isRl = steps.some((row) => "reward" in row);
  let before = 0;
  const rows = steps.map((row) => {
    const made = (isRl ? grpoRow : sftRow)(row, numberOf(row, "step")!, before);
    before = numberOf(row, "num_tokens") ?? before;
    return made;
  });
  return { file, from: isRl ? "TRL's GRPO" : "a Hugging Face trainer", stage: isRl ? "rl" : "sft", rows };
}

/** Rows of LLaMA-Factory's `trainer_log.jsonl`, which is there before its `trainer_state.json`. */
export function llamaFactoryLog(file: string): ImportedLog {
  const rows = readJsonl<Row>(file).flatMap((row): ImportedRow[] => {
    const step = numberOf(row, "current_steps");
    const loss = numberOf(row, "loss");
    if (step === null || loss === null) return [];
    return [{ step, loss, gradNorm: null, skipped: NONE_SKIPPED, learningRate: numberOf(row, "lr"), tokens: null }];
  });
  return { file, from: "LLaMA-Factory", stage: "sft", rows };
}

/** Rows of EasyR1's `experiment_log.jsonl`; validation lines aside. */
export function easyR1Log(file: string): ImportedLog {
  const rows = readJsonl<Row>(file).flatMap((row): ImportedRow[] => {
    const step = numberOf(row, "step");
    const reward = numberOf(row, "reward", "overall") ?? numberOf(row, "critic", "score", "mean");
    if (step === null || reward === null) return [];
    const actor = (name: string): number | null => numberOf(row, "actor", name);
    return [
      {
        step,
        reward,
        accuracy: numberOf(row, "reward", "accuracy"),
        format: numberOf(row, "reward", "format"),
        length: numberOf(row, "response_length", "mean"),
        finished: oneMinus(numberOf(row, "response_length", "clip_ratio")),
        kept: null,
        entropy: actor("entropy_loss"),
        kl: negated(actor("kl_prcp_loss")),
        negativeEntropy: actor("aug_entropy_loss"),
        clipFractionHigh: actor("pg_clipfrac_higher"),
        clipFractionLow: actor("pg_clipfrac_lower"),
        clipFractionDual: null,
        ratioMean: null,
        approxKl: null,
        gradNorm: actor("grad_norm"),
        skipped: NONE_SKIPPED,
        learningRate: actor("lr"),
        tokens: null,
        seconds: numberOf(row, "perf", "time_per_step"),
        ...UNKNOWN_IN_RL,
      },
    ];
  });
  return { file, from: "EasyR1", stage: "rl", rows };
}

const READERS: readonly [name: string, read: (file: string) => ImportedLog][] = [
  ["trainer_state.json", hfLog],
  ["trainer_log.jsonl", llamaFactoryLog],
  ["experiment_log.jsonl", easyR1Log],
];

/**
 * Reads a log by its file's name.
 * @throws Error naming the file, where its name is none of the three or it has no step
 */
export function readTrainerLog(file: string): ImportedLog {
  const reader = READERS.find(([name]) => name === path.basename(file));
  if (!reader)
    throw new Error(`${file}: no log of a trainer that is known; ${READERS.map(([name]) => name).join(", ")} are`);
  const log = reader[1](file);
  if (log.rows.length === 0) throw new Error(`${file}: has no step with a loss or a reward`);
  return log;
}

/** Checkpoints `checkpoint-N` of a trainer's output, the latest first. */
export function checkpointFolders(dir: string): string[] {
  const number = (name: string): number => Number(/^checkpoint-(\d+)$/.exec(name)?.[1] ?? -1);
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .filter((name) => number(name) >= 0)
    .sort((a, b) => number(b) - number(a))
    .map((name) => path.join(dir, name));
}

/**
 * The log beside a model: in its folder, in the folders above it up to the trainer's output, in the last checkpoint.
 */
export function findTrainerLog(dir: string): string | null {
  const above = [
    dir,
    path.dirname(dir),
    path.dirname(path.dirname(dir)),
    path.dirname(path.dirname(path.dirname(dir))),
  ];
  const inOutput = (folder: string): boolean =>
    folder === dir ||
    /^(checkpoint-|global_step_|actor$|huggingface$|merged$)/.test(path.relative(folder, dir).split(path.sep)[0]);
  const folders = [...above.filter(inOutput), ...checkpointFolders(dir)];
  for (const folder of folders)
    for (const [name] of READERS) if (existsSync(path.join(folder, name))) return path.join(folder, name);
  return null;
}
