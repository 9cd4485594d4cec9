/** One task of a sweep, on the node that runs it. */
import { disposeTree } from "../engine/tree";
import { runSweep, seedFolder, type Role, type SweepOptions } from "../experiment/ablations/run";
import type { Variant } from "../experiment/ablations/variants";
import { contrastiveRecipeOf, evaluateContrastive } from "../experiment/baselines/contrastive";
import { variantOf } from "../experiment/open";
import { sftModel } from "../experiment/sft";
import { CONTRASTIVE } from "../experiment/study/run";
import type { Experiment } from "../experiment/types";
import type { Step } from "./sweep-tasks";

export interface StepOptions extends Pick<SweepOptions, "onStart" | "onProgress" | "signal"> {
  step: Step;
  variants: readonly Variant[];
  seeds: readonly number[];
  role: Role;
}

/** @throws Error as `runSweep` does */
export async function runStep(experiment: Experiment, { step, ...options }: StepOptions): Promise<void> {
  const { seeds, variants } = options;
  if (step === "neighbours") return void (await experiment.neighbours());
  if (step === "variant") {
    if (variants.length !== 1 || seeds.length !== 1)
      throw new Error(
        `--ray-task variant: expected one variant and one seed, got ${variants.length} and ${seeds.length}`,
      );
    return runSweep(experiment, options);
  }
  for (const seed of seeds) {
    const own = variantOf(experiment, {
      settings: { ...experiment.settings, seed },
      folder: seedFolder(experiment, seed),
    });
    options.onStart?.(`${step}, seed ${seed}`, 0, 1);
    if (step === "sft-model") disposeTree((await sftModel(own, "sft", options)).params);
    else
      await evaluateContrastive(own, CONTRASTIVE, {
        recipe: contrastiveRecipeOf(own.settings.benchmark),
        watch: options,
      });
  }
}
