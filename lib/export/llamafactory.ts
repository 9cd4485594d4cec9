/** Export to LLaMA-Factory: Stage 1. */
import { writeFileSync } from "node:fs";
import * as path from "node:path";
import type { Experiment } from "../experiment/types";
import { writeSharegpt } from "../formats/sharegpt";
import { IMAGE_MARKER } from "../processor/conversation";
import { splitBatch, type Split } from "./batches";
import { stage1Differences } from "./differences";
import { basePath, loraTargets, usesBf16 } from "./model";
import { renderedRecord, stage1Records, type ExportedRecord } from "./stage1";
import { trainerArguments } from "./trainer-arguments";
import type { Exporter } from "./types";
import { toYaml, type Yaml } from "./yaml";

const DATASET = "fine_r1_stage1";
/** LLaMA-Factory's template for Qwen2-VL and Qwen2.5-VL, and the system message that it adds where there is none. */
const TEMPLATE = "qwen2_vl";
export const DEFAULT_SYSTEM = "You are a helpful assistant.";

/** A record as the template of LLaMA-Factory, and of ms-swift, renders it, the image as one placeholder. */
export function templateText({ system, user, assistant }: ExportedRecord): string {
  const image = "<|vision_start|><|image_pad|><|vision_end|>";
  const asked = user.includes(IMAGE_MARKER) ? user.replace(IMAGE_MARKER, image) : `${image}${user}`;
  const turn = (role: string, content: string): string => `<|im_start|>${role}\n${content}<|im_end|>\n`;
  return turn("system", system ?? DEFAULT_SYSTEM) + turn("user", asked) + turn("assistant", assistant);
}

const datasetInfo = {
  [DATASET]: {
    file_name: "stage1.json",
    formatting: "sharegpt",
    columns: { messages: "messages", images: "images" },
    tags: {
      role_tag: "role",
      content_tag: "content",
      user_tag: "user",
      assistant_tag: "assistant",
      system_tag: "system",
    },
  },
};

/** DeepSpeed ZeRO-3; `auto` is what the trainer says. */
const DEEPSPEED = {
  train_batch_size: "auto",
  train_micro_batch_size_per_gpu: "auto",
  gradient_accumulation_steps: "auto",
  gradient_clipping: "auto",
  zero_allow_untested_optimizer: true,
  bf16: { enabled: "auto" },
  fp16: { enabled: "auto" },
  zero_optimization: { stage: 3, overlap_comm: false, stage3_gather_16bit_weights_on_model_save: true },
};

/** How a mini-batch is computed. @throws Error where the records cannot be divided among the GPUs */
export function splitOf({ settings: { sft } }: Experiment, records: number, gpus: number): Split {
  const rows = Math.min(sft.batchSize - sft.replayRows, records);
  return splitBatch(rows, { parts: sft.gradientAccumulationSteps, gpus, what: "records" });
}

function configOf({ settings, bench }: Experiment, split: Split, gpus: number): Record<string, Yaml> {
  const { sft, lora } = settings;
  const { minPixels, maxPixels } = bench.processor.imageConfig;
  const frozen = sft.visionLearningRateScale === 0;
  const targets = loraTargets(settings);
  return {
    model_name_or_path: basePath(settings),
    stage: "sft",
    do_train: true,
    finetuning_type: lora.rank > 0 ? "lora" : "full",
    ...(lora.rank > 0
      ? {
          lora_rank: lora.rank,
          lora_alpha: lora.alpha,
          lora_dropout: 0,
          lora_target: Array.isArray(targets) ? targets.join(",") : "all",
        }
      : {}),
    freeze_vision_tower: frozen,
    freeze_multi_modal_projector: frozen,
    dataset: DATASET,
    dataset_dir: ".",
    media_dir: ".",
    template: TEMPLATE,
    cutoff_len: sft.maxLength,
    image_min_pixels: sft.minPixels || minPixels,
    image_max_pixels: sft.maxPixels || maxPixels,
    output_dir: "output/sft",
    ...trainerArguments(settings, split),
    bf16: usesBf16(settings),
    disable_gradient_checkpointing: sft.gradientCheckpointing !== "layers",
    seed: settings.seed,
    logging_steps: 1,
    save_strategy: sft.saveSteps > 0 ? "steps" : "no",
    ...(sft.saveSteps > 0 ? { save_steps: sft.saveSteps } : {}),
    save_total_limit: sft.saveTotalLimit,
    report_to: "none",
    ...(gpus > 1 ? { deepspeed: "deepspeed.json" } : {}),
  };
}

function differencesOf(experiment: Experiment, records: readonly ExportedRecord[], { accumulation }: Split): string[] {
  const { sft, lora } = experiment.settings;
  const scale = sft.visionLearningRateScale;
  const rendered = records.find(
    (record) => renderedRecord(record, experiment.bench.processor) !== templateText(record),
  );
  return [
    ...stage1Differences(experiment),
    "Stage 1 only: LLaMA-Factory has no reinforcement learning with a reward function; Stage 2: export to trl or easyr1.",
    ...(accumulation > 1
      ? [
          "With gradient accumulation the loss is the mean of the micro-batches' means, so that splitting changes the update; here one mean over the update's tokens. (transformers declares Qwen2.5-VL so.)",
        ]
      : []),
    "The line break behind <|im_end|> counts in the loss; here the loss ends with <|im_end|>.",
    "Warm-up begins at a learning rate of 0, so that the first step changes nothing; here at peak / warm-up steps.",
    ...(scale !== 0 && scale !== 1
      ? [
          `The vision tower has the learning rate of the rest; here sft.visionLearningRateScale=${scale} of it. freeze_vision_tower: true is the paper's setting.`,
        ]
      : []),
    ...(scale !== 0
      ? ["Norms of the vision tower decay too, since their names (norm1, ln_q) are not known as norms."]
      : []),
    ...(scale === 0 && lora.rank > 0 ? ["The vision tower has no adapter where it is frozen."] : []),
    ...(rendered
      ? [
          `Prompts are not the same: the template ${TEMPLATE} adds the system message ${JSON.stringify(DEFAULT_SYSTEM)} to records without one, this checkpoint's template does not; prompts=paper gives records one.`,
        ]
      : []),
    "An update whose gradient norm is not finite is applied; here it is skipped.",
  ];
}

/** Writes data and configuration for LLaMA-Factory. */
export const exportLlamaFactory: Exporter = async (experiment, folder, { gpus, method, watch = {} }) => {
  if (method !== undefined) throw new Error(`--method ${method}: LLaMA-Factory has Stage 1 only; leave it out`);
  const { records, images } = await stage1Records(experiment, folder, "sft", watch);
  const split = splitOf(experiment, records.length, gpus);
  writeSharegpt(path.join(folder, "stage1.json"), records);
  const write = (name: string, text: string): void => writeFileSync(path.join(folder, name), text);
  write("dataset_info.json", `${JSON.stringify(datasetInfo, null, 1)}\n`);
  write("sft.yaml", toYaml(configOf(experiment, split, gpus)));
  const many = gpus > 1;
  if (many) write("deepspeed.json", `${JSON.stringify(DEEPSPEED, null, 1)}\n`);
  const command = "llamafactory-cli train sft.yaml";
  return {
    title: "LLaMA-Factory",
    needs: `llamafactory 0.9.5${many ? ", deepspeed" : ""}`,
    steps: [{ what: "Stage 1", command: many ? `FORCE_TORCHRUN=1 NPROC_PER_NODE=${gpus} ${command}` : command }],
    differences: differencesOf(experiment, records, split),
    contents: [
      ["stage1.json", "Stage-1 records, sharegpt"],
      ["images/", "the images that they name"],
      ["dataset_info.json", "how LLaMA-Factory reads them"],
      ["sft.yaml", "hyper-parameters"],
      ...(many ? [["deepspeed.json", "DeepSpeed ZeRO-3"] as [string, string]] : []),
    ],
    counts: { records: records.length, images: images.count() },
  };
};
