/** A group of rollouts with its triplet, in a cell. */
import type { Triplet } from "../benchmark/triplets";
import type { Params } from "../engine/tensorflow";
import { showRollouts } from "../report/show-rollouts";
import { thumbnail } from "../report/thumbnail";
import { describeTriplet } from "../report/show-triplet";
import type { Group } from "../rollout/groups";
import { sampledScores, tokenScores } from "../train/token-scores";
import type { Workbench } from "../train/workbench";
import { tripletsOf } from "./rl";
import type { Experiment } from "./types";

/** Pixels of an image's square. */
const SIZE = 192;

/** The triplet that a group was sampled for; undefined for prompts of a file. */
export async function tripletOfGroup(experiment: Experiment, { prompt }: Group): Promise<Triplet | undefined> {
  return (await tripletsOf(experiment)).find(({ anchor }) => anchor.id === prompt.anchor);
}

/**
 * Shows a group's images and rollouts, coloured by token.
 * @param options.params a policy, which scores the responses under anchor and negative; without one, the sampler's
 * log-probs are shown. It stays the caller's.
 */
export async function showGroup(
  experiment: Experiment,
  bench: Workbench,
  group: Group,
  { params, title }: { params?: Params; title?: string } = {},
): Promise<void> {
  const { settings, bf16 } = experiment;
  const triplet = await tripletOfGroup(experiment, group);
  const isMasked = settings.rl.contrastImage === "masked";
  // of a triplet only what stood in the group: noise and mask are laid on the anchor
  const used = [true, group.noiseStep === undefined, !isMasked];
  const shown = triplet ? describeTriplet(triplet).filter(({ file }, i) => file !== null && used[i]) : [];
  const images = await Promise.all(
    shown.map(async ({ name, file }) => ({ name, source: await thumbnail(file!, SIZE) })),
  );
  const scores = params
    ? await tokenScores(params, bench, group, { settings: settings.rl, bf16 })
    : sampledScores(bench, group);
  showRollouts(group, scores, { title, images });
}
