import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adamWInit } from "../../lib/engine/optimizer";
import { foldIn, random } from "../../lib/util/random";
import { isNative, tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree, mapParams } from "../../lib/engine/tree";
import { deck, type Group, type RlPrompt } from "../../lib/rollout/groups";
import { initLora } from "../../lib/model/lora";
import { LORA_DEFAULTS } from "../../lib/model/lora-config";
import type { RlSettings } from "../../lib/train/settings";
import type { RlMethod } from "../../lib/train/methods";
import { trainRl } from "../../lib/train/rl";
import type { RlLog } from "../../lib/train/rl-log";
import { collectGroups, groupRows, sampleGroups } from "../../lib/train/rl-rollouts";
import { createRlStep, createScoreStep, type RlBatch } from "../../lib/train/rl-step";
import { trainSft } from "../../lib/train/sft";
import type { Workbench } from "../../lib/train/workbench";
import { relativeError, toyBench, toyRl, toySft, values } from "../helpers/tiny";

const images = ["a", "b", "c"];
const prompts: RlPrompt[] = ["cat", "dog"].flatMap((groundTruth) =>
  [null, ["cat", "dog"]].map((options) => ({
    anchor: "a",
    positive: "b",
    negative: "c",
    user: options ? "Options: cat, dog. Answer." : "Answer.",
    groundTruth,
    options,
    domainNames: ["cat", "dog"],
  })),
);
let bench: Workbench;
let params: Params;

/** A model that answers cat or dog, either way, whatever it sees. */
beforeAll(async () => {
  const made = await toyBench(images);
  bench = made.bench;
  const conversations = images.flatMap((image) =>
    prompts.map(({ user, groundTruth }) => ({
      image,
      turns: [{ user, assistant: `<answer> ${groundTruth}</answer>` }],
    })),
  );
  ({ params } = await trainSft(
    made.params,
    bench,
    { ...toySft, batchSize: 12, epochs: 40, learningRate: 1e-2 },
    { conversations, seed: 0, bf16: false },
  ));
  disposeTree(made.params);
});
afterAll(() => {
  disposeTree(params);
  bench.dispose();
});

async function train(
  method: RlMethod,
  settings: Partial<RlSettings> = {},
  seed = 5,
): Promise<{ log: RlLog[]; after: Record<string, number[]>; groups: Group[][] }> {
  const groups: Group[][] = [];
  const { params: trained, log } = await trainRl(
    params,
    bench,
    { ...toyRl, ...settings },
    { method, prompts, seed, bf16: false, onStep: (_, __, sampled) => void groups.push([...sampled]) },
  );
  const after = values(trained);
  disposeTree(trained);
  return { log, after, groups };
}
const untimed = (log: RlLog[]): RlLog[] => log.map((entry) => ({ ...entry, seconds: 0 }));

describe("trainRl", () => {
  it.each(["cls-rl", "tapo", "tapo-no-intra", "tapo-no-inter"] as const)(
    "%s: two steps, with the augmentations it stands for",
    async (method) => {
      const before = values(params);
      const { log, after, groups } = await train(method);
      const [intra, inter] = [
        method === "tapo" || method === "tapo-no-inter",
        method === "tapo" || method === "tapo-no-intra",
      ];
      expect(log.map((l) => l.step)).toEqual([1, 2]);
      const sources = groups.flat().map((g) => g.rollouts.filter((r) => r.source === "positive").length);
      expect(new Set(sources)).toEqual(new Set([intra ? 2 : 0]));
      expect(groups.flat().every((g) => g.rollouts.length === 4)).toBe(true);
      expect(groups.flat(2).some((g) => g.kept)).toBe(true);
      for (const entry of log) {
        expect(entry.kl === null).toBe(!inter);
        expect(entry.negativeEntropy === null).toBe(!inter);
        expect(entry.conditioningGap === null).toBe(!intra);
        expect(entry.gradNorm).toBeGreaterThan(0);
        expect(entry.skipped).toBe(0);
        expect(entry.accuracy).toBeGreaterThan(0);
        expect(entry.accuracy).toBeLessThan(1);
      }
      // the first update starts from the policy that the old log-probs are of: no ratio is off 1
      expect([log[0].clipFractionHigh, log[0].clipFractionLow, log[0].clipFractionDual]).toEqual([0, 0, 0]);
      expect(values(params)).toEqual(before);
      expect(after).not.toEqual(before);
      const banned = new Set(bench.bannedTokenIds);
      expect(groups.flat().some((g) => g.rollouts.some((r) => r.tokenIds.some((id) => banned.has(id))))).toBe(false);
    },
  );

  it("is the same for the same seed, and leaks nothing", async () => {
    const first = await train("tapo");
    const tensors = tf.memory().numTensors;
    const second = await train("tapo");
    expect(tf.memory().numTensors).toBe(tensors);
    expect(untimed(second.log)).toEqual(untimed(first.log));
    expect(second.after).toEqual(first.after);
    expect(untimed((await train("tapo", {}, 6)).log)).not.toEqual(untimed(first.log));
  });

  it("takes the release's switches: stale negatives, the sampled image, micro-batches", async () => {
    const { log } = await train("tapo", {
      negativeLogProbs: "stale",
      conditionOn: "sampled",
      lossAverage: "micro-batch",
      steps: 1,
    });
    expect([log[0].conditioningGap, log[0].skipped]).toEqual([null, 0]);
    expect(log[0].kl).toBeGreaterThanOrEqual(0);
  });

  it.skipIf(!isNative)("compiled by XLA ends where TensorFlow's kernels end", async () => {
    const [graph, xla] = [
      await train("tapo", { steps: 1, compiler: "graph" }),
      await train("tapo", { steps: 1, compiler: "xla" }),
    ];
    expect(xla.groups).toEqual(graph.groups);
    expect(xla.log[0].gradNorm! / graph.log[0].gradNorm!).toBeCloseTo(1, 4);
    expect(xla.log[0].kl! / graph.log[0].kl!).toBeCloseTo(1, 3);
    expect(xla.log[0].gradNorm).not.toBe(graph.log[0].gradNorm); // other kernels did the work
  });

  it("raises the reward of what it rewards", async () => {
    const only = prompts.filter((p) => p.groundTruth === "cat");
    const { params: trained, log } = await trainRl(
      params,
      bench,
      {
        ...toyRl,
        steps: 12,
        groupsPerStep: 4,
        groupsPerGeneration: 4,
        numGenerations: 8,
        positiveGenerations: 0,
        learningRate: 3e-3,
        augmentation: 0,
        klCoefficient: 0,
      },
      { method: "cls-rl", prompts: only, seed: 1, bf16: false },
    );
    disposeTree(trained);
    const mean = (entries: RlLog[]): number => entries.reduce((sum, l) => sum + l.accuracy / entries.length, 0);
    expect(mean(log.slice(-3))).toBeGreaterThan(mean(log.slice(0, 2)) + 0.15);
  });
});

describe("dynamic sampling", () => {
  const hopeless = prompts.map((p) => ({ ...p, groundTruth: "zebra" }));
  const collect = (settings: Partial<RlSettings>, from: RlPrompt[]) =>
    collectGroups(params, bench, {
      next: deck(from, random(1)),
      settings: { ...toyRl, ...settings },
      intra: true,
      seed: 9,
    });

  it("where no group survives: stops with the counts, keeps all, or skips", async () => {
    await expect(collect({ whenNoGroupSurvives: "stop" }, hopeless)).rejects.toThrow(
      "none of 6 groups in 2 generation batches has a mean accuracy inside (0.01, 0.99)",
    );
    const all = await collect({ whenNoGroupSurvives: "keep-all" }, hopeless);
    expect([all.groups.length, all.sampled.length]).toEqual([2, 6]);
    expect((await collect({ whenNoGroupSurvives: "skip" }, hopeless)).groups).toEqual([]);
  });

  it("keeps groups that are neither all right nor all wrong, at most as many as a step takes", async () => {
    const { groups, sampled, generationBatches } = await collect(
      { whenNoGroupSurvives: "skip", maxGenerationBatches: 6 },
      prompts,
    );
    expect(groups.length).toBe(2);
    expect(groups.every((g) => g.kept && sampled.includes(g))).toBe(true);
    expect(sampled).toHaveLength(3 * generationBatches);
  });

  it("goes on after a step without groups", async () => {
    const { params: same, log } = await trainRl(
      params,
      bench,
      { ...toyRl, whenNoGroupSurvives: "skip" },
      { method: "tapo", prompts: hopeless, seed: 1, bf16: false },
    );
    expect(log.map((l) => [l.groups, l.gradNorm, l.accuracy])).toEqual([
      [0, null, 0],
      [0, null, 0],
    ]);
    expect(values(same)).toEqual(values(params));
    disposeTree(same);
    await expect(trainRl(params, bench, toyRl, { method: "tapo", prompts: [], seed: 1, bf16: false })).rejects.toThrow(
      "no prompts",
    );
    const adapter = initLora(bench.config, { ...LORA_DEFAULTS, dropout: 0.1 }, 1);
    await expect(
      trainRl({ ...params, ...adapter }, bench, toyRl, { method: "tapo", prompts, seed: 1, bf16: false }),
    ).rejects.toThrow(/the adapter has dropout.*withoutLoraDropout/);
    disposeTree(adapter);
  });
});

describe("scoring", () => {
  const settings: RlSettings = { ...toyRl, temperature: 0.8, topP: 0.9 };
  const scoredBy = async (groups: Group[], conditionOn: RlSettings["conditionOn"]) => {
    const made = groupRows(groups, bench, { ...settings, conditionOn }, groups.length);
    const scored = createScoreStep(bench, settings.temperature, false)(
      params,
      await made.images(),
      made.rows,
    ).dataSync();
    const weights = made.rows.weights.dataSync();
    const differences = Array.from(made.fromPositive, (_, b) =>
      Array.from({ length: made.places }, (_, t) => b * made.places + t)
        .filter((i) => weights[i] > 0)
        .map((i) => scored[i] - made.samplerLogProbs[i]),
    );
    return { differences, fromPositive: Array.from(made.fromPositive) };
  };

  it("of a rollout on the image it was sampled from, augmentation included, gives the sampler's log-probs", async () => {
    const groups = await sampleGroups(params, bench, prompts, { settings, intra: true, seed: 3 });
    const { differences, fromPositive } = await scoredBy(groups, "sampled");
    expect(fromPositive.reduce((a, b) => a + b)).toBe(8);
    expect(differences.map((d) => d.length)).toEqual(groups.flatMap((g) => g.rollouts.map((r) => r.tokenIds.length)));
    expect(Math.max(...differences.flat().map(Math.abs))).toBeLessThan(1e-4);
  });

  it("on the anchor differs for rollouts from the positive alone; the run's old log-probs are these", async () => {
    const groups = await sampleGroups(params, bench, prompts, { settings, intra: true, seed: 3 });
    const { differences, fromPositive } = await scoredBy(groups, "anchor");
    const of = (flag: number): number[] => differences.filter((_, b) => fromPositive[b] === flag).flat();
    expect(Math.max(...of(0).map(Math.abs))).toBeLessThan(1e-4);
    expect(Math.max(...of(1).map(Math.abs))).toBeGreaterThan(1e-3);

    const { log } = await train("tapo", { ...settings, steps: 1, conditionOn: "anchor" }, 8);
    const { groups: again } = await collectGroups(params, bench, {
      next: deck(prompts, random(foldIn(8, "rl-deck"))),
      settings,
      intra: true,
      seed: foldIn(8, "rl", 0),
    });
    const { differences: gaps, fromPositive: positive } = await scoredBy(again, "anchor");
    const all = gaps.filter((_, b) => positive[b] === 1).flat();
    expect(log[0].conditioningGap).toBeCloseTo(all.reduce((a, b) => a + b) / all.length, 4);
  });

  it("splits an uneven n1:n2 in two calls, and a group keeps its order: anchor first", async () => {
    const [group] = await sampleGroups(params, bench, prompts.slice(0, 1), {
      settings: { ...settings, numGenerations: 5, positiveGenerations: 2 },
      intra: true,
      seed: 3,
    });
    expect(group.rollouts.map((r) => r.source)).toEqual(["anchor", "anchor", "anchor", "positive", "positive"]);
  });
});

describe("one update", () => {
  const base: RlSettings = { ...toyRl, weightDecay: 0 };
  const parts = async (
    groups: readonly Group[],
    count: number,
    settings: RlSettings,
    change: (advantages: Float32Array) => Float32Array = (a) => a,
  ): Promise<{ batches: RlBatch[]; tokens: number }> => {
    const size = count / settings.gradientAccumulationSteps;
    const made = Array.from({ length: Math.ceil(groups.length / size) }, (_, i) =>
      groupRows(groups.slice(i * size, (i + 1) * size), bench, settings, size),
    );
    return {
      tokens: made.reduce((n, { tokens }) => n + tokens, 0),
      batches: await Promise.all(
        made.map(async ({ images, rows, negativeFeatureIndex, ...host }) => {
          const shape: [number, number] = [host.advantages.length, host.places];
          return {
            images: await images(),
            rows,
            negativeFeatureIndex,
            oldLogProbs: tf.tensor2d(host.samplerLogProbs, shape),
            oldIsOwn: tf.zeros([shape[0]]),
            advantages: tf.tensor1d(change(host.advantages)),
            staleNegativeLogProbs: null,
            replay: null,
          };
        }),
      ),
    };
  };
  const update = async (
    groups: readonly Group[],
    count: number,
    change?: (advantages: Float32Array) => Float32Array,
    settings = base,
  ) => {
    const { batches, tokens } = await parts(groups, count, settings, change);
    return createRlStep(bench, settings, true, {})(
      mapParams(params, (p) => p.clone()),
      adamWInit(params),
      batches,
      tokens,
      tf.scalar(1e-3),
    );
  };
  const groups = async (): Promise<Group[]> =>
    (await sampleGroups(params, bench, prompts, { settings: base, intra: true, seed: 3 })).filter((g) => g.kept);

  it("is not changed by groups that only pad", async () => {
    const [group] = await groups();
    const [alone, padded] = [await update([group], 1), await update([group], 2)];
    expect(padded.metrics.loss.dataSync()[0]).toBeCloseTo(alone.metrics.loss.dataSync()[0], 5);
    expect(relativeError(padded.state.m, alone.state.m)).toBeLessThan(1e-4); // the first moment is the gradient, clipped
    expect(alone.metrics.gradNorm.dataSync()[0]).toBeGreaterThan(1e-3);
  });

  it("of rows whose old log-probs are the update's own is the one on their scored log-probs, without the pass that scores", async () => {
    const { batches, tokens } = await parts(await groups(), 4, base);
    const [batch] = batches;
    const count = batch.oldLogProbs.shape[0];
    const oldIsOwn = tf.tensor1d(Array.from({ length: count }, (_, b) => b % 2));
    // far from the policy's own, so that what is read of them shows
    const others = tf.add(batch.oldLogProbs, tf.mul(batch.rows.weights, 0.4));
    const scored = createScoreStep(bench, base.temperature, false)(params, batch.images, batch.rows);
    const take = (given: Partial<RlBatch>) =>
      createRlStep(bench, base, true, {})(
        mapParams(params, (p) => p.clone()),
        adamWInit(params),
        [{ ...batch, ...given }],
        tokens,
        tf.scalar(1e-3),
      );
    const expected = take({ oldLogProbs: tf.where(tf.greater(tf.reshape(oldIsOwn, [count, 1]), 0), scored, others) });
    const got = take({ oldLogProbs: others, oldIsOwn });
    expect(relativeError(got.state.m, expected.state.m)).toBeLessThan(1e-5);
    expect(got.metrics.loss.dataSync()[0]).toBeCloseTo(expected.metrics.loss.dataSync()[0], 5);
    expect(relativeError(take({ oldLogProbs: others }).state.m, expected.state.m)).toBeGreaterThan(1e-2);
    const read = (name: string): number => got.metrics[name].dataSync()[0];
    expect(read("conditioningGapSum") / read("ownOldTokens")).toBeLessThan(-0.2);
    expect(expected.metrics.conditioningGapSum.dataSync()[0]).toBe(0);
  });

  it("gives the gap to the sampler as a sum and its count, which add up over parts", async () => {
    const some = (await groups()).slice(0, 2);
    const settings = { ...base, gradientAccumulationSteps: 2 };
    const { batches, tokens } = await parts(some, 2, settings);
    const [first, second] = batches;
    const rows = some[0].rollouts.length;
    const counts = [some[0].rollouts.slice(0, 1), some[1].rollouts].map((of) =>
      of.reduce((n, { tokenIds }) => n + tokenIds.length, 0),
    );
    // one row whose old log-probs are 0.4 too high, and all rows of the other part, whose old ones are the policy's
    const own = createScoreStep(bench, base.temperature, false);
    const given = [
      { ...first, oldLogProbs: tf.add(own(params, first.images, first.rows), tf.mul(first.rows.weights, 0.4)) },
      { ...second, oldLogProbs: own(params, second.images, second.rows) },
    ].map((batch, i) => ({ ...batch, oldIsOwn: tf.tensor1d([1, ...Array<number>(rows - 1).fill(i)]) }));
    const { metrics } = createRlStep(bench, settings, true, {})(
      mapParams(params, (p) => p.clone()),
      adamWInit(params),
      given,
      tokens,
      tf.scalar(1e-3),
    );
    expect(metrics.ownOldTokens.dataSync()[0]).toBe(counts[0] + counts[1]);
    expect(metrics.conditioningGapSum.dataSync()[0]).toBeCloseTo(-0.4 * counts[0], 3);
  });

  it.each(["token", "micro-batch"] as const)(
    "is the same in parts (gradient accumulation), a part that is missing included: average by %s",
    async (lossAverage) => {
      const some = (await groups()).slice(0, 3);
      expect(some).toHaveLength(3);
      const settings = { ...base, lossAverage };
      const whole = await update(some, 4, undefined, settings);
      for (const gradientAccumulationSteps of [2, 4]) {
        const split = await update(some, 4, undefined, { ...settings, gradientAccumulationSteps });
        expect(relativeError(split.state.m, whole.state.m)).toBeLessThan(1e-5);
        for (const [name, metric] of Object.entries(whole.metrics))
          expect(Math.abs(split.metrics[name].dataSync()[0] - metric.dataSync()[0]), name).toBeLessThan(1e-4);
      }
    },
  );

  it("ends fifty compiled updates on recorded rollouts where fifty eager ones end, within 1e-2 of the way", async () => {
    const recorded = await sampleGroups(params, bench, prompts, { settings: base, intra: true, seed: 3 });
    const run = async (eager: boolean): Promise<Record<string, number[]>> => {
      const { batches, tokens } = await parts(recorded, 4, base);
      const step = createRlStep(bench, base, true, { eager });
      let now = { params: mapParams(params, (p) => p.clone()), state: adamWInit(params) };
      const rate = tf.scalar(1e-3);
      for (let i = 0; i < 50; i++) {
        const { metrics, ...next } = step(now.params, now.state, batches, tokens, rate);
        disposeTree(metrics);
        now = next;
      }
      const after = values(now.params);
      disposeTree(now, rate);
      return after;
    };
    const [start, compiled, eager] = [values(params), await run(false), await run(true)];
    const distance = (a: Record<string, number[]>, b: Record<string, number[]>): number =>
      Math.hypot(...Object.keys(a).flatMap((name) => a[name].map((x, i) => x - b[name][i])));
    expect(distance(eager, start)).toBeGreaterThan(0.5);
    expect(distance(compiled, eager) / distance(eager, start)).toBeLessThan(1e-2);
  });

  it("is skipped where the gradient is not finite", async () => {
    const out = await update((await groups()).slice(0, 1), 1, (a) => a.map(() => NaN));
    expect(out.metrics.skipped.dataSync()[0]).toBe(1);
    expect(values(out.params)).toEqual(values(params));
    expect(out.state.step.dataSync()[0]).toBe(0);
    expect(Object.values(out.state.m).every((m) => m.dataSync().every((x) => x === 0))).toBe(true);
    expect((await update((await groups()).slice(0, 1), 1)).metrics.skipped.dataSync()[0]).toBe(0);
  });
});
