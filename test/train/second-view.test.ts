/** Stage 2 with other images in the place of positive and negative: NoisyRollout, PAPO. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adamWInit } from "../../lib/engine/optimizer";
import { tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree, mapParams } from "../../lib/engine/tree";
import type { Grid } from "../../lib/model/vision-plan";
import { processImage } from "../../lib/processor/image-processor";
import type { Group, RlPrompt } from "../../lib/rollout/groups";
import { maskedPatches } from "../../lib/train/corrupt";
import { changesOf, groupViews } from "../../lib/train/group-views";
import { photographs } from "../../lib/train/images";
import { noiseStepAt } from "../../lib/train/noise-schedule";
import { trainRl } from "../../lib/train/rl";
import { groupRows, sampleGroups } from "../../lib/train/rl-rollouts";
import { createRlStep, createScoreStep } from "../../lib/train/rl-step";
import { imageSaliency } from "../../lib/train/saliency";
import type { RlSettings } from "../../lib/train/settings";
import { tokenScores } from "../../lib/train/token-scores";
import { createWorkbench, type Workbench } from "../../lib/train/workbench";
import { foldIn } from "../../lib/util/random";
import { toyBench, toyConfig, toyParams, toyPixels, toyPreprocessor, toyProcessor, toyRl } from "../helpers/tiny";

/** Neither positive nor negative is an image of the benches here: whoever reads one of them fails. */
const prompt: RlPrompt = {
  anchor: "a",
  positive: "no positive",
  negative: "no negative",
  user: "Answer.",
  groundTruth: "cat",
  options: null,
  domainNames: ["cat", "dog"],
};
const neighbours: Partial<RlSettings> = { secondView: "noisy", contrastImage: "masked" };

/** A bench on photographs of two sizes. */
function photographBench(): { bench: Workbench; params: Params } {
  const processor = toyProcessor();
  const config = toyConfig(processor);
  const processed = new Map(
    ["a", "b"].map((name, i) => [name, processImage(toyPreprocessor, toyPixels(name, 16 + 8 * i))]),
  );
  const grids = new Map<string, Grid>([...processed].map(([name, { grid }]) => [name, grid]));
  const images = photographs(grids, (name) => {
    const { pixelValues, grid } = processed.get(name)!;
    return Promise.resolve({ pixelValues: pixelValues.slice(), grid });
  });
  return { bench: createWorkbench({ config, processor, images }), params: toyParams(config) };
}

describe("groupViews", () => {
  const group = { prompt, augmentationSeeds: [1, 2, 3] as [number, number, number] };
  const { contrastImage, maskRatio } = toyRl;

  it("by default are the triplet, each with its own seed, and nothing is done to them", () => {
    const views = groupViews(group, { contrastImage, maskRatio });
    expect(views).toEqual({
      anchor: { path: "a", seed: 1, corruption: null },
      positive: { path: "no positive", seed: 2, corruption: null },
      negative: { path: "no negative", seed: 3, corruption: null },
    });
    expect(changesOf(Object.values(views), 0.5)).toEqual({ seeds: [1, 2, 3], strength: 0.5 });
    expect(groupViews(group, { contrastImage: "random", maskRatio })).toEqual(views);
  });

  it("of the neighbours are the anchor as it is augmented, with noise or a mask of its own seed", () => {
    const views = groupViews({ ...group, noiseStep: 250 }, { contrastImage: "masked", maskRatio: 0.6 });
    expect(views).toEqual({
      anchor: { path: "a", seed: 1, corruption: null },
      positive: { path: "a", seed: 1, corruption: { kind: "noise", step: 250, seed: foldIn(2, "noise") } },
      negative: { path: "a", seed: 1, corruption: { kind: "mask", ratio: 0.6, seed: foldIn(3, "mask") } },
    });
  });
});

describe("by default", () => {
  it("groups, seeds and batches are the triplet's alone, whatever the neighbours' numbers are", async () => {
    const { bench, params } = await toyBench(["a", "b", "c"]);
    const triplet = { ...prompt, positive: "b", negative: "c" };
    const draw = (given: Partial<RlSettings>): Promise<Group[]> =>
      sampleGroups(params, bench, [triplet], { settings: { ...toyRl, ...given }, intra: true, seed: 3, step: 2 });
    const numbers = { gaussianNoiseStep: 9, noiseDecayMode: "none", noiseDecayCoef: 1, maskRatio: 0.1 } as const;
    const [group] = await draw({});
    expect(await draw(numbers)).toEqual([group]);
    expect(await draw({ contrastImage: "masked" })).toEqual([group]); // the sampler never sees the contrast image
    expect(Object.keys(group)).toEqual(["prompt", "augmentationSeeds", "rollouts", "advantages", "kept"]);
    const seeds = [0, 1, 2].map((image) => foldIn(3, "augment", 0, image));
    expect(group.augmentationSeeds).toEqual(seeds);
    const made = groupRows([group], bench, { ...toyRl, ...numbers }, 1);
    const [images, plain] = [
      await made.images(),
      bench.batch(["a", "b", "c"], { seeds, strength: toyRl.augmentation }),
    ];
    expect(images.pixelValues.dataSync()).toEqual(plain.pixelValues.dataSync());
    disposeTree(images, plain, made.rows, made.negativeFeatureIndex, params);
    bench.dispose();
  });
});

describe.each(["squares", "photographs"] as const)("on %s", (kind) => {
  let bench: Workbench;
  let params: Params;
  const settings: RlSettings = { ...toyRl, ...neighbours, augmentation: kind === "squares" ? 0.5 : 0 };
  const prompts = [prompt, { ...prompt, anchor: "b" }];
  const sample = (step: number, given: Partial<RlSettings> = {}): Promise<Group[]> =>
    sampleGroups(params, bench, prompts, { settings: { ...settings, ...given }, intra: true, seed: 3, step });
  const scores = async (groups: Group[], conditionOn: RlSettings["conditionOn"]) => {
    const made = groupRows(groups, bench, { ...settings, conditionOn }, groups.length);
    const images = await made.images();
    const scored = createScoreStep(bench, settings.temperature, false)(params, images, made.rows);
    const [values, weights] = [scored.dataSync(), made.rows.weights.dataSync()];
    disposeTree(images, scored, made.rows, made.negativeFeatureIndex);
    const off = (flag: number): number[] =>
      Array.from(made.samplerLogProbs, (p, i) =>
        made.fromPositive[Math.floor(i / made.places)] === flag ? weights[i] * Math.abs(p - values[i]) : 0,
      );
    return { values: Array.from(values), off: [Math.max(...off(0)), Math.max(...off(1))] };
  };

  beforeAll(async () => {
    ({ bench, params } = kind === "squares" ? await toyBench(["a", "b"]) : photographBench());
  });
  afterAll(() => {
    disposeTree(params);
    bench.dispose();
  });

  it("half of a group's rollouts come from the anchor with the noise of the step, which the group says", async () => {
    const [first] = await sample(1);
    expect(first.rollouts.map(({ source }) => source)).toEqual(["anchor", "anchor", "positive", "positive"]);
    expect([first.noiseStep, (await sample(2))[0].noiseStep]).toEqual([noiseStepAt(settings, 1), 0]);
    expect(
      (await sample(1, { secondView: "noisy", positiveGenerations: 0, contrastImage: "masked" }))[0],
    ).not.toHaveProperty("noiseStep");
    // the sampler saw that image: under it, noise and augmentation included, the log-probs are its own
    const groups = await sample(1, { gaussianNoiseStep: 700, noiseDecayMode: "none" });
    const { off } = await scores(groups, "sampled");
    expect(Math.max(...off)).toBeLessThan(1e-4);
    const quiet = groups.map((group) => ({ ...group, noiseStep: 0 }));
    expect((await scores(quiet, "sampled")).off[1]).toBeGreaterThan(1e-3);
  });

  it("noise is drawn for a prompt alike however many are read at a time", async () => {
    const tokens = (groups: Group[]) => groups.map(({ rollouts }) => rollouts.map(({ tokenIds }) => tokenIds));
    const given = { gaussianNoiseStep: 700, noiseDecayMode: "none" } as const;
    expect(tokens(await sample(1, { ...given, promptsPerCall: 1 }))).toEqual(tokens(await sample(1, given)));
  });

  it("the update is conditioned on the clean anchor: the noise of a rollout changes nothing in it", async () => {
    const groups = await sample(1, { gaussianNoiseStep: 700, noiseDecayMode: "none" });
    const { values, off } = await scores(groups, "anchor");
    expect(off[0]).toBeLessThan(1e-4);
    expect(off[1]).toBeGreaterThan(1e-3); // not what the sampler saw, but what rollouts of the anchor see:
    const asAnchors = groups.map((group) => ({
      ...group,
      rollouts: group.rollouts.map((rollout) => ({ ...rollout, source: "anchor" as const })),
    }));
    expect((await scores(asAnchors, "sampled")).values).toEqual(values);

    const update = async (noiseStep: number): Promise<number[]> => {
      const noisy = groups.map((group) => ({ ...group, noiseStep, advantages: [1, -1, 0.5, -0.5] }));
      const made = groupRows(noisy, bench, settings, noisy.length);
      const shape: [number, number] = [made.advantages.length, made.places];
      const batch = {
        images: await made.images(),
        rows: made.rows,
        negativeFeatureIndex: made.negativeFeatureIndex,
        oldLogProbs: tf.tensor2d(made.samplerLogProbs, shape),
        oldIsOwn: tf.tensor1d(Float32Array.from(made.fromPositive)),
        advantages: tf.tensor1d(made.advantages),
        staleNegativeLogProbs: null,
        replay: null,
      };
      const rate = tf.scalar(1e-3);
      const out = createRlStep(bench, settings, true, {})(
        mapParams(params, (p) => p.clone()),
        adamWInit(params),
        [batch],
        made.tokens,
        rate,
      );
      const moved = Object.values(out.state.m).flatMap((tensor) => Array.from(tensor.dataSync()));
      disposeTree(out, rate, batch);
      return moved;
    };
    const [strong, none] = [await update(700), await update(0)];
    const largest = Math.max(...strong.map(Math.abs));
    expect(largest).toBeGreaterThan(0);
    expect(Math.max(...strong.map((value, i) => Math.abs(value - none[i]))) / largest).toBeLessThan(1e-5);
  });

  it("the contrast image is the anchor as it is shown with 60 % of its patches black, at every reading the same", async () => {
    const groups = await sample(1);
    const made = groupRows(groups, bench, settings, groups.length);
    const read = async (): Promise<Float32Array> => {
      const images = await made.images();
      const values = images.pixelValues.dataSync() as Float32Array;
      disposeTree(images);
      return values;
    };
    const values = await read();
    const clean = groupRows(groups, bench, { ...settings, maskRatio: 0 }, groups.length);
    const shown = await clean.images();
    const unmasked = shown.pixelValues.dataSync();
    let [start, seen] = [0, 0];
    for (const group of groups) {
      const [, h, w] = bench.images.grid(group.prompt.anchor);
      const patch = (of: ArrayLike<number>, image: number, i: number): number[] =>
        Array.from(of).slice((start + image * h * w + i) * 96, (start + image * h * w + i + 1) * 96);
      const masked = new Set(maskedPatches(h * w, 0.6, foldIn(group.augmentationSeeds[2], "mask")));
      expect(masked.size).toBe(Math.round(0.6 * h * w));
      for (let i = 0; i < h * w; i++) {
        expect(patch(values, 0, i)).toEqual(patch(unmasked, 0, i)); // the anchor stays clean
        expect(patch(unmasked, 2, i)).toEqual(patch(values, 0, i));
        if (!masked.has(i)) expect(patch(values, 2, i)).toEqual(patch(values, 0, i));
        else if (JSON.stringify(patch(values, 2, i)) !== JSON.stringify(patch(values, 0, i))) seen++;
      }
      start += 3 * h * w;
    }
    expect(seen).toBeGreaterThan(10);
    expect(await read()).toEqual(values);
    const saved = groupRows(JSON.parse(JSON.stringify(groups)) as Group[], bench, settings, groups.length);
    const again = await saved.images();
    expect(again.pixelValues.dataSync()).toEqual(values); // from a file as from memory
    for (const { rows, negativeFeatureIndex } of [made, clean, saved]) disposeTree(rows, negativeFeatureIndex);
    disposeTree(shown, again);
  });

  it("trains, says the noise of each step, and leaks nothing", async () => {
    const train = async () => {
      const noise: (number | undefined)[] = [];
      const { params: trained, log } = await trainRl(params, bench, settings, {
        method: "tapo",
        prompts,
        seed: 5,
        bf16: false,
        onStep: (_, __, groups) => void noise.push(...new Set(groups.map(({ noiseStep }) => noiseStep))),
      });
      disposeTree(trained);
      return { noise, log: log.map((entry) => ({ ...entry, seconds: 0 })) };
    };
    const first = await train();
    const tensors = tf.memory().numTensors;
    const second = await train();
    expect(tf.memory().numTensors).toBe(tensors);
    expect(second).toEqual(first);
    expect(first.noise).toEqual([1, 2].map((step) => noiseStepAt(settings, step)));
    for (const { kl, gradNorm, conditioningGap } of first.log) {
      expect(kl).toBeGreaterThan(0);
      expect(gradNorm).toBeGreaterThan(0);
      expect(conditioningGap).not.toBeNull();
    }
  });

  it("what looks at groups afterwards sees the same images", async () => {
    const [group] = await sample(1);
    const tensors = tf.memory().numTensors;
    const [{ kl }] = await tokenScores(params, bench, group, { settings });
    expect(Math.max(...kl!)).toBeGreaterThan(0);
    const { own, negative } = await imageSaliency(params, bench, group, { settings, span: [0, 1] });
    const black = (map: typeof own): number => {
      const { data } = map.image;
      return Array.from(
        { length: data.length / 3 },
        (_, at) => data[3 * at] + data[3 * at + 1] + data[3 * at + 2],
      ).filter((sum) => sum === 0).length;
    };
    expect(black(negative) - black(own)).toBeGreaterThan(0.4 * (own.image.data.length / 3));
    expect(tf.memory().numTensors).toBe(tensors);
  });
});
