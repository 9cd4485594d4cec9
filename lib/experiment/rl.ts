/** Stage 2: one RL method, from the Stage-1 model. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { closedOptions } from "../benchmark/options";
import { assertTrainable, fewShotImages } from "../benchmark/roles";
import { drawTriplets, type Triplet } from "../benchmark/triplets";
import type { Subcategory } from "../benchmark/types";
import { disposeTree } from "../engine/tree";
import type { Params } from "../engine/tensorflow";
import { loadAdapter } from "../model/adapter";
import { loadModel } from "../model/checkpoint";
import { hasLoraDropout, withoutLoraDropout } from "../model/lora";
import type { RlPrompt } from "../rollout/groups";
import { collapseWatch } from "../train/collapse";
import type { RlMethod } from "../train/methods";
import { trainRl } from "../train/rl";
import type { RlLog } from "../train/rl-log";
import { lastStep } from "../train/training-state";
import type { Workbench } from "../train/workbench";
import { foldIn, random } from "../util/random";
import { repositoryRoot } from "../util/root";
import { trained } from "./cot";
import { limitsOf, openImages, type ImageSizes, type ImageSource, type ImageSources } from "./images";
import { assertFits, plannedModel } from "./memory";
import { placesOf, startOfTraining, trainedModel, type Trained } from "./models";
import { rlPhases } from "./plan";
import { remoteRollouts } from "./remote-rollouts";
import { openSavedGroups } from "./saved-groups";
import type { Settings } from "./settings";
import { replayOf, SFT_PARTS, sftModel } from "./sft";
import type { Watch } from "./stage";
import { promptsOfFile } from "./triplet-files";
import type { Experiment } from "./types";

/** An image at another one's size: a group's images share one place in the prompt. */
const likeName = (id: string, like: string): string => `${id} at the size of ${like}`;

/**
 * Triplets of the images that the run trains on; negatives may be any seen sub-category's, a random one's with
 * `rl.contrastImage=random`.
 * @param of only those whose anchor is of this sub-category
 * @throws Error where that one is not trained on
 */
export async function tripletsOf(experiment: Experiment, of?: Subcategory): Promise<Triplet[]> {
  const { benchmark, settings } = experiment;
  const own = new Set(trained(experiment).map(({ id }) => id));
  const images = fewShotImages(benchmark, benchmark.subcategories({ split: "seen" }), settings.shots).filter(
    ({ file }) => file !== null,
  );
  const negatives = settings.rl.contrastImage === "random" ? "random" : "hardest";
  const triplets = drawTriplets(images, await experiment.neighbours(), foldIn(settings.seed, "triplets"), negatives);
  if (of && !own.has(of.id))
    throw new Error(
      `${of.name} is ${of.split === "unseen" ? "unseen: nothing" : "not trained on in this run: nothing"} is learnt from its images, so it has no triplets`,
    );
  return triplets.filter(({ anchor: { subcategory } }) => (of ? subcategory.id === of.id : own.has(subcategory.id)));
}

/** What Stage 2 trains on: prompts, and where their images are. */
async function trainingPrompts(experiment: Experiment): Promise<{ prompts: RlPrompt[]; images: ImageSources | null }> {
  const { benchmark, settings } = experiment;
  if (settings.triplets !== "own") {
    if (benchmark.squares)
      throw new Error(
        `triplets=${settings.triplets}: ${benchmark.name} is of equal squares in one tensor; its triplets are its own`,
      );
    if (settings.rl.contrastImage === "random")
      throw new Error(
        `rl.contrastImage=random: the negatives of triplets=${settings.triplets} are the file's own; write another with \`triplets --set rl.contrastImage=random\`, or choose hardest or masked`,
      );
    return promptsOfFile(experiment);
  }
  const triplets = await tripletsOf(experiment);
  assertTrainable(
    benchmark,
    triplets.flatMap(({ anchor, positive, negative }) => [anchor.id, positive.id, negative.id]),
  );
  return { prompts: await rlPrompts(experiment), images: benchmark.squares ? null : tripletImages(triplets) };
}

/** Stage-2 prompts: every few-shot image as anchor, twice, each with an open or a closed question (`rl.openShare`). */
export async function rlPrompts(experiment: Experiment): Promise<RlPrompt[]> {
  const { benchmark, settings, prompts } = experiment;
  const neighbours = await experiment.neighbours();
  const named = (id: string, anchor: string): string => (benchmark.squares ? id : likeName(id, anchor));
  return (await tripletsOf(experiment)).flatMap(({ anchor, positive, negative }, i) =>
    [0, 1].map((turn): RlPrompt => {
      const r = random(foldIn(settings.seed, "rl-prompt", i, turn));
      const truth = anchor.subcategory;
      const options = r.uniform() < settings.rl.openShare ? null : closedOptions(truth, neighbours, r.integer(2 ** 31));
      const question = benchmark.question(truth.domain);
      const problem = options ? `${question} Options: ${options.join(", ")}.` : question;
      return {
        anchor: anchor.id,
        positive: named(positive.id, anchor.id),
        negative: named(negative.id, anchor.id),
        user: settings.prompts === "paper" ? prompts.stage2(problem) : prompts.reason(question, options ?? undefined),
        groundTruth: truth.name,
        options,
        domainNames: benchmark.subcategories({ domain: truth.domain }).map(({ name }) => name),
      };
    }),
  );
}

/** Images of triplets of photographs; positives and negatives have their anchor's size. */
function tripletImages(triplets: readonly Triplet[]): ImageSources {
  const sources = new Map<string, ImageSource>();
  for (const { anchor, positive, negative } of triplets) {
    sources.set(anchor.id, anchor.file!);
    for (const other of [positive, negative])
      sources.set(likeName(other.id, anchor.id), { file: other.file!, like: anchor.file! });
  }
  return sources;
}

/** The bench of Stage 2 on some images; on the benchmark's squares where there are none. */
async function benchOn(
  { bench, settings }: Experiment,
  sources: ImageSources | null,
): Promise<{ bench: Workbench; largest: ImageSizes | null }> {
  if (!sources) return { bench, largest: null };
  const { images, largest } = await openImages(bench.processor, sources, {
    limits: limitsOf(settings.rl),
    alpha: settings.rl.alpha,
  });
  return { bench: bench.withImages(images), largest };
}

/** The bench that Stage 2 is trained on: the images of the triplets that the settings name. */
export async function rlBench(
  experiment: Experiment,
): Promise<{ bench: Workbench; largest: ImageSizes | null; prompts: RlPrompt[] }> {
  const { prompts, images } = await trainingPrompts(experiment);
  return { ...(await benchOn(experiment, images)), prompts };
}

/** The policy that Stage 2 starts from; the caller's. @throws Error where `start` names no checkpoint and no adapter */
export async function startingPolicy(experiment: Experiment, watch: Watch): Promise<Params> {
  const { settings, config } = experiment;
  if (settings.start === "sft") return (await sftModel(experiment, "sft", watch)).params;
  if (settings.start === "base") return startOfTraining(experiment);
  const folder = path.resolve(repositoryRoot(), settings.start);
  if (existsSync(path.join(folder, "adapter_config.json"))) {
    const { params } = loadAdapter(folder, config);
    return { ...experiment.takeBase(), ...params };
  }
  if (existsSync(path.join(folder, "config.json"))) return loadModel(folder).params;
  throw new Error(
    `start=${settings.start}: expected sft, base, or a directory with config.json or adapter_config.json`,
  );
}

/** An adapter without its dropout, under which log-probs would be of no policy; the dropout's tensors are disposed. */
export function withoutDropout(params: Params): Params {
  if (!hasLoraDropout(params)) return params;
  const kept = withoutLoraDropout(params);
  const dropped = Object.entries(params).filter(([name]) => !(name in kept));
  disposeTree(dropped.map(([, tensor]) => tensor));
  return kept;
}

/** Settings, and groups of them, that a Stage-2 model depends on. */
export const RL_PARTS = [...SFT_PARTS, "rl", "triplets", "start"] as const satisfies readonly (keyof Settings)[];

/** Tokens of a problem with its format instruction and template, about. */
const TEXT_TOKENS = 128;

/** How a step went, in a few words. */
export const rlNote = ({ reward, format, kept, skipped }: RlLog): string =>
  `reward ${reward.toFixed(3)}, format ${format.toFixed(2)}, kept ${(100 * kept).toFixed(0)} %` +
  (skipped > 0 ? `, ${skipped} updates skipped (gradient not finite)` : "");

/** @throws Error where no step had an update: the weights are those of Stage 1 */
export function assertUpdated(method: string, log: readonly RlLog[]): void {
  if (log.some(({ groups }) => groups > 0)) return;
  throw new Error(
    `${method}: no step of ${log.length} had an update, since dynamic sampling kept no group: every group was all right or all wrong. ` +
      "rl.whenNoGroupSurvives=keep-all, more rl.maxGenerationBatches, easier prompts (rl.openShare=0) or a better Stage-1 model give it something to learn",
  );
}

/**
 * A Stage-2 model; the caller disposes its parameters.
 * @throws Error naming what is wrong, or where nothing was learnt
 */
export function rlModel(experiment: Experiment, method: RlMethod, watch: Watch = {}): Promise<Trained<RlLog>> {
  const { settings, benchmark } = experiment;
  return trainedModel<RlLog>(experiment, {
    method,
    settings: RL_PARTS,
    saving: settings.rl,
    images: () => `few-shot images of ${trained(experiment).length} sub-categories of ${benchmark.title}`,
    watch,
    note: rlNote,
    train: async ({ checkpointing, onResume, onStep }) => {
      const rollouts = await remoteRollouts(experiment, method, watch.signal); // before hours of Stage 1
      const { bench, largest, prompts } = await rlBench(experiment);
      if (largest) {
        const promptTokens = largest.imageTokens + TEXT_TOKENS;
        const sizes = { promptTokens, responseTokens: settings.rl.maxNewTokens, imagePatches: largest.imagePatches };
        assertFits(experiment, rlPhases(plannedModel(experiment), settings, sizes));
      }
      const keep = openSavedGroups(placesOf(experiment.folder, method).rollouts, lastStep(checkpointing));
      const initial = await startingPolicy(experiment, watch);
      const log: RlLog[] = [];
      const collapsed = collapseWatch(settings.rl.maxNewTokens);
      const result = await trainRl(withoutDropout(initial), bench, settings.rl, {
        method,
        prompts,
        seed: foldIn(settings.seed, "rl"),
        bf16: experiment.bf16,
        checkpointing,
        donateInitial: true,
        rollouts,
        replay: settings.rl.replayRows > 0 ? replayOf(experiment, true, "rl.replayRows") : undefined,
        signal: watch.signal,
        onPhase: (note, step, total) => watch.onProgress?.(step, total, note),
        onResume: async (before, total) => {
          log.push(...before);
          await onResume(before, total);
        },
        onStep: async (entry, total, sampled) => {
          log.push(entry);
          keep(entry.step, sampled);
          await onStep(entry, total);
          const warning = collapsed(log);
          if (warning !== null) experiment.say(`${method}, ${warning}`);
        },
      });
      assertUpdated(method, result.log);
      return result;
    },
  });
}
