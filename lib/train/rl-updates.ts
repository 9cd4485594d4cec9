/**
 * The batches of a step's updates: everything that needs the policy before them - old log-probs, importance weights,
 * log-probs under the negative where they are not recomputed - is taken before the first.
 */
import { tf, type Params } from "../engine/tensorflow";
import { disposeTree } from "../engine/tree";
import type { Group } from "../rollout/groups";
import { importanceOf, type Importance } from "./remote-rollouts";
import { groupRows, type GroupRows } from "./rl-rollouts";
import { withNegative, type createScoreStep, type RlBatch } from "./rl-step";
import type { RlSettings } from "./settings";
import type { Workbench } from "./workbench";

/** The sampler's log-probs, but the scored ones in rows from the positive. */
function onAnchor(
  { samplerLogProbs, fromPositive, places }: Pick<GroupRows, "samplerLogProbs" | "fromPositive" | "places">,
  scored: Float32Array,
): Float32Array {
  return samplerLogProbs.map((logProb, i) => (fromPositive[Math.floor(i / places)] ? scored[i] : logProb));
}

/** `[B]`; with importance weights each token's own, `[B,R]`. */
function advantagesOf({ advantages, places }: Pick<GroupRows, "advantages" | "places">, importance: Importance | null) {
  if (importance === null) return tf.tensor1d(advantages);
  const each = importance.weights.map((weight, i) => weight * advantages[Math.floor(i / places)]);
  return tf.tensor2d(each, [advantages.length, places]);
}

/** Some groups of an update, to be padded to `size` with one that scores nothing. */
interface Part {
  groups: readonly Group[];
  size: number;
  padding: Group;
}

/**
 * An update's groups as equal parts. Parts without groups are left out, unless rows are replayed, of which each part
 * has its own.
 */
function split(groups: readonly Group[], settings: RlSettings): Part[] {
  const { groupsPerStep, updatesPerStep, gradientAccumulationSteps: parts, replayRows } = settings;
  const size = groupsPerStep / updatesPerStep / parts;
  return Array.from({ length: parts }, (_, i) => groups.slice(i * size, (i + 1) * size))
    .filter((part) => part.length > 0 || replayRows > 0)
    .map((part) => ({ groups: part, size, padding: groups[0] }));
}

/** The groups of each update of a step; updates without any are left out. */
export function groupsOfUpdates<G>(
  groups: readonly G[],
  { groupsPerStep, updatesPerStep }: Pick<RlSettings, "groupsPerStep" | "updatesPerStep">,
): G[][] {
  const size = groupsPerStep / updatesPerStep;
  return Array.from({ length: Math.ceil(groups.length / size) }, (_, u) => groups.slice(u * size, (u + 1) * size));
}

/** A part of an update, but for its images and replayed rows, which are read when its turn comes. */
export interface PreparedPart extends Pick<GroupRows, "images"> {
  tensors: Omit<RlBatch, "images" | "replay">;
}

/** The parts of an update, and their scored tokens together. */
export interface PreparedUpdate {
  parts: PreparedPart[];
  tokens: number;
}

/** How a step's updates are prepared. */
export interface PrepareOptions {
  settings: RlSettings;
  /** The method's augmentations. */
  intra: boolean;
  inter: boolean;
  /** Whether the responses were sampled elsewhere. */
  isRemote: boolean;
  score: ReturnType<typeof createScoreStep>;
}

/** Whether responses sampled from the second view are conditioned on the anchor. */
export const conditionsOnAnchor = (intra: boolean, { conditionOn }: Pick<RlSettings, "conditionOn">): boolean =>
  intra && conditionOn === "anchor";

/** One part of an update. @param isFirst whether the policy that the update meets is the one of the old log-probs */
async function preparePart(
  params: Params,
  bench: Workbench,
  { groups, size, padding, isFirst }: Part & { isFirst: boolean },
  { settings, intra, inter, isRemote, score }: PrepareOptions,
): Promise<{ prepared: PreparedPart; importance: Importance | null; tokens: number }> {
  const {
    images,
    rows,
    negativeFeatureIndex,
    samplerLogProbs: drawn,
    ...host
  } = groupRows(groups, bench, settings, size, padding);
  const made: unknown[] = [rows, negativeFeatureIndex];
  const temporary: unknown[] = [];
  const kept = <T>(tensors: T): T => {
    made.push(tensors);
    return tensors;
  };
  const untilReturn = <T>(tensors: T): T => {
    temporary.push(tensors);
    return tensors;
  };
  try {
    let samplerLogProbs = drawn;
    let importance: Importance | null = null;
    if (isRemote) {
      // what the server drew from is not quite the policy here: its log-probs are taken anew, each under its image
      const { images: read, ...own } = groupRows(groups, bench, { ...settings, conditionOn: "sampled" }, size, padding);
      untilReturn([own.rows, own.negativeFeatureIndex]);
      const scored = untilReturn(score(params, untilReturn(await read()), own.rows));
      samplerLogProbs = scored.dataSync() as Float32Array;
      const mask = own.rows.weights.dataSync() as Float32Array;
      importance = importanceOf(samplerLogProbs, drawn, mask, settings.importanceCap);
      disposeTree(temporary);
    }
    const onAnchorNow = conditionsOnAnchor(intra, settings);
    const rescore = onAnchorNow && !isFirst;
    const stale = inter && settings.negativeLogProbs === "stale";
    const shown = rescore || stale ? untilReturn(await images()) : null;
    let oldLogProbs = samplerLogProbs;
    if (shown && rescore) {
      const scored = untilReturn(score(params, shown, rows));
      oldLogProbs = onAnchor({ samplerLogProbs, ...host }, scored.dataSync() as Float32Array);
    }
    const oldIsOwn =
      onAnchorNow && !rescore ? Float32Array.from(host.fromPositive) : new Float32Array(host.fromPositive.length);
    const staleNegativeLogProbs =
      shown && stale ? kept(score(params, shown, withNegative(rows, negativeFeatureIndex))) : null;
    const tensors = {
      rows,
      negativeFeatureIndex,
      oldLogProbs: kept(tf.tensor2d(oldLogProbs, [host.advantages.length, host.places])),
      oldIsOwn: kept(tf.tensor1d(oldIsOwn)),
      advantages: kept(advantagesOf(host, importance)),
      staleNegativeLogProbs,
    };
    return { prepared: { images, tensors }, importance, tokens: host.tokens };
  } catch (error) {
    disposeTree(made);
    throw error;
  } finally {
    disposeTree(temporary);
  }
}

/**
 * A step's updates on `groups`; those without groups are left out. The caller disposes the parts' tensors.
 * @returns with the importance weights of each part, where responses were sampled elsewhere
 */
export async function prepareUpdates(
  params: Params,
  bench: Workbench,
  groups: readonly Group[],
  options: PrepareOptions,
): Promise<{ updates: PreparedUpdate[]; importance: Importance[] }> {
  const updates: PreparedUpdate[] = [];
  const importance: Importance[] = [];
  try {
    for (const own of groupsOfUpdates(groups, options.settings)) {
      const update: PreparedUpdate = { parts: [], tokens: 0 };
      updates.push(update);
      for (const part of split(own, options.settings)) {
        const made = await preparePart(params, bench, { ...part, isFirst: updates.length === 1 }, options);
        update.parts.push(made.prepared);
        update.tokens += made.tokens;
        if (made.importance) importance.push(made.importance);
      }
    }
  } catch (error) {
    disposeUpdates(updates);
    throw error;
  }
  return { updates, importance };
}

/** Frees what prepared updates hold. */
export function disposeUpdates(updates: readonly PreparedUpdate[]): void {
  for (const { parts } of updates) disposeTree(parts.map(({ tensors }) => tensors));
}
