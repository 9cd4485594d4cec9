/** The sweep that `cluster-check --speed` times: eight variants of one seed. */

/** Two are asked alone; six train, which two nodes can share evenly. */
export const SPEED_VARIANTS = [
  "base",
  "sft",
  "cls-rl",
  "tapo",
  "tapo-no-intra",
  "tapo-no-inter",
  "kl-0",
  "kl-0.1",
] as const;
/** RL updates of each: a minute or two on one core, beside which the start of a task is short. */
export const SPEED_STEPS = 60;

/** Words of the sweep's command. */
export const SPEED_SWEEP: readonly string[] = [
  "ablations",
  "--scale=smoke",
  `--only=${SPEED_VARIANTS.join(",")}`,
  "--seeds=0",
  `--set=rl.steps=${SPEED_STEPS}`,
];
