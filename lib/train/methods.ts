/**
 * The one table of methods: what each is called, how it is drawn, which stage makes it and with which augmentations.
 */

/** What a method's model comes from: nothing (the base), Stage 1, Stage 2, or a baseline of its own. */
export type MethodStage = "base" | "sft" | "rl" | "baseline";

/** One method. */
export interface MethodFacts {
  readonly label: string;
  /** Of Okabe and Ito's colours, which colour-blind readers tell apart; ablations share TAPO's red family. */
  readonly color: string;
  /** Plotly's name of its mark. */
  readonly symbol: string;
  readonly stage: MethodStage;
  /** Whether it is asked to reason before it answers. */
  readonly reasons: boolean;
  /** Stage 2: `rl.positiveGenerations` of a group's rollouts come from the positive image. */
  readonly intra?: boolean;
  /** Stage 2: responses are pushed away from what the negative image makes likely. */
  readonly inter?: boolean;
  /** In words, for model cards. */
  readonly made: string;
}

/** In the order of every table. */
export const METHODS = {
  base: {
    label: "Base, direct",
    color: "#8c8c8c",
    symbol: "circle-open",
    stage: "base",
    reasons: false,
    made: "The base model",
  },
  "base-cot": {
    label: "Base, CoT",
    color: "#4d4d4d",
    symbol: "circle",
    stage: "base",
    reasons: true,
    made: "The base model",
  },
  "sft-direct": {
    label: "SFT on answers",
    color: "#56b4e9",
    symbol: "square-open",
    stage: "sft",
    reasons: false,
    made: "Supervised fine-tuning on bare answers",
  },
  sft: {
    label: "CoT SFT",
    color: "#0072b2",
    symbol: "square",
    stage: "sft",
    reasons: true,
    made: "Supervised fine-tuning on structured rationales (Stage 1 of Fine-R1)",
  },
  "cls-rl": {
    label: "CLS-RL",
    color: "#009e73",
    symbol: "diamond",
    stage: "rl",
    reasons: true,
    intra: false,
    inter: false,
    made: "DAPO without triplets (CLS-RL)",
  },
  tapo: {
    label: "TAPO",
    color: "#d55e00",
    symbol: "star",
    stage: "rl",
    reasons: true,
    intra: true,
    inter: true,
    made: "Triplet Augmented Policy Optimization (TAPO)",
  },
  "tapo-no-intra": {
    label: "TAPO w/o intra",
    color: "#e69f00",
    symbol: "triangle-up-open",
    stage: "rl",
    reasons: true,
    intra: false,
    inter: true,
    made: "TAPO without intra-class augmentation",
  },
  "tapo-no-inter": {
    label: "TAPO w/o inter",
    color: "#cc79a7",
    symbol: "triangle-down-open",
    stage: "rl",
    reasons: true,
    intra: true,
    inter: false,
    made: "TAPO without inter-class augmentation",
  },
  "clip-base": {
    label: "CLIP-style, same pairs",
    color: "#117733",
    symbol: "cross",
    stage: "baseline",
    reasons: false,
    made: "Two towers on the base's image-text pairs",
  },
  "clip-fewshot": {
    label: "CLIP-style + few-shot",
    color: "#999933",
    symbol: "x",
    stage: "baseline",
    reasons: false,
    made: "Two towers on the base's image-text pairs, then on the few-shot images",
  },
} as const satisfies Record<string, MethodFacts>;

export type AnyMethod = keyof typeof METHODS;
/** Methods that generate text. */
export type Method = { [M in AnyMethod]: (typeof METHODS)[M]["stage"] extends "baseline" ? never : M }[AnyMethod];
export type SftMethod = { [M in AnyMethod]: (typeof METHODS)[M]["stage"] extends "sft" ? M : never }[AnyMethod];
export type RlMethod = { [M in AnyMethod]: (typeof METHODS)[M]["stage"] extends "rl" ? M : never }[AnyMethod];
export type BaselineMethod = Exclude<AnyMethod, Method>;

const namesOf = (stages: readonly MethodStage[]): AnyMethod[] =>
  (Object.keys(METHODS) as AnyMethod[]).filter((name) => stages.includes(METHODS[name].stage));

/** Methods that generate text, in order. */
export const METHOD_NAMES = namesOf(["base", "sft", "rl"]) as Method[];
export const SFT_METHODS = namesOf(["sft"]) as SftMethod[];
export const RL_METHODS = namesOf(["rl"]) as RlMethod[];
export const BASELINE_METHODS = namesOf(["baseline"]) as BaselineMethod[];

/** What the table says of a name; null for a name that is not in it (another project's model). */
export function methodFacts(name: string): MethodFacts | null {
  return Object.hasOwn(METHODS, name) ? METHODS[name as AnyMethod] : null;
}

/** Sorts methods in the table's order, others after them by name. */
export function compareMethods(a: string, b: string): number {
  const names = Object.keys(METHODS);
  const order = (method: string): number => (names.includes(method) ? names.indexOf(method) : names.length);
  if (a === b) return 0;
  return order(a) - order(b) || (a < b ? -1 : 1);
}
