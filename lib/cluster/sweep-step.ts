/** One task of a sweep, on the node that runs it. */
import { disposeTree } from "../engine/tree";
import { runSweep, seedFolder, type Role, type SweepOptions } from "../experiment/ablations/run";
import type { Variant } from "../experiment/ablations/variants";
import { contrastiveRecipeOf, evaluateContrastive } from "../experiment/baselines/contrastive";
import { variantOf } from "../experiment/open";
import { sftModel } from "../experiment/sft";
import { CONTRASTIVE } from "../experiment/study/variants";
import type { Experiment } from "../experiment/types";
import type { Step } from "./sweep-tasks";

export interface StepOptions extends Pick<SweepOptions, "onStart" | "onProgress" | "signal"> {
  step: Step;
  /** Of which the step names one. */
  variants: readonly Variant[];
  seeds: readonly number[];
  role: Role;
}

/** @throws Error as `runSweep` does */
export async function runStep(experiment: Experiment, { step, ...options }: StepOptions): Promise<void> {
  const { seeds } = options;
  if (step.kind === "neighbours") return void (await experiment.neighbours());
  if (step.kind === "variant") {
    const variants = options.variants.filter(({ name }) => name === step.variant);
    if (variants.length === 0) throw new Error(`no variant is called ${JSON.stringify(step.variant)}`);
    return runSweep(experiment, { ...options, variants });
  }
  for (const seed of seeds) {
    const own = variantOf(experiment, {
      settings: { ...experiment.settings, seed },
      folder: seedFolder(experiment, seed),
    });
    if (step.kind === "sft-model") {
      options.onStart?.(`SFT model, seed ${seed}`, 0, 1);
      disposeTree((await sftModel(own, "sft", options)).params);
    } else {
      options.onStart?.(`${CONTRASTIVE}, seed ${seed}`, 0, 1);
      const recipe = contrastiveRecipeOf(own.settings.benchmark);
      await evaluateContrastive(own, CONTRASTIVE, { recipe, watch: options });
    }
  }
}
