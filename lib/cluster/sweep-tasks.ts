/**
 * A sweep as tasks: the SFT model of a seed first, then every variant of that seed, each the command `ablations` or
 * `study` on one variant and one seed. They leave what `runSweep` leaves, in the same folders.
 */
import { METHODS } from "../train/methods";
import type { Role } from "../experiment/ablations/run";
import type { Variant } from "../experiment/ablations/variants";
import { CONTRASTIVE } from "../experiment/study/variants";
import type { ClusterTask } from "./plan";

const KINDS = ["neighbours", "sft-model", "variant", "contrastive"] as const;

/** What one task of a sweep does. */
export type Step = { kind: Exclude<(typeof KINDS)[number], "variant"> } | { kind: "variant"; variant: string };

/** As it stands behind `--ray-task`: `sft-model`, `variant:tapo`. */
export const stepText = (step: Step): string => (step.kind === "variant" ? `variant:${step.variant}` : step.kind);

/** @throws Error with what was expected */
export function parseStep(text: string): Step {
  const variant = /^variant:(.+)$/.exec(text)?.[1];
  if (variant !== undefined) return { kind: "variant", variant };
  const kind = KINDS.find((one) => one === text);
  if (kind !== undefined && kind !== "variant") return { kind };
  throw new Error(`expected neighbours, sft-model, contrastive or variant:NAME, got ${JSON.stringify(text)}`);
}

export interface Sweep {
  variants: readonly Variant[];
  seeds: readonly number[];
  /** Similarities are embedded: once, before several tasks would at the same time. */
  embeds: boolean;
  /** Also the contrastive model of every seed. */
  contrastive?: boolean;
  /** The run's own: its models are in the run's folder, those of others in `seeds/`. */
  ownSeed: number;
  role: Role;
  /** Command and options that all tasks share. */
  words: readonly string[];
  /** What needs no task: a variant, or the contrastive model, by its name. */
  isThere?: (name: string, seed: number) => boolean;
}

/** What every stage writes beside its result. */
const FACTS = ["settings.json", "split.json"];
/** What the SFT model of a seed leaves in that seed's folder, and what a contrastive model does. */
const SFT_FILES = [
  "models/sft*",
  "adapters/sft*",
  "logs/sft*",
  "checkpoints/sft-*",
  "tensorboard/sft/*",
  "wandb/*",
  "cot/*",
];
const CONTRASTIVE_FILES = ["models/clip-*", "logs/clip-*", "baselines/clip-*"];

/** Files of a step, below the run's folder: where `seedFolder` and `variantExperiment` have them. */
function writesOf(step: Step, seed: number | null, { ownSeed, role }: Pick<Sweep, "ownSeed" | "role">): string[] {
  if (step.kind === "neighbours") return ["similarity.json*", ...FACTS];
  if (step.kind === "variant") return [`ablations/${role}/${step.variant}/seed-${seed}/*`];
  const folder = seed === ownSeed ? "" : `seeds/${seed}/`;
  return [...(step.kind === "sft-model" ? SFT_FILES : CONTRASTIVE_FILES), ...FACTS].map((name) => `${folder}${name}`);
}

const needsSft = ({ method }: Variant): boolean => method === "sft" || METHODS[method].stage === "rl";

/** @returns what others wait for first; the rest in the order in which one machine does it */
export function sweepTasks(sweep: Sweep): ClusterTask[] {
  const { embeds, contrastive = false, words, isThere = () => false } = sweep;
  const task = (id: string, step: Step, seed: number | null, after: readonly string[]): ClusterTask => ({
    id,
    args: [...words, ...(seed === null ? [] : [`--seeds=${seed}`]), `--ray-task=${stepText(step)}`],
    after,
    writes: writesOf(step, seed, sweep),
  });
  const seeds = sweep.seeds.map((seed) => {
    const variants = sweep.variants.filter(({ name }) => !isThere(name, seed));
    const contrasts = contrastive && !isThere(CONTRASTIVE, seed);
    return { seed, variants, contrasts, sft: variants.some(needsSft) ? [`SFT model, seed ${seed}`] : [] };
  });
  const isOpen = seeds.some(({ variants, contrasts }) => variants.length > 0 || contrasts);
  const before = embeds && isOpen ? ["similarities"] : [];
  const sftTasks = seeds.flatMap(({ seed, sft }) => sft.map((id) => task(id, { kind: "sft-model" }, seed, before)));
  const variantTasks = seeds.flatMap(({ seed, variants, sft }) =>
    variants.map(({ name, method }) => {
      // what is no base takes records or the model from the seed's folder
      const after = METHODS[method].stage === "base" || sft.length === 0 ? before : sft;
      return task(`${name}, seed ${seed}`, { kind: "variant", variant: name }, seed, after);
    }),
  );
  const contrastiveTasks = seeds
    .filter(({ contrasts }) => contrasts)
    .map(({ seed }) => task(`contrastive, seed ${seed}`, { kind: "contrastive" }, seed, before));
  return [
    ...before.map((id) => task(id, { kind: "neighbours" }, null, [])),
    ...sftTasks,
    ...variantTasks,
    ...contrastiveTasks,
  ];
}
