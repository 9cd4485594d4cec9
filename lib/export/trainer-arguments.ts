/** Stage 1's hyper-parameters as transformers' `TrainingArguments` call them: LLaMA-Factory and ms-swift take these. */
import type { Settings } from "../experiment/settings";
import type { Split } from "./batches";
import { SFT_FLOOR } from "./schedule";
import type { Yaml } from "./yaml";

/** @param split how a mini-batch is computed */
export const trainerArguments = ({ sft }: Pick<Settings, "sft">, split: Split): Record<string, Yaml> => ({
  num_train_epochs: sft.epochs,
  per_device_train_batch_size: split.perDevice,
  gradient_accumulation_steps: split.accumulation,
  learning_rate: sft.learningRate,
  lr_scheduler_type: "cosine_with_min_lr",
  lr_scheduler_kwargs: { min_lr_rate: SFT_FLOOR },
  warmup_steps: sft.warmupSteps,
  weight_decay: sft.weightDecay,
  adam_beta1: 0.9,
  adam_beta2: 0.98,
  adam_epsilon: 1e-8,
  max_grad_norm: sft.maxGradNorm,
});
