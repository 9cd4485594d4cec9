/**
 * The three images of a group as the model sees them: the anchor, the second view that the n2 rollouts come from, and
 * the image that the inter-class terms contrast with. `rl.secondView` and `rl.contrastImage` choose what the last two
 * are; their places keep TAPO's names, positive and negative.
 */
import type { Group } from "../rollout/groups";
import { foldIn } from "../util/random";
import type { Corruption } from "./corrupt";
import type { AugmentBy } from "./images";
import type { RlSettings } from "./settings";

/** An image of the run, and what is done to it before the model sees it. */
export interface View {
  path: string;
  /** Of its augmentation. */
  seed: number;
  /** Done after the augmentation. */
  corruption: Corruption | null;
}

/** The images of a group, in the order in which they stand in a batch. */
export const VIEWS = ["anchor", "positive", "negative"] as const;
export type GroupViews = Record<(typeof VIEWS)[number], View>;

/** The views of a group. Noise and mask are laid on the anchor as it is shown, augmentation included. */
export function groupViews(
  { prompt, augmentationSeeds, noiseStep }: Pick<Group, "prompt" | "augmentationSeeds" | "noiseStep">,
  { contrastImage, maskRatio }: Pick<RlSettings, "contrastImage" | "maskRatio">,
): GroupViews {
  const [anchor, positive, negative] = augmentationSeeds;
  const shown = { path: prompt.anchor, seed: anchor };
  return {
    anchor: { ...shown, corruption: null },
    positive:
      noiseStep === undefined
        ? { path: prompt.positive, seed: positive, corruption: null }
        : { ...shown, corruption: { kind: "noise", step: noiseStep, seed: foldIn(positive, "noise") } },
    negative:
      contrastImage === "masked"
        ? { ...shown, corruption: { kind: "mask", ratio: maskRatio, seed: foldIn(negative, "mask") } }
        : { path: prompt.negative, seed: negative, corruption: null },
  };
}

/** How a batch of views is changed. */
export function changesOf(views: readonly View[], strength: number): AugmentBy {
  const seeds = views.map(({ seed }) => seed);
  const corruptions = views.map(({ corruption }) => corruption);
  return corruptions.some((one) => one !== null) ? { seeds, strength, corruptions } : { seeds, strength };
}
