/**
 * Export to EasyR1: Stage 2. CLS-RL runs on EasyR1 as it is published; TAPO and its ablations on the fork that the
 * authors of Fine-R1 released, whose keys are `is_noisy` (the positive image) and `kl_prcp` (the negative one).
 */
import { writeFileSync } from "node:fs";
import * as path from "node:path";
import type { Experiment } from "../experiment/types";
import { stage2Row, writeStage2, type EncodedImage, type Stage2Row } from "../formats/stage2";
import { METHODS, type RlMethod } from "../train/methods";
import { stage2Differences } from "./differences";
import { imageBytes, type ImageToExport } from "./images";
import { basePath, startOf } from "./model";
import { FORMAT_WEIGHT, writeReward } from "./reward-files";
import { RL_FLOOR } from "./schedule";
import { formatPrompt, stage2Prompts, type ExportedPrompt } from "./stage2";
import type { Exporter } from "./types";
import { toYaml, type Yaml } from "./yaml";

type Config = { [key: string]: Yaml };

/** Prompts longer than this are left out by EasyR1: as in the release. */
const PROMPT_TOKENS = 4096;
/** Sequences for which log-probs are taken at a time, at most: as in the release. */
const MOST_SCORED = 16;

/** Numbers that EasyR1 divides among its workers. */
interface Sizes {
  /** Prompts of a step, as the engine counts them. */
  rolloutBatch: number;
  /** Prompts of a generation batch. */
  generationBatch: number;
  /** Rollouts of an image. */
  n: number;
  /** Prompts of an update. */
  globalBatch: number;
  /** Responses of an update: of each prompt n, with a positive image 2n. */
  responses: number;
  /** Updates of a step that come of it. */
  updates: number;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/**
 * The sizes under which an engine has this run's groups.
 *
 * The fork counts a step's responses as `rollout_batch_size * n * 2` whether or not there is a positive image, and an
 * update's as `global_batch_size * n * 2` where there is one (`fsdp_workers_new.py`), else `global_batch_size * n`.
 * @throws Error where the fork cannot have them
 */
export function easyR1Sizes({ rl }: Experiment["settings"], method: RlMethod): Sizes {
  const { intra } = METHODS[method];
  const fork = method !== "cls-rl";
  if (intra && rl.numGenerations !== 2 * rl.positiveGenerations)
    throw new Error(
      `${method}: the release samples as many responses from the positive as from the anchor; rl.numGenerations=${rl.numGenerations} with rl.positiveGenerations=${rl.positiveGenerations} has not: set the one to twice the other`,
    );
  if (fork && !intra && rl.groupsPerStep % 2 !== 0)
    throw new Error(
      `${method}: the release collects prompts in pairs where there is no positive; rl.groupsPerStep=${rl.groupsPerStep} is odd`,
    );
  const n = intra ? rl.numGenerations / 2 : rl.numGenerations;
  const rolloutBatch = fork && !intra ? rl.groupsPerStep / 2 : rl.groupsPerStep;
  const perUpdate = rl.groupsPerStep / rl.updatesPerStep;
  const globalBatch = gcd(rolloutBatch, perUpdate); // the engine wants a divisor of rollout_batch_size
  const responses = globalBatch * rl.numGenerations;
  return {
    rolloutBatch,
    generationBatch: rl.groupsPerGeneration,
    n,
    globalBatch,
    responses,
    updates: (rl.groupsPerStep * rl.numGenerations) / responses,
  };
}

/** A divisor of n, at most `most`. */
const divisor = (n: number, most: number): number => {
  let d = Math.max(1, Math.min(n, most));
  while (n % d !== 0) d--;
  return d;
};

function actorConfig(experiment: Experiment, sizes: Sizes, method: RlMethod, gpus: number): Config {
  const { settings } = experiment;
  const { rl, lora } = settings;
  const fork = method !== "cls-rl";
  const { responses } = sizes;
  if (responses % gpus !== 0)
    throw new Error(
      `--gpus ${gpus}: the ${responses} responses of an update cannot be divided among them; change their number, or rl.groupsPerStep, rl.updatesPerStep, rl.numGenerations`,
    );
  return {
    global_batch_size: sizes.globalBatch,
    micro_batch_size_per_device_for_update: divisor(
      responses / gpus,
      Math.max(1, Math.floor(responses / (gpus * rl.gradientAccumulationSteps))),
    ),
    micro_batch_size_per_device_for_experience: divisor(sizes.rolloutBatch * sizes.n, MOST_SCORED),
    max_grad_norm: rl.maxGradNorm,
    clip_ratio_low: rl.clipRatioLow,
    clip_ratio_high: rl.clipRatioHigh,
    clip_ratio_dual: rl.clipRatioDual,
    loss_avg_mode: "token",
    padding_free: true,
    ulysses_size: 1,
    ...(fork ? { is_noisy: METHODS[method].intra } : {}),
    model: {
      model_path: startOf(settings, basePath(settings)),
      enable_gradient_checkpointing: rl.gradientCheckpointing === "layers",
      freeze_vision_tower: rl.visionLearningRateScale === 0,
      ...(fork || lora.rank === 0
        ? {}
        : {
            lora: {
              rank: lora.rank,
              alpha: lora.alpha,
              target_modules: lora.layers === "all" ? "all-linear" : "q_proj,k_proj,v_proj,o_proj",
            },
          }),
    },
    optim: {
      lr: rl.learningRate,
      betas: [0.9, 0.98],
      weight_decay: rl.weightDecay,
      strategy: fork ? "adamw_bf16" : "adamw",
      lr_warmup_steps: rl.schedule === "cosine" ? rl.warmupSteps : 0,
      ...(fork ? {} : { lr_scheduler_type: rl.schedule, min_lr_ratio: RL_FLOOR }),
    },
    fsdp: {
      ...(fork ? { torch_dtype: "bf16" } : {}),
      enable_full_shard: true,
      enable_cpu_offload: false,
      enable_rank0_init: true,
    },
    offload: { offload_params: true, offload_optimizer: true },
  };
}

/** `config.yaml`. */
export function easyR1Config(experiment: Experiment, method: RlMethod, gpus: number): Config {
  const { settings, bench } = experiment;
  const { rl } = settings;
  const { inter } = METHODS[method];
  const fork = method !== "cls-rl";
  const sizes = easyR1Sizes(settings, method);
  const { minPixels, maxPixels } = bench.processor.imageConfig;
  return {
    data: {
      train_files: "train.parquet",
      val_files: "train.parquet",
      prompt_key: "problem",
      answer_key: "answer",
      image_key: "images",
      max_prompt_length: PROMPT_TOKENS,
      max_response_length: rl.maxNewTokens,
      rollout_batch_size: sizes.rolloutBatch,
      mini_rollout_batch_size: sizes.generationBatch,
      val_batch_size: 1,
      format_prompt: "prompt.jinja",
      shuffle: true,
      seed: settings.seed,
      min_pixels: rl.minPixels || minPixels,
      max_pixels: rl.maxPixels || maxPixels,
      filter_overlong_prompts: true,
    },
    algorithm: {
      adv_estimator: fork ? "dapo" : "grpo",
      disable_kl: true,
      use_kl_loss: false,
      online_filtering: true,
      filter_key: "accuracy",
      filter_low: 0.01,
      filter_high: 0.99,
      ...(fork
        ? {
            use_kl_prcp: inter,
            contrastive_type: "augmented",
            kl_prcp_penalty: "low_var_kl",
            kl_prcp_coef: inter ? rl.klCoefficient : 0,
            kl_prcp_apply_mode: "all",
            kl_prcp_schedule: "fixed",
            use_aug_entropy_loss: inter,
            aug_entropy_loss_coef: rl.negativeEntropyCoefficient,
            use_ori_entropy_loss: inter,
            ori_entropy_loss_coef: rl.entropyCoefficient,
          }
        : {}),
    },
    worker: {
      actor: actorConfig(experiment, sizes, method, gpus),
      rollout: {
        n: sizes.n,
        temperature: rl.temperature,
        top_p: rl.topP,
        limit_images: 1,
        gpu_memory_utilization: 0.6,
        tensor_parallel_size: 1,
      },
      ref: { offload: { offload_params: false } },
      reward: {
        ...(fork ? { reward_type: "batch" } : {}),
        reward_function: "reward.py:compute_score",
        reward_function_kwargs: { format_weight: FORMAT_WEIGHT },
      },
    },
    trainer: {
      total_epochs: 1,
      max_steps: rl.steps,
      project_name: "fine-r1",
      experiment_name: method,
      logger: fork ? ["console", "tensorboard"] : ["console", "file"],
      nnodes: 1,
      n_gpus_per_node: gpus,
      max_try_make_batch: rl.maxGenerationBatches,
      val_freq: -1,
      val_before_train: false,
      save_freq: rl.saveSteps > 0 ? rl.saveSteps : -1,
      save_limit: rl.saveTotalLimit,
      save_checkpoint_path: "output",
    },
  };
}

/** Paths are made absolute: EasyR1's workers run elsewhere. */
const script = (needsModel: boolean): string => `#!/usr/bin/env bash
# Stage 2 with EasyR1: bash train.sh ${needsModel ? "MODEL" : "[MODEL]"} [KEY=VALUE ...]
# MODEL: the checkpoint that Stage 1 left${needsModel ? "" : " (default: the one in config.yaml)"}
set -euo pipefail
here="$(cd "$(dirname "\${BASH_SOURCE[0]}")" && pwd)"
${
  needsModel
    ? `model="\${1:?give the directory of the checkpoint that Stage 1 left}"
shift
set -- worker.actor.model.model_path="$model" "$@"`
    : `if [[ $# -gt 0 && "$1" != *=* ]]; then
  model="$1"
  shift
  set -- worker.actor.model.model_path="$model" "$@"
fi`
}
export PYTHONUNBUFFERED=1
exec python3 -m verl.trainer.main \\
  config="$here/config.yaml" \\
  data.train_files="$here/train.parquet" \\
  data.val_files="$here/train.parquet" \\
  data.format_prompt="$here/prompt.jinja" \\
  worker.reward.reward_function="$here/reward.py:compute_score" \\
  trainer.save_checkpoint_path="$here/output" \\
  "$@"
`;

function differencesOf(experiment: Experiment, method: RlMethod): string[] {
  const { settings } = experiment;
  const { rl, lora } = settings;
  const fork = method !== "cls-rl";
  const { intra, inter } = METHODS[method];
  const { updates, globalBatch } = easyR1Sizes(settings, method);
  const when = (condition: boolean, text: string): string[] => (condition ? [text] : []);
  return [
    "Stage 2 only: Stage 1 is LLaMA-Factory's in the release (export to llamafactory) or TRL's.",
    ...stage2Differences(experiment),
    ...when(
      updates !== rl.updatesPerStep,
      `A step has ${updates} updates of ${globalBatch} prompts; here rl.updatesPerStep=${rl.updatesPerStep}. The engine wants an update's prompts to divide its rollout_batch_size, which counts pairs of responses.`,
    ),
    ...when(
      fork && intra && rl.conditionOn === "anchor",
      "Each response is conditioned on the image it was sampled from; here on the anchor (rl.conditionOn=anchor).",
    ),
    ...when(
      fork && inter && rl.negativeLogProbs === "recomputed",
      "Log-probs under the negative are taken once a step, without gradient; here at each update (rl.negativeLogProbs=recomputed).",
    ),
    ...when(
      fork && rl.lossAverage === "token",
      "The loss is one mean for each micro-batch, then their mean, so that splitting changes the update; here one mean over the update's tokens (rl.lossAverage=token).",
    ),
    `${fork ? "A generation batch of which no group survives the filter is kept whole, and its groups enter the step" : "A generation batch of which no group survives the filter ends the training"}; here rl.whenNoGroupSurvives=${rl.whenNoGroupSurvives} decides at the end of a step.`,
    `After ${rl.maxGenerationBatches} generation batches without a full step the training ends with an error; here it goes on with the groups there are.`,
    ...when(
      rl.visionLearningRateScale !== 0 && rl.visionLearningRateScale !== 1,
      `The vision tower has the learning rate of the rest; here rl.visionLearningRateScale=${rl.visionLearningRateScale} of it.`,
    ),
    ...when(
      fork && rl.schedule === "cosine",
      `The learning rate is constant after warm-up; here rl.schedule=cosine to ${RL_FLOOR} of its peak.`,
    ),
    ...when(
      !fork && rl.lossAverage === "micro-batch",
      "The loss is one mean over an update's tokens; rl.lossAverage=micro-batch is not there.",
    ),
    ...when(
      rl.schedule === "cosine" && rl.warmupSteps > 0,
      "Warm-up begins at a learning rate of 0, so that the first step changes nothing; here at peak / warm-up steps.",
    ),
    "Norms and biases decay with the rest; here matrices alone.",
    ...when(fork, "Parameters and optimizer state are bfloat16 (adamw_bf16, as released); here float32."),
    ...when(fork && lora.rank > 0, `The release trains whole models; here lora.rank=${lora.rank}.`),
    ...when(
      settings.rl.reward === "strict",
      "The reward gets no domain from EasyR1: it takes the names of the first domain that has the truth.",
    ),
  ];
}

const encoded = async (experiment: Experiment, { name, source }: { name: string; source: ImageToExport }) =>
  ({
    bytes: await imageBytes(experiment.benchmark, source, experiment.settings.rl.alpha),
    path: path.basename(name),
  }) satisfies EncodedImage;

const rowOf = async (experiment: Experiment, prompt: ExportedPrompt): Promise<Stage2Row> =>
  stage2Row({
    problem: `<image>${prompt.problem}`,
    answer: prompt.groundTruth,
    anchor: await encoded(experiment, prompt.anchor),
    positive: await encoded(experiment, prompt.positive),
    negative: await encoded(experiment, prompt.negative),
  });

/** Writes data and configuration for EasyR1 (`cls-rl`) or the release's fork of it (the other methods). */
export const exportEasyR1: Exporter = async (experiment, folder, { gpus, method = "tapo" }) => {
  const { settings } = experiment;
  const config = easyR1Config(experiment, method, gpus);
  const { prompts, names } = await stage2Prompts(experiment);
  if (prompts.length < settings.rl.groupsPerGeneration)
    throw new Error(
      `export easyr1: ${prompts.length} prompts do not fill a generation batch of rl.groupsPerGeneration=${settings.rl.groupsPerGeneration}; lower it`,
    );
  const rows: Stage2Row[] = [];
  for (const prompt of prompts) rows.push(await rowOf(experiment, prompt));
  writeStage2(path.join(folder, "train.parquet"), rows);
  writeReward(folder, settings, names);
  const write = (name: string, text: string): void => writeFileSync(path.join(folder, name), text);
  write("prompt.jinja", formatPrompt(experiment));
  write("config.yaml", toYaml(config));
  const needsModel = settings.start === "sft";
  write("train.sh", script(needsModel));
  const fork = method !== "cls-rl";
  return {
    title: fork ? "the release's EasyR1 (TAPO)" : "EasyR1",
    needs: fork
      ? "the folder TAPO of PKU-ICST-MIPL/FineR1_ICLR2026, installed (`pip install -e`), with vllm, flash-attn and ray as it says"
      : "hiyouga/EasyR1, installed (`pip install -e`), with vllm, flash-attn and ray as it says",
    steps: [
      { what: `Stage 2 (${METHODS[method].label})`, command: `bash train.sh${needsModel ? " MODEL_OF_STAGE_1" : ""}` },
    ],
    differences: differencesOf(experiment, method),
    contents: [
      ["train.parquet", "problem, answer, images (the anchor), image_noisy (the positive), image_aug (the negative)"],
      ["prompt.jinja", "the instruction on the format"],
      ["reward.py, reward.json", "the reward, and what it counts"],
      ["config.yaml", "hyper-parameters"],
      ["train.sh", "starts it, with paths made absolute"],
    ],
    counts: { prompts: prompts.length },
  };
};
