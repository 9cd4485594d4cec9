/**
 * A sweep as tasks: the SFT model of a seed first, then every variant of that seed, each the command `ablations` or
 * `study` on one variant and one seed. They leave what `runSweep` leaves, in the same folders.
 */
import { METHODS } from "../train/methods";
import type { Variant } from "../experiment/ablations/variants";
import type { ClusterTask } from "./plan";

/** What one task of a sweep does; it stands behind `--ray-task`. */
export const STEPS = ["neighbours", "sft-model", "variant", "contrastive"] as const;
export type Step = (typeof STEPS)[number];

export interface Sweep {
  variants: readonly Variant[];
  seeds: readonly number[];
  /** Similarities are embedded: once, before several tasks would at the same time. */
  embeds: boolean;
  /** Also the contrastive model of every seed. */
  contrastive?: boolean;
  /** Command and options that all tasks share. */
  words: readonly string[];
}

const needsSft = ({ method }: Variant): boolean => method === "sft" || METHODS[method].stage === "rl";

/** @returns tasks in the order in which one machine does the same */
export function sweepTasks({ variants, seeds, embeds, contrastive = false, words }: Sweep): ClusterTask[] {
  const task = (id: string, step: Step, more: readonly string[], after: readonly string[]): ClusterTask => ({
    id,
    args: [...words, ...more, `--ray-task=${step}`],
    after,
  });
  const first = embeds ? [task("similarities", "neighbours", [], [])] : [];
  const before = first.map(({ id }) => id);
  const bySeed = seeds.flatMap((seed) => {
    const of = [`--seeds=${seed}`];
    const sft = variants.some(needsSft) ? [task(`SFT model, seed ${seed}`, "sft-model", of, before)] : [];
    const isBase = ({ method }: Variant): boolean => METHODS[method].stage === "base";
    return [
      ...sft,
      ...variants.map((variant) =>
        // what is no base takes records or the model from the seed's folder
        task(
          `${variant.name}, seed ${seed}`,
          "variant",
          [`--only=${variant.name}`, ...of],
          [...before, ...(isBase(variant) ? [] : sft.map(({ id }) => id))],
        ),
      ),
    ];
  });
  const last = contrastive
    ? seeds.map((seed) => task(`contrastive, seed ${seed}`, "contrastive", [`--seeds=${seed}`], before))
    : [];
  return [...first, ...bySeed, ...last];
}
