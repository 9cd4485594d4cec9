/** Export to TRL: Stage 1 with SFTTrainer, Stage 2 without triplets with GRPOTrainer. */
import { writeFileSync } from "node:fs";
import * as path from "node:path";
import { RL_FLOOR, SFT_FLOOR } from "./schedule";
import type { Experiment } from "../experiment/types";
import { writeJsonl } from "../util/files";
import { splitBatch } from "./batches";
import { stage1Differences, stage2Differences } from "./differences";
import { imageFolder } from "./images";
import { basePath, loraTargets, startOf, usesBf16 } from "./model";
import { copyPython, FORMAT_WEIGHT, writeReward } from "./reward-files";
import { recordMessages, stage1Records, type ExportedRecord } from "./stage1";
import { formatPrompt, stage2Prompts } from "./stage2";
import type { Exporter, ExportOptions } from "./types";
import { toYaml, type Yaml } from "./yaml";

type Config = Record<string, Yaml>;

/** Parts of a message with every field, as Arrow wants them; strings where no image stands elsewhere than in front. */
function trlMessages(records: readonly ExportedRecord[]): object[] {
  const all = records.map(recordMessages);
  const inFront = all.every((messages) =>
    messages.every(({ content }) => typeof content === "string" || content[0].type === "image"),
  );
  return all.map((messages, i) => {
    const plain = messages.map(({ role, content }) => {
      if (typeof content === "string") return { role, content: inFront ? content : [{ type: "text", text: content }] };
      const texts = content.map((part) => (part.type === "text" ? part.text : null));
      return {
        role,
        content: inFront
          ? texts.filter((text) => text !== null).join("")
          : content.map(({ type }, j) => ({ type, text: texts[j] })),
      };
    });
    return { prompt: plain.slice(0, -1), completion: plain.slice(-1), images: [records[i].image] };
  });
}

/** Keys that both trainers share. */
function commonConfig({ settings }: Experiment, stage: "sft" | "rl"): Config {
  const { lora } = settings;
  const of = settings[stage];
  return {
    dtype: lora.rank > 0 ? "auto" : "float32",
    bf16: usesBf16(settings),
    ...(lora.rank > 0
      ? {
          use_peft: true,
          lora_r: lora.rank,
          lora_alpha: lora.alpha,
          lora_dropout: 0,
          lora_target_modules: loraTargets(settings),
        }
      : {}),
    learning_rate: of.learningRate,
    vision_learning_rate_scale: of.visionLearningRateScale,
    weight_decay: of.weightDecay,
    adam_beta1: 0.9,
    adam_beta2: 0.98,
    adam_epsilon: 1e-8,
    max_grad_norm: of.maxGradNorm,
    gradient_checkpointing: of.gradientCheckpointing === "layers",
    min_pixels: of.minPixels,
    max_pixels: of.maxPixels,
    seed: settings.seed,
    logging_steps: 1,
    save_strategy: of.saveSteps > 0 ? "steps" : "no",
    save_total_limit: of.saveTotalLimit,
    report_to: "none",
  };
}

/** `sft.yaml`. @param rows of a mini-batch */
function sftConfig(experiment: Experiment, records: number, { gpus }: ExportOptions): Config {
  const { settings } = experiment;
  const { sft } = settings;
  const rows = Math.min(sft.batchSize - sft.replayRows, records);
  const split = splitBatch(rows, { parts: sft.gradientAccumulationSteps, gpus, what: "records" });
  return {
    data: "sft.jsonl",
    model_name_or_path: basePath(settings),
    output_dir: "output/sft",
    ...commonConfig(experiment, "sft"),
    num_train_epochs: sft.epochs,
    per_device_train_batch_size: split.perDevice,
    gradient_accumulation_steps: split.accumulation,
    max_length: sft.maxLength,
    schedule: "cosine",
    schedule_floor: SFT_FLOOR,
    schedule_warmup: sft.warmupSteps,
    ...(sft.saveSteps > 0 ? { save_steps: sft.saveSteps } : {}),
  };
}

/** `grpo.yaml`. */
function grpoConfig(experiment: Experiment, { gpus }: ExportOptions): Config {
  const { settings, bench } = experiment;
  const { rl, lora } = settings;
  const rows = (rl.groupsPerStep / rl.updatesPerStep) * rl.numGenerations;
  const split = splitBatch(rows, { parts: rl.gradientAccumulationSteps, gpus, what: "responses" });
  return {
    data: "rl.jsonl",
    model_name_or_path: startOf(settings, lora.rank > 0 ? "output/sft/merged" : "output/sft"),
    output_dir: "output/cls-rl",
    ...commonConfig(experiment, "rl"),
    max_steps: rl.steps * rl.updatesPerStep,
    per_device_train_batch_size: split.perDevice,
    gradient_accumulation_steps: split.accumulation,
    steps_per_generation: split.accumulation * rl.updatesPerStep,
    num_generations: rl.numGenerations,
    max_completion_length: rl.maxNewTokens,
    temperature: rl.temperature,
    top_p: rl.topP,
    generation_kwargs: { suppress_tokens: bench.bannedTokenIds },
    loss_type: "dapo",
    scale_rewards: "group",
    beta: 0,
    epsilon: rl.clipRatioLow,
    epsilon_high: rl.clipRatioHigh,
    delta: rl.clipRatioDual,
    mask_truncated_completions: false,
    reward_weights: [1 - FORMAT_WEIGHT, FORMAT_WEIGHT],
    schedule: rl.schedule,
    schedule_floor: RL_FLOOR,
    schedule_warmup: rl.schedule === "cosine" ? rl.warmupSteps : 0,
    schedule_steps: rl.steps,
    updates_per_step: rl.updatesPerStep,
    ...(rl.saveSteps > 0 ? { save_steps: rl.saveSteps * rl.updatesPerStep } : {}),
  };
}

/** ZeRO-3 spreads parameters too. Not beside an adapter, which the scripts merge into whole weights: ZeRO-2. */
const zeroStage = ({ lora }: Experiment["settings"]): 2 | 3 => (lora.rank > 0 ? 2 : 3);

/** For `accelerate launch`. Both stages have it: `auto` is each one's `max_grad_norm`. */
const accelerateConfig = ({ settings }: Experiment, gpus: number): Config => ({
  compute_environment: "LOCAL_MACHINE",
  distributed_type: "DEEPSPEED",
  deepspeed_config: {
    zero_stage: zeroStage(settings),
    ...(zeroStage(settings) === 3 ? { zero3_init_flag: true, zero3_save_16bit_model: true } : {}),
    gradient_clipping: "auto",
  },
  mixed_precision: usesBf16(settings) ? "bf16" : "no",
  num_machines: 1,
  machine_rank: 0,
  num_processes: gpus,
});

const spreadOf = (settings: Experiment["settings"]): string =>
  zeroStage(settings) === 3
    ? "DeepSpeed ZeRO-3 over the GPUs"
    : "DeepSpeed ZeRO-2 over the GPUs: each holds the base whole, so that one can merge the adapter";

const differencesOf = (experiment: Experiment): string[] => {
  const { rl, lora } = experiment.settings;
  return [
    ...stage1Differences(experiment),
    ...stage2Differences(experiment),
    "GRPO has no triplet: no rollouts from a positive image, no term of the negative one. This is CLS-RL; for TAPO export to easyr1.",
    `No dynamic sampling: a group that is all right or all wrong stays in the batch, with advantage 0, and its tokens count in the mean; here up to ${rl.maxGenerationBatches} batches are sampled until ${rl.groupsPerStep} groups have something to learn.`,
    "Advantages are divided by the standard deviation + 1e-4; here + 1e-6.",
    ...(rl.updatesPerStep > 1
      ? [
          "The loss of an update is divided by the mean number of tokens of the step's updates; here by the update's own number.",
        ]
      : []),
    ...(rl.lossAverage === "micro-batch"
      ? ["The loss is one mean over an update's tokens; rl.lossAverage=micro-batch is not there."]
      : []),
    "An update whose gradient norm is not finite is applied; here it is skipped.",
    ...(lora.rank > 0
      ? [
          "Stage 2 trains a fresh adapter on the merged model of Stage 1 (output/sft/merged); here Stage 1's adapter is trained on.",
        ]
      : []),
    "With --use_vllm true responses come from vLLM, whose log-probs differ a little: TRL then weighs tokens by the ratio of both (vllm_importance_sampling_correction).",
  ];
};

/** Writes data, scripts and configuration for TRL. */
export const exportTrl: Exporter = async (experiment, folder, options) => {
  const { settings } = experiment;
  if (options.method !== undefined && options.method !== "cls-rl")
    throw new Error(`--method ${options.method}: TRL's GRPO has no triplets; cls-rl, or export to easyr1`);
  const { records, images } = await stage1Records(experiment, folder, "sft", options.watch ?? {});
  writeJsonl(path.join(folder, "sft.jsonl"), trlMessages(records));
  const { prompts, names } = await stage2Prompts(experiment);
  const anchors =
    settings.sft.alpha === settings.rl.alpha
      ? images
      : imageFolder(folder, experiment.benchmark, settings.rl.alpha, "images-stage2");
  const rows: object[] = [];
  for (const [id, { user, groundTruth, domain, anchor }] of prompts.entries())
    rows.push({
      id,
      prompt: [{ role: "user", content: user }],
      images: [await anchors.add(anchor.name, anchor.source)],
      ground_truth: groundTruth,
      domain,
    });
  writeJsonl(path.join(folder, "rl.jsonl"), rows);
  writeReward(folder, settings, names);
  copyPython(folder, ["training.py", "sft.py", "grpo.py"]);
  const write = (name: string, text: string): void => writeFileSync(path.join(folder, name), text);
  write("prompt.jinja", formatPrompt(experiment));
  write("sft.yaml", toYaml(sftConfig(experiment, records.length, options)));
  write("grpo.yaml", toYaml(grpoConfig(experiment, options)));
  const many = options.gpus > 1;
  if (many) write("accelerate.yaml", toYaml(accelerateConfig(experiment, options.gpus)));
  const start = many ? "accelerate launch --config_file accelerate.yaml" : "python";
  return {
    title: "TRL",
    needs: `trl 1.16, transformers 5.23, peft, datasets, torchvision, pillow${many ? ", deepspeed" : ""}; vllm where --use_vllm true`,
    steps: [
      { what: "Stage 1", command: `${start} sft.py --config sft.yaml` },
      { what: "Stage 2 (CLS-RL)", command: `${start} grpo.py --config grpo.yaml` },
    ],
    differences: differencesOf(experiment),
    contents: [
      ["sft.jsonl", "Stage-1 records: prompt, completion, images"],
      ["rl.jsonl", "Stage-2 prompts: user turn, anchor image, truth, key of its domain's names"],
      ["images/", "the images that both name"],
      ["prompt.jinja", "the instruction on the format, as a template of the problem"],
      ["reward.py, reward.json", "the reward, and what it counts"],
      ["sft.py, grpo.py, training.py", "the trainers, with this run's optimizer and schedule"],
      ["sft.yaml, grpo.yaml", "hyper-parameters"],
      ...(many ? [["accelerate.yaml", spreadOf(settings)] as [string, string]] : []),
    ],
    counts: { records: records.length, prompts: prompts.length, images: images.count() },
  };
};
