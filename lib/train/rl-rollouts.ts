/** Sampling for Stage 2: prompts to groups, with dynamic sampling, and groups to the rows of an update. */
import { foldIn, random } from "../util/random";
import type { Params, Tensor } from "../engine/tensorflow";
import { makeGroup, scoreResponse, type Group, type RlPrompt, type ScoredRollout } from "../rollout/groups";
import { promptFeatureIndex } from "../rollout/prompts";
import type { RolloutServer } from "../rollout/rollout-server";
import type { PromptRow, Rollout } from "../rollout/types";
import { sampleRemotely, type Pushed } from "./remote-rollouts";
import type { RlSettings } from "./settings";
import { changesOf, groupViews, VIEWS } from "./group-views";
import { noiseStepAt } from "./noise-schedule";
import { groupBatch, responsePlaces, type GroupBatch, type GroupRow } from "./group-batch";
import { withFeatures } from "./with-features";
import type { BatchImages, Workbench } from "./workbench";

/** Anchor, positive, negative: the three images of a group in a batch, in this order. */
const IMAGES_PER_GROUP = VIEWS.length;

/** How groups are sampled. */
export interface SampleOptions {
  settings: RlSettings;
  /** Intra-class augmentation: n2 rollouts come from the second view, the positive or the anchor with noise. */
  intra: boolean;
  seed: number;
  /** Step of the training, from 1 (default): the noise of a noisy second view falls over it. */
  step?: number;
  /** Where responses are sampled; null or absent for here. */
  remote?: { server: RolloutServer; pushed: Pushed } | null;
}

/**
 * Samples one group per prompt: n1 from the anchor and, with `intra`, n2 from the second view. Prompts are read
 * `rl.promptsPerCall` at a time, which bounds memory; what is drawn for a prompt does not depend on it.
 */
export async function sampleGroups(
  params: Params,
  bench: Workbench,
  prompts: readonly RlPrompt[],
  { settings, intra, seed, step = 1, remote = null }: SampleOptions,
): Promise<Group[]> {
  const n2 = intra ? settings.positiveGenerations : 0;
  const n1 = settings.numGenerations - n2;
  const seeds = prompts.map((_, i): Group["augmentationSeeds"] => [
    foldIn(seed, "augment", i, 0),
    foldIn(seed, "augment", i, 1),
    foldIn(seed, "augment", i, 2),
  ]);
  const noise = n2 > 0 && settings.secondView === "noisy" ? { noiseStep: noiseStepAt(settings, step) } : {};
  const views = prompts.map((prompt, i) => groupViews({ prompt, augmentationSeeds: seeds[i], ...noise }, settings));
  const sources: ("anchor" | "positive")[] = n2 > 0 ? ["anchor", "positive"] : ["anchor"];
  const perCall = settings.promptsPerCall === 0 ? prompts.length : settings.promptsPerCall;

  const sample = async (from: ("anchor" | "positive")[], numGenerations: number, part: string): Promise<Rollout[]> => {
    const rollouts: Rollout[] = [];
    for (let start = 0; start < prompts.length; start += perCall) {
      const asked = prompts.slice(start, start + perCall);
      const shown = views.slice(start, start + perCall).flatMap((of) => from.map((source) => of[source]));
      const paths = shown.map(({ path }) => path);
      await bench.images.load(paths);
      const places = bench.places(paths);
      const rows: PromptRow[] = asked.flatMap((prompt, i) =>
        from.map((_, j) => bench.prompt(prompt.user, places[i * from.length + j])),
      );
      const firstPrompt = start * from.length;
      const options = {
        numGenerations,
        maxNewTokens: settings.maxNewTokens,
        temperature: settings.temperature,
        topP: settings.topP,
        eosTokenIds: bench.eosTokenIds,
        bannedTokenIds: bench.bannedTokenIds,
        seed: foldIn(seed, "rollout", part),
        firstPrompt,
      };
      const sampleHere = (): Rollout[] =>
        withFeatures(
          bench,
          params,
          paths,
          (features) => bench.generator.generate(params, { prompts: rows, features }, options),
          changesOf(shown, settings.augmentation),
        );
      const asSent = rows.map((row, i) => ({
        row,
        text: asked[Math.floor(i / from.length)].user,
        view: shown[i],
      }));
      const sampled = remote
        ? await sampleRemotely(remote.server, remote.pushed, bench, asSent, settings.augmentation, options)
        : sampleHere();
      for (const rollout of sampled) rollouts.push({ ...rollout, promptIndex: rollout.promptIndex + firstPrompt });
    }
    return rollouts;
  };
  // equal halves are one call; an uneven n1:n2 is two
  const parts =
    n2 === 0 || n1 === n2
      ? [{ from: sources, rollouts: await sample(sources, n1, "both") }]
      : [
          { from: sources.slice(0, 1), rollouts: await sample(sources.slice(0, 1), n1, "anchor") },
          { from: sources.slice(1), rollouts: await sample(sources.slice(1), n2, "positive") },
        ];

  return prompts.map((prompt, i) => {
    const scored = parts.flatMap(({ from, rollouts }) =>
      rollouts
        .filter((r) => Math.floor(r.promptIndex / from.length) === i)
        .map((r): ScoredRollout => {
          const text = bench.processor.tokenizer.decode(r.tokenIds);
          return {
            ...scoreResponse(text, prompt, settings.reward === "strict"),
            tokenIds: r.tokenIds,
            logProbs: r.logProbs,
            text,
            source: from[r.promptIndex % from.length],
            finished: r.finished,
          };
        }),
    );
    return { ...makeGroup(prompt, seeds[i], scored), ...noise };
  });
}

/** What dynamic sampling collected for one step. */
export interface Collected {
  /** Groups for the updates, at most `groupsPerStep`. */
  groups: Group[];
  /** Every group sampled, for the log. */
  sampled: Group[];
  generationBatches: number;
}

/**
 * Dynamic sampling (DAPO): samples prompts until `groupsPerStep` groups survive, at most `maxGenerationBatches` times.
 * @throws Error with the counts where no group survives and `whenNoGroupSurvives` is `stop`
 */
export async function collectGroups(
  params: Params,
  bench: Workbench,
  {
    next,
    onBatch,
    ...options
  }: SampleOptions & {
    /** Draws the next prompt. */
    next: () => RlPrompt;
    /** Hears before each generation batch how many groups are kept so far. */
    onBatch?: (kept: number) => void | Promise<void>;
  },
): Promise<Collected> {
  const { settings, seed } = options;
  const kept: Group[] = [];
  const sampled: Group[] = [];
  let generationBatches = 0;
  while (kept.length < settings.groupsPerStep && generationBatches < settings.maxGenerationBatches) {
    await onBatch?.(kept.length);
    const prompts = Array.from({ length: settings.groupsPerGeneration }, next);
    const batchSeed = foldIn(seed, "generation", generationBatches);
    const groups = await sampleGroups(params, bench, prompts, { ...options, seed: batchSeed });
    generationBatches++;
    sampled.push(...groups);
    kept.push(...groups.filter((group) => group.kept));
  }
  if (kept.length === 0) {
    const counts = `none of ${sampled.length} groups in ${generationBatches} generation batches has a mean accuracy inside (0.01, 0.99)`;
    if (settings.whenNoGroupSurvives === "stop")
      throw new Error(`dynamic sampling: ${counts}; set rl.whenNoGroupSurvives or rl.maxGenerationBatches`);
    if (settings.whenNoGroupSurvives === "keep-all") kept.push(...sampled);
  }
  return {
    groups: random(foldIn(seed, "order")).shuffle(kept).slice(0, settings.groupsPerStep),
    sampled,
    generationBatches,
  };
}

/** Some groups as one batch, padded to `count` groups with rows that score nothing; host arrays beside the tensors. */
export interface GroupRows {
  /** Reads the images; the caller disposes them. Equal at each call. */
  images: () => Promise<BatchImages>;
  rows: GroupBatch;
  /** int32 `[P,T]`: the prompts' feature index with the contrast image, the negative, in place of theirs. */
  negativeFeatureIndex: Tensor;
  /** `[B]` */
  advantages: Float32Array;
  /** `[B * R]`: the sampler's log-probs. */
  samplerLogProbs: Float32Array;
  /** `[B]`: 1 where the row was sampled from the second view. */
  fromPositive: Uint8Array;
  /** R */
  places: number;
  /** Response tokens that are scored. */
  tokens: number;
}

/**
 * Groups for scoring and update. Each group brings three images and its prompt: once with the anchor (paper), or once
 * with each image that it was sampled from (deviation 1). Whatever the method uses, all three are encoded and must fit.
 * @param padding the group that fills up to `count`; default the first. It has to be given where there are none
 * @throws Error where a negative has other patches than its anchor, whose place in the prompt it takes
 */
export function groupRows(
  groups: readonly Group[],
  bench: Workbench,
  settings: RlSettings,
  count: number,
  padding = groups[0],
): GroupRows {
  const padded = [...groups];
  while (padded.length < count) padded.push(padding);
  const sources = settings.conditionOn === "sampled" ? (["anchor", "positive"] as const) : (["anchor"] as const);
  const entries = padded.flatMap((group, g) =>
    group.rollouts.map((rollout, i) => ({
      g,
      rollout,
      advantage: g < groups.length ? group.advantages[i] : 0,
      scored: g < groups.length,
    })),
  );
  const views = padded.flatMap((group) => {
    const of = groupViews(group, settings);
    return VIEWS.map((name) => of[name]);
  });
  const paths = views.map(({ path }) => path);
  const augmentBy = changesOf(views, settings.augmentation);
  const imagePlaces = bench.places(paths);
  padded.forEach((_, g) => {
    const [anchor, positive, negative] = VIEWS.map((_, v) => {
      const at = g * IMAGES_PER_GROUP + v;
      return { path: paths[at], grid: imagePlaces[at].grid.join(" x ") };
    });
    const other = [negative, ...(sources.length > 1 ? [positive] : [])].find(({ grid }) => grid !== anchor.grid);
    if (other)
      throw new Error(
        `${other.path} has ${other.grid} patches, its anchor ${anchor.path} ${anchor.grid}: a triplet's images need one size, as \`triplets\` writes them`,
      );
  });
  const prompts = (image: (source: number) => number): PromptRow[] =>
    padded.flatMap(({ prompt }, g) =>
      sources.map((_, source) => bench.prompt(prompt.user, imagePlaces[g * IMAGES_PER_GROUP + image(source)])),
    );
  const rows = entries.map(({ g, rollout, scored }): GroupRow => {
    const source = sources.length > 1 && rollout.source === "positive" ? 1 : 0;
    return { prompt: g * sources.length + source, tokenIds: rollout.tokenIds, scored };
  });
  const places = responsePlaces(rows);
  const samplerLogProbs = new Float32Array(entries.length * places);
  entries.forEach(({ rollout, scored }, b) => {
    if (scored) samplerLogProbs.set(rollout.logProbs, b * places);
  });
  return {
    images: async () => {
      await bench.images.load(paths);
      return bench.batch(paths, augmentBy);
    },
    rows: groupBatch(
      prompts((source) => source),
      rows,
    ),
    negativeFeatureIndex: promptFeatureIndex(prompts(() => 2)),
    advantages: Float32Array.from(entries, (entry) => entry.advantage),
    samplerLogProbs,
    fromPositive: Uint8Array.from(entries, ({ scored, rollout }) => (scored && rollout.source === "positive" ? 1 : 0)),
    places,
    tokens: rows.reduce((n, row) => n + (row.scored ? row.tokenIds.length : 0), 0),
  };
}
