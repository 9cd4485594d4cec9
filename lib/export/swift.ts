/** Export to ms-swift: Stage 1. */
import { writeFileSync } from "node:fs";
import * as path from "node:path";
import type { Experiment } from "../experiment/types";
import { writeSharegpt } from "../formats/sharegpt";
import type { Split } from "./batches";
import { stage1Differences } from "./differences";
import { DEFAULT_SYSTEM, splitOf, templateText } from "./llamafactory";
import { basePath, loraTargets, usesBf16 } from "./model";
import { renderedRecord, stage1Records, type ExportedRecord } from "./stage1";
import { trainerArguments } from "./trainer-arguments";
import type { Exporter } from "./types";
import { toYaml, type Yaml } from "./yaml";

/** A side of an image token of the published Qwen2.5-VL in pixels: ms-swift counts limits in its squares. */
const TOKEN_SIDE = 28;

/** Limits on an image in pixels, as whole tokens. */
function pixelLimits({ settings: { sft }, bench }: Experiment): Record<"MIN_PIXELS" | "MAX_PIXELS", number> {
  const { minPixels, maxPixels } = bench.processor.imageConfig;
  return { MIN_PIXELS: sft.minPixels || minPixels, MAX_PIXELS: sft.maxPixels || maxPixels };
}

function tunerOf({ settings }: Experiment): Record<string, Yaml> {
  const { lora, sft } = settings;
  const targets = loraTargets(settings);
  const scale = sft.visionLearningRateScale;
  const visionRate = Number((sft.learningRate * scale).toPrecision(12));
  return {
    ...(lora.rank > 0
      ? {
          tuner_type: "lora",
          lora_rank: lora.rank,
          lora_alpha: lora.alpha,
          lora_dropout: 0,
          target_modules: Array.isArray(targets) ? targets : [targets],
        }
      : { tuner_type: "full" }),
    freeze_vit: scale === 0,
    freeze_aligner: scale === 0,
    ...(scale !== 0 && scale !== 1 ? { vit_lr: visionRate, aligner_lr: visionRate } : {}),
  };
}

function configOf(experiment: Experiment, split: Split, gpus: number): Record<string, Yaml> {
  const { settings } = experiment;
  const { sft } = settings;
  const bf16 = usesBf16(settings);
  const checkpointing = sft.gradientCheckpointing === "layers";
  return {
    model: basePath(settings),
    model_type: "qwen2_5_vl",
    template: "qwen2_5_vl",
    use_hf: true,
    check_model: false, // a directory: there is no newer one on a hub to ask for
    ...tunerOf(experiment),
    dataset: ["stage1.json"],
    max_length: sft.maxLength,
    output_dir: "output/sft",
    add_version: false,
    ...trainerArguments(settings, split),
    torch_dtype: bf16 ? "bfloat16" : "float32",
    bf16,
    gradient_checkpointing: checkpointing,
    seed: settings.seed,
    data_seed: settings.seed,
    logging_steps: 1,
    // the last step is saved whatever their number; "no" saves no model at all
    save_strategy: "steps",
    save_steps: sft.saveSteps > 0 ? sft.saveSteps : 1_000_000,
    save_total_limit: sft.saveTotalLimit,
    save_only_model: sft.saveSteps === 0,
    report_to: ["none"],
    ...(gpus > 1 ? { deepspeed: "zero3" } : {}),
    ENV: { ...pixelLimits(experiment) },
  };
}

function differencesOf(experiment: Experiment, records: readonly ExportedRecord[]): string[] {
  const { sft, lora } = experiment.settings;
  const scale = sft.visionLearningRateScale;
  const { patchSize, mergeSize } = experiment.bench.processor.imageConfig;
  const side = patchSize * mergeSize;
  const limits = Object.values(pixelLimits(experiment));
  const rendered = records.some(
    (record) => renderedRecord(record, experiment.bench.processor) !== templateText(record),
  );
  return [
    ...stage1Differences(experiment),
    "Stage 1 only is exported. ms-swift has GRPO with a reward of one's own, but no triplets; Stage 2: export to trl or easyr1.",
    "The line break behind <|im_end|> counts in the loss; here the loss ends with <|im_end|>.",
    "Warm-up begins at a learning rate of 0, so that the first step changes nothing; here at peak / warm-up steps.",
    ...(scale !== 0
      ? ["Norms of the vision tower decay too, since their names (norm1, ln_q) are not known as norms."]
      : []),
    ...(scale === 0 && lora.rank > 0 ? ["The vision tower has no adapter where it is frozen."] : []),
    ...(side === TOKEN_SIDE && limits.some((pixels) => pixels % side ** 2 !== 0)
      ? [
          `Limits on an image's pixels (${limits.join(" and ")}) are rounded down to whole tokens of ${side} x ${side} pixels.`,
        ]
      : []),
    ...(side !== TOKEN_SIDE
      ? [
          `It does not train this checkpoint: the published Qwen2.5-VL's ids of image tokens and its tokens of ${TOKEN_SIDE} x ${TOKEN_SIDE} pixels are in ms-swift's code; here a token has ${side} x ${side}. A template of its own can say so (--external_plugins).`,
        ]
      : []),
    ...(rendered
      ? [
          `Prompts are not the same: the template qwen2_5_vl adds the system message ${JSON.stringify(DEFAULT_SYSTEM)} to records without one, this checkpoint's template does not; prompts=paper gives records one.`,
        ]
      : []),
    "An update whose gradient norm is not finite is applied; here it is skipped.",
  ];
}

/** Writes data and configuration for ms-swift. */
export const exportSwift: Exporter = async (experiment, folder, { gpus, method, watch = {} }) => {
  if (method !== undefined) throw new Error(`--method ${method}: for ms-swift Stage 1 alone is exported; leave it out`);
  const { records, images } = await stage1Records(experiment, folder, "sft", watch);
  const split = splitOf(experiment, records.length, gpus);
  writeSharegpt(path.join(folder, "stage1.json"), records);
  writeFileSync(path.join(folder, "sft.yaml"), toYaml(configOf(experiment, split, gpus)));
  const command = "swift sft sft.yaml";
  return {
    title: "ms-swift",
    needs: `ms-swift 4.6.0, qwen-vl-utils 0.0.14${gpus > 1 ? ", deepspeed" : ""}`,
    steps: [{ what: "Stage 1", command: gpus > 1 ? `NPROC_PER_NODE=${gpus} ${command}` : command }],
    differences: differencesOf(experiment, records),
    contents: [
      ["stage1.json", "Stage-1 records: messages and images"],
      ["images/", "the images that they name"],
      ["sft.yaml", "hyper-parameters"],
    ],
    counts: { records: records.length, images: images.count() },
  };
};
