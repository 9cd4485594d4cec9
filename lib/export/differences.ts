/** What differs between this project and another engine, in words: what several engines have in common. */
import type { Experiment } from "../experiment/types";

/** What of Stage 1 no other engine has. */
export function stage1Differences({ settings: { sft }, benchmark }: Experiment): string[] {
  return [
    "The order of the records is drawn by the engine, so that losses are equal on equal batches, not step by step.",
    "The last batch of an epoch is smaller; here it is filled from the epoch's beginning.",
    ...(sft.replayRows > 0
      ? [
          `sft.replayRows=${sft.replayRows} pre-training rows of each batch are left out: batches are of the records alone.`,
        ]
      : []),
    ...(sft.augmentation > 0 && benchmark.squares
      ? [`sft.augmentation=${sft.augmentation} is left out: images are shown as they are.`]
      : []),
  ];
}

/** What of Stage 2 no other engine has. */
export function stage2Differences({ settings: { rl }, benchmark }: Experiment): string[] {
  return rl.augmentation > 0 && benchmark.squares
    ? [`rl.augmentation=${rl.augmentation} is left out: images are shown as they are.`]
    : [];
}
