/** The variants of the ablation study: each is a method of the experiment with some settings changed. */
import { METHOD_NAMES, METHODS, type Method } from "../../train/methods";
import { changeSettings } from "../load-settings";
import type { Settings } from "../settings";

/** One training, under a name of its own. */
export interface Variant {
  name: string;
  method: Method;
  /** `name=value` assignments on the run's settings. */
  set: readonly string[];
}

/** Variants that differ in one thing, in the order of a table or figure. */
export interface Family {
  name: string;
  title: string;
  /** Variants by name, each with what tells it from the others. */
  members: readonly { variant: string; label: string }[];
}

/** What every variant is compared with: the shipped TAPO, and the SFT model that all of them start from. */
export const REFERENCES = ["tapo", "sft"] as const;

/** n2 of the sweep over n1:n2 at ten rollouts; 10:0 and 5:5 are `tapo-no-intra` and `tapo`. */
const POSITIVE_GENERATIONS = [1, 2, 3, 4, 6, 7, 8, 9];
/** Fewer training images of each sub-category than the four of the paper; TAPO's positives need two. */
const SHOTS = [2, 3];
const KL_COEFFICIENTS = ["0", "0.001", "0.1"];

const tapo = (name: string, ...set: string[]): Variant => ({ name, method: "tapo", set });

/** Every variant. Those without settings are the shipped methods. */
export const VARIANTS: readonly Variant[] = [
  ...METHOD_NAMES.map((method): Variant => ({ name: method, method, set: [] })),
  ...POSITIVE_GENERATIONS.map((n2) =>
    tapo(`n1-${10 - n2}-n2-${n2}`, "rl.numGenerations=10", `rl.positiveGenerations=${n2}`),
  ),
  tapo("entropy-own-only", "rl.negativeEntropyCoefficient=0"),
  tapo("entropy-negative-only", "rl.entropyCoefficient=0"),
  tapo("entropy-none", "rl.entropyCoefficient=0", "rl.negativeEntropyCoefficient=0"),
  tapo("condition-sampled", "rl.conditionOn=sampled"),
  ...KL_COEFFICIENTS.map((kl) => tapo(`kl-${kl}`, `rl.klCoefficient=${kl}`)),
  tapo("reward-substring", "rl.reward=substring"),
  tapo("negative-stale", "rl.negativeLogProbs=stale"),
  { name: "noisy-rollout", method: "tapo-no-inter", set: ["rl.secondView=noisy"] },
  { name: "papo", method: "tapo-no-intra", set: ["rl.contrastImage=masked"] },
  tapo("random-negative", "rl.contrastImage=random"),
  { name: "sft-shuffled-rationales", method: "sft", set: ["cot.rationales=shuffled"] },
  ...SHOTS.flatMap((shots) =>
    (["sft-direct", "sft", "tapo"] as const).map((method): Variant => ({
      name: `${method}-shots-${shots}`,
      method,
      set: [`shots=${shots}`],
    })),
  ),
];

/** The families, each with its point of reference among the members. */
export const FAMILIES: readonly Family[] = [
  { name: "methods", title: "Methods", members: METHOD_NAMES.map((variant) => ({ variant, label: variant })) },
  {
    name: "parts",
    title: "Intra- and inter-class augmentation",
    members: [
      { variant: "sft", label: "CoT SFT" },
      { variant: "cls-rl", label: "neither (CLS-RL)" },
      { variant: "tapo-no-intra", label: "inter only" },
      { variant: "tapo-no-inter", label: "intra only" },
      { variant: "tapo", label: "both (TAPO)" },
    ],
  },
  {
    name: "ratio",
    title: "Rollouts from the anchor and from the positive, n1:n2",
    members: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((n2) => ({
      variant: n2 === 0 ? "tapo-no-intra" : n2 === 5 ? "tapo" : `n1-${10 - n2}-n2-${n2}`,
      label: `${10 - n2}:${n2}`,
    })),
  },
  {
    name: "entropy",
    title: "Entropy terms",
    members: [
      { variant: "entropy-none", label: "none" },
      { variant: "entropy-own-only", label: "own image" },
      { variant: "entropy-negative-only", label: "negative" },
      { variant: "tapo", label: "both" },
    ],
  },
  {
    name: "condition",
    title: "Image that rollouts from the positive are conditioned on",
    members: [
      { variant: "tapo", label: "anchor" },
      { variant: "condition-sampled", label: "as sampled" },
    ],
  },
  {
    name: "kl",
    title: "Weight of the inter-class KL",
    members: [
      { variant: "kl-0", label: "0" },
      { variant: "kl-0.001", label: "0.001" },
      { variant: "tapo", label: "0.01" },
      { variant: "kl-0.1", label: "0.1" },
    ],
  },
  {
    name: "reward",
    title: "Reward",
    members: [
      { variant: "tapo", label: "strict" },
      { variant: "reward-substring", label: "substring" },
    ],
  },
  {
    name: "negative",
    title: "Log-probs under the negative image",
    members: [
      { variant: "tapo", label: "recomputed" },
      { variant: "negative-stale", label: "stale" },
    ],
  },
  {
    name: "neighbours",
    title: "What the triplet adds",
    members: [
      { variant: "cls-rl", label: "one image (CLS-RL)" },
      { variant: "noisy-rollout", label: "noisy anchor (NoisyRollout)" },
      { variant: "papo", label: "masked anchor (PAPO)" },
      { variant: "random-negative", label: "random negative" },
      { variant: "tapo", label: "triplet (TAPO)" },
    ],
  },
  {
    name: "rationales",
    title: "Rationales of the SFT records",
    members: [
      { variant: "sft", label: "own" },
      { variant: "sft-shuffled-rationales", label: "shuffled" },
    ],
  },
  {
    name: "shots",
    title: "Training images of each sub-category",
    members: (["sft-direct", "sft", "tapo"] as const).flatMap((method) =>
      [...SHOTS, 4].map((shots) => ({
        variant: shots === 4 ? method : `${method}-shots-${shots}`,
        label: `${METHODS[method].label}, ${shots}`,
      })),
    ),
  },
];

/**
 * Families that a table of these variants can show: two members are there, and, of a family that has variants of its
 * own beside the shipped methods, one of those.
 */
export function familiesOf(names: ReadonlySet<string>): Family[] {
  const isOwn = ({ variant }: Family["members"][number]): boolean =>
    VARIANTS.some(({ name, set }) => name === variant && set.length > 0);
  return FAMILIES.filter(({ members }) => {
    const there = members.filter(({ variant }) => names.has(variant));
    return there.length > 1 && (there.some(isOwn) || !members.some(isOwn));
  });
}

/** Whether settings have all names that a variant sets. */
function has(settings: Settings, { set }: Variant): boolean {
  return set.every((assignment) => {
    let owner: unknown = settings;
    for (const name of assignment.slice(0, assignment.indexOf("=")).split(".")) {
      if (typeof owner !== "object" || owner === null || !Object.hasOwn(owner, name)) return false;
      owner = (owner as Record<string, unknown>)[name];
    }
    return true;
  });
}

/** The settings of a variant: the run's, with what the variant changes, for one seed and the drawings of one role. */
export function variantSettings(
  settings: Settings,
  { set }: Variant,
  { seed, role }: { seed: number; role: Settings["eval"]["role"] },
): Settings {
  return changeSettings(settings, [...set, `seed=${seed}`, `eval.role=${role}`]);
}

/**
 * Variants by their names and the names of families, in the order of the table; all where no name is given. The
 * references come with every choice.
 * @throws Error on a name that is neither
 */
export function chooseVariants(settings: Settings, only: readonly string[] = []): Variant[] {
  const known = VARIANTS.filter((variant) => has(settings, variant));
  const names = new Set<string>(only.length === 0 ? known.map(({ name }) => name) : REFERENCES);
  for (const name of only) {
    const family = FAMILIES.find((one) => one.name === name);
    if (!family && !known.some((variant) => variant.name === name)) {
      throw new Error(
        `unknown variant ${JSON.stringify(name)}; families: ${FAMILIES.map((one) => one.name).join(", ")}; variants: ${known.map((one) => one.name).join(", ")}`,
      );
    }
    (family ? family.members.map(({ variant }) => variant) : [name]).forEach((one) => names.add(one));
  }
  return known.filter(({ name }) => names.has(name));
}
