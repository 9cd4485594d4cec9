/** A batch that a training stopped at, run again part by part and row by row: where the first odd number comes from. */
import { compile } from "../engine/compile";
import type { AdamWState } from "../engine/optimizer";
import { tf, type Params, type Tensor } from "../engine/tensorflow";
import { disposeTree, mapParams } from "../engine/tree";
import { groupsOfMicroBatches } from "../loss/micro-batch";
import { encodeImages } from "../model/vision";
import { foldIn } from "../util/random";
import { average } from "../util/sums";
import { rowBatch } from "./batch";
import { groupRows } from "./rl-rollouts";
import { createRlStep, createScoreStep, withNegative, type RlBatch } from "./rl-step";
import { rowLogProbs } from "./row-log-probs";
import type { RlSettings, SftSettings } from "./settings";
import { createSftStep, sftBatches } from "./sft";
import { scoredTokens, type PlannedStep } from "./sft-plan";
import type { StoppedBatch } from "./stopped-batch";
import type { Update } from "./update";
import type { Workbench } from "./workbench";

/** Numbers of a part or a row, by name; they may be NaN or infinite. */
export type Numbers = Record<string, number>;

/** What a replay found. */
export interface Replay {
  /** Parameters with values that are not finite. */
  badParameters: string[];
  /** Largest absolute value of all parameters. */
  largestParameter: number;
  /**
   * Each group (SFT: part) of an update on its own: gradient norm, and its share of the update's loss and metrics;
   * without importance weights and without the loss of replayed rows, which stand in `rows`.
   */
  parts: { name: string; numbers: Numbers }[];
  /** Each row: its mean log-prob a token, and of rollouts the advantage. */
  rows: { name: string; numbers: Numbers }[];
}

/** A training's parameters and moments before the step; the caller's. */
export interface Before {
  params: Params;
  state: AdamWState;
}

/** Whether every number is finite. */
export const isSound = (numbers: Numbers): boolean => Object.values(numbers).every(Number.isFinite);

const numberOf = (tensor: Tensor): number => tensor.dataSync()[0];

function survey(params: Params): Pick<Replay, "badParameters" | "largestParameter"> {
  const largest = Object.entries(params).map(([name, tensor]) => {
    const most = tf.tidy(() => tf.max(tf.abs(tf.cast(tensor, "float32"))));
    const value = numberOf(most);
    most.dispose();
    return { name, value };
  });
  return {
    badParameters: largest.filter(({ value }) => !Number.isFinite(value)).map(({ name }) => name),
    largestParameter: Math.max(...largest.map(({ value }) => value)),
  };
}

/** The metrics of one update on copies, which are thrown away. */
function metricsOf<B>(update: Update<B>, { params, state }: Before, part: B, tokens: number, rate: number): Numbers {
  const copy = (record: Params): Params => mapParams(record, (tensor) => tensor.clone());
  const learningRate = tf.scalar(rate);
  const copied: AdamWState = { step: state.step.clone(), m: copy(state.m), v: copy(state.v) };
  const out = update(copy(params), copied, [part], tokens, learningRate);
  const numbers = Object.fromEntries(Object.entries(out.metrics).map(([name, metric]) => [name, numberOf(metric)]));
  disposeTree(out, learningRate);
  return numbers;
}

/** Runs a stopped SFT step again; nothing is changed. Images must be of `bench`. */
export async function replaySft(
  before: Before,
  bench: Workbench,
  settings: SftSettings,
  { batch, seed, step, learningRate, bf16 }: StoppedBatch & { stage: "sft" },
): Promise<Replay> {
  const { params } = before;
  const update = createSftStep(bench, settings, { bf16, xla: false });
  const stepSeed = foldIn(seed, "sft", step - 1);
  const tokens = batch.parts.reduce((n, part) => n + scoredTokens(part), 0);
  const parts = (await sftBatches(bench, params, settings, batch, stepSeed)).map((part, i) => {
    const numbers = metricsOf(update, before, part, tokens, learningRate);
    disposeTree(part);
    return { name: `part ${i + 1} of ${batch.parts.length}`, numbers };
  });
  return { ...survey(params), parts, rows: replayRows(params, bench, settings, batch, bf16, "row") };
}

/** Each row of planned parts on its own; the images must be loaded. */
function replayRows(
  params: Params,
  bench: Workbench,
  settings: Pick<SftSettings, "augmentation">,
  { parts }: Pick<PlannedStep, "parts">,
  bf16: boolean,
  name: string,
): Replay["rows"] {
  const score = compile(
    (p: Params, images: ReturnType<Workbench["batch"]>, rows: ReturnType<typeof rowBatch>) => {
      const { pixelValues, vision } = images;
      return rowLogProbs(p, bench.config, encodeImages(p, bench.config, pixelValues, vision), rows, 1);
    },
    { name: "replay.rows", bf16 },
  );
  const rows: Replay["rows"] = [];
  for (const { images, augmentationSeeds, packed } of parts) {
    // rows are packed out of order; each says by its place which image is its own
    const places = bench.places(images);
    for (const row of packed.flat()) {
      const at = places.findIndex(({ first }) => first === row.image!.first);
      const augmentation = { seeds: [augmentationSeeds[at]], strength: settings.augmentation };
      const shown = bench.batch([images[at]], augmentation);
      const alone = { ...row, image: bench.places([images[at]])[0] };
      const tensors = rowBatch([[alone]], bench.config, { lengthBucket: 1, placesBucket: 1 });
      const logProbs = score(params, shown, tensors);
      rows.push({
        name: `${name} ${rows.length + 1} (${images[at]})`,
        numbers: { logProb: average([...logProbs.dataSync()]) },
      });
      disposeTree(shown, tensors, logProbs);
    }
  }
  return rows;
}

/**
 * Runs the updates of a stopped RL step again, a group at a time; nothing is changed. Images must be of `bench`. With
 * `rl.lossAverage=micro-batch` a group's last responses are a micro-batch of their own where they do not fill one; in
 * the update the next group's are in it too.
 */
export async function replayRl(
  before: Before,
  bench: Workbench,
  settings: RlSettings,
  { updates, replay, contrast, learningRate, bf16 }: StoppedBatch & { stage: "rl" },
): Promise<Replay> {
  const { params } = before;
  // padded with groups that score nothing, so that the rows split into micro-batches
  const size = settings.lossAverage === "micro-batch" ? groupsOfMicroBatches(settings.numGenerations) : 1;
  const groupsPerUpdate = settings.groupsPerStep / settings.updatesPerStep;
  const alone = { ...settings, gradientAccumulationSteps: groupsPerUpdate / size };
  const step = createRlStep(bench, alone, contrast, { bf16, xla: false });
  const score = createScoreStep(bench, settings.temperature, bf16);
  const parts: Replay["parts"] = [];
  const rows: Replay["rows"] = [];
  for (const [u, groups] of updates.entries()) {
    const tokens = groups.flatMap(({ rollouts }) => rollouts).reduce((n, { tokenIds }) => n + tokenIds.length, 0);
    for (const [g, group] of groups.entries()) {
      const name = `update ${u + 1}, group ${g + 1} (${group.prompt.anchor})`;
      const { images: read, rows: batch, negativeFeatureIndex, ...host } = groupRows([group], bench, settings, size);
      const images = await read();
      const under = (of: typeof batch): Tensor => score(params, images, of);
      const own = under(batch);
      const negative = contrast ? under(withNegative(batch, negativeFeatureIndex)) : null;
      const isStale = contrast && settings.negativeLogProbs === "stale";
      const oldIsOwn =
        settings.conditionOn === "anchor" ? Float32Array.from(host.fromPositive) : host.advantages.map(() => 0);
      const part: RlBatch = {
        images,
        rows: batch,
        negativeFeatureIndex,
        oldLogProbs: tf.tensor2d(host.samplerLogProbs, [host.advantages.length, host.places]),
        oldIsOwn: tf.tensor1d(oldIsOwn),
        advantages: tf.tensor1d(host.advantages),
        staleNegativeLogProbs: isStale ? negative : null,
        replay: null,
      };
      const [ownValues, negativeValues] = [own, negative].map((tensor) => tensor?.dataSync() ?? null);
      group.rollouts.forEach(({ tokenIds, logProbs, source }, i) => {
        const of = (values: ArrayLike<number>): number =>
          average(Array.from(values).slice(i * host.places, i * host.places + tokenIds.length));
        rows.push({
          name: `${name}, rollout ${i + 1} from the ${source}`,
          numbers: {
            advantage: group.advantages[i],
            samplerLogProb: average(logProbs),
            logProb: of(ownValues!),
            ...(negativeValues ? { negativeLogProb: of(negativeValues) } : {}),
          },
        });
      });
      parts.push({ name, numbers: metricsOf(step, before, part, tokens, learningRate) });
      disposeTree(part, own, negative);
    }
  }
  for (const [u, planned] of replay.entries()) {
    await bench.images.load(planned.parts.flatMap(({ images }) => images));
    rows.push(...replayRows(params, bench, settings, planned, bf16, `update ${u + 1}, replayed row`));
  }
  return { ...survey(params), parts, rows };
}
