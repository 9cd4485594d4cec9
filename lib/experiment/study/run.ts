/**
 * Runs the study: the methods of the main table over seeds, and the contrastive model of each seed. What is on disk
 * under the same code, data and settings is loaded, so a run that was ended goes on where it stopped.
 */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { isStudy } from "../../benchmark/drawn";
import type { PredictionRow } from "../../eval/rows";
import { readJsonl } from "../../util/files";
import { finishedVariants, runSweep, seedFolder } from "../ablations/run";
import { chooseVariants } from "../ablations/variants";
import { contrastiveRecipeOf, evaluateContrastive } from "../baselines/contrastive";
import { variantOf } from "../open";
import type { RunHome } from "../publish";
import type { Watch } from "../stage";
import type { Experiment } from "../types";

/** The main table's variants, in its order. */
export const MAIN_VARIANTS = [
  "base",
  "base-cot",
  "sft-direct",
  "sft",
  "cls-rl",
  "tapo",
  "tapo-no-intra",
  "tapo-no-inter",
  "papo",
  "noisy-rollout",
  "random-negative",
] as const;

/** The contrastive model of the main table. */
export const CONTRASTIVE = "clip-fewshot";

/** Families of variants that the second part sweeps over. */
export const SWEEPS = ["ratio", "entropy", "kl", "condition", "reward", "negative", "rationales"] as const;

/** `main`: the hypotheses' methods; `sweeps`: what TAPO's settings do. */
export type Part = "main" | "sweeps";

/** The names of a part's variants, and of families. */
export const variantsOf = (part: Part): readonly string[] => (part === "main" ? MAIN_VARIANTS : SWEEPS);

/** Which drawings are asked about: the study's two groups of domains both call them test images. */
export const ROLE = "test";

export interface StudyOptions extends Watch {
  part: Part;
  seeds: readonly number[];
  onStart?: (what: string, index: number, total: number) => void;
}

/** @throws Error for another benchmark, or as training and evaluation do; what was finished stays on disk */
export async function runStudy(experiment: Experiment, options: StudyOptions): Promise<void> {
  const { settings } = experiment;
  if (!isStudy(settings.benchmark))
    throw new Error(`study: benchmark ${settings.benchmark}; expected emoji-study-dev or emoji-study-test`);
  const variants = chooseVariants(settings, variantsOf(options.part));
  await runSweep(experiment, { ...options, variants, role: ROLE });
  if (options.part !== "main") return;
  const recipe = contrastiveRecipeOf(settings.benchmark);
  for (const [i, seed] of options.seeds.entries()) {
    options.onStart?.(`${CONTRASTIVE}, seed ${seed}`, i, options.seeds.length);
    const own = variantOf(experiment, { settings: { ...settings, seed }, folder: seedFolder(experiment, seed) });
    await evaluateContrastive(own, CONTRASTIVE, { recipe, watch: options });
  }
}

/**
 * What is finished: variant or baseline -> its rows of all seeds. `outdated` counts results of other code or settings.
 */
export function studyRows(
  home: RunHome,
  seeds: readonly number[],
): { rows: Map<string, PredictionRow[]>; outdated: number } {
  const { results, outdated } = finishedVariants(home, ROLE);
  const rows = new Map<string, PredictionRow[]>();
  for (const result of results) {
    if (!seeds.includes(result.seed)) continue;
    const { name } = result.variant;
    rows.set(name, [...(rows.get(name) ?? []), ...result.rows]);
  }
  for (const seed of seeds) {
    const file = path.join(seedFolder(home, seed), "baselines", `${CONTRASTIVE}.jsonl`);
    if (existsSync(file)) rows.set(CONTRASTIVE, [...(rows.get(CONTRASTIVE) ?? []), ...readJsonl<PredictionRow>(file)]);
  }
  return { rows, outdated };
}
