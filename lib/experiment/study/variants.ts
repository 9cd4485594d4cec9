/** What the study compares. */

/** The main table's variants that RL trains, each from its seed's `sft`. */
export const RL_VARIANTS = [
  "cls-rl",
  "tapo",
  "tapo-no-intra",
  "tapo-no-inter",
  "papo",
  "noisy-rollout",
  "random-negative",
] as const;

/** The main table's variants, in its order. */
export const MAIN_VARIANTS = ["base", "base-cot", "sft-direct", "sft", ...RL_VARIANTS] as const;

/** The contrastive model of the main table. */
export const CONTRASTIVE = "clip-fewshot";

/** Families of variants that the second part sweeps over. */
const SWEEPS = ["ratio", "entropy", "kl", "condition", "reward", "negative", "rationales", "shots"] as const;

/** What can be asked of the study, `study --part`. */
export const STUDY_PARTS = ["main", "sweeps", "links", "probes"] as const;
export type StudyPart = (typeof STUDY_PARTS)[number];

/** Parts that train. `main`: the hypotheses' methods; `sweeps`: what TAPO's settings do. */
export type Part = Extract<StudyPart, "main" | "sweeps">;

/** The names of a part's variants, and of families. */
export const variantsOf = (part: Part): readonly string[] => (part === "main" ? MAIN_VARIANTS : SWEEPS);

/** The study's groups of domains: for choosing the recipe, and for the one look. */
export const GROUPS = ["dev", "test"] as const;
export type Group = (typeof GROUPS)[number];
