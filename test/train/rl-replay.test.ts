/** Pre-training rows in the updates of RL: their loss enters, by its weight, and nothing else changes. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import type { Conversation } from "../../lib/processor/conversation";
import type { RlPrompt } from "../../lib/rollout/groups";
import { trainRl } from "../../lib/train/rl";
import type { RlLog } from "../../lib/train/rl-log";
import type { RlSettings } from "../../lib/train/settings";
import { planReplay } from "../../lib/train/sft-plan";
import type { Workbench } from "../../lib/train/workbench";
import { toyBench, toyRl, values } from "../helpers/tiny";

const prompts: RlPrompt[] = ["cat", "dog"].map((groundTruth) => ({
  anchor: "a",
  positive: "b",
  negative: "c",
  user: "Answer.",
  groundTruth,
  options: null,
  domainNames: ["cat", "dog"],
}));
let seeds: number[] = [];
const replay = (seed: number): Conversation => {
  seeds.push(seed);
  return { image: "b", turns: [{ user: "Parts?", assistant: " ears." }] };
};
let bench: Workbench;
let params: Params;

beforeAll(async () => ({ bench, params } = await toyBench(["a", "b", "c"])));
afterAll(() => {
  disposeTree(params);
  bench.dispose();
});

async function train(
  settings: Partial<RlSettings>,
  method: "tapo" | "cls-rl" = "tapo",
  draw = replay,
): Promise<{ log: RlLog[]; after: Record<string, number[]> }> {
  seeds = [];
  const { params: trained, log } = await trainRl(
    params,
    bench,
    { ...toyRl, ...settings },
    { method, prompts, replay: draw, seed: 5, bf16: false },
  );
  const after = values(trained);
  disposeTree(trained);
  return { log, after };
}

/** Largest difference of two sets of parameters. */
const distance = (a: Record<string, number[]>, b: Record<string, number[]>): number =>
  Math.max(...Object.keys(a).map((name) => Math.max(...a[name].map((x, i) => Math.abs(x - b[name][i])))));

describe("rl.replayRows", () => {
  it("of no weight changes nothing but the log", async () => {
    const [none, idle] = [await train({}), await train({ replayRows: 2, replayWeight: 0 })];
    expect(none.log[0]).not.toHaveProperty("replay");
    expect(idle.log[0].replay).toBeGreaterThan(0);
    expect(distance(none.after, idle.after)).toBeLessThan(1e-6);
  });

  it("teaches its rows beside the reward", async () => {
    const how = { steps: 8, learningRate: 5e-3, augmentation: 0, replayRows: 2 };
    const [taught, shown] = [await train({ ...how, replayWeight: 1 }), await train({ ...how, replayWeight: 0 })];
    const last = ({ log }: { log: RlLog[] }): number => log.at(-1)!.replay!;
    expect(taught.log[0].replay).toBeCloseTo(shown.log[0].replay!, 4);
    expect(last(taught)).toBeLessThan(0.5 * taught.log[0].replay!);
    expect(last(taught)).toBeLessThan(0.7 * last(shown));
  });

  it("in two parts makes the same update as in one", async () => {
    const how = { steps: 1, groupsPerStep: 2, replayRows: 4, replayWeight: 1, augmentation: 0 };
    const [one, two] = [await train(how), await train({ ...how, gradientAccumulationSteps: 2 })];
    expect(two.log[0].replay).toBeCloseTo(one.log[0].replay!, 4);
    expect(two.log[0].gradNorm! / one.log[0].gradNorm!).toBeCloseTo(1, 4);
  });

  it("is one mean over an update's replayed tokens: long and short rows, and parts without groups", async () => {
    const uneven = (seed: number): Conversation => ({
      image: "b",
      turns: [{ user: "Parts?", assistant: seed % 3 === 0 ? " ears." : " ears. tail white cat dog red fox" }],
    });
    // 3 groups at most: of 4 parts the last has none
    const how = {
      steps: 1,
      groupsPerStep: 4,
      maxGenerationBatches: 1,
      replayRows: 4,
      replayWeight: 1,
      augmentation: 0,
    };
    const one = await train(how, "tapo", uneven);
    expect(one.log[0].groups).toBeGreaterThan(0);
    expect(one.log[0].groups).toBeLessThan(4);
    for (const gradientAccumulationSteps of [2, 4]) {
      const parts = await train({ ...how, gradientAccumulationSteps }, "tapo", uneven);
      expect(parts.log[0].replay! / one.log[0].replay!).toBeCloseTo(1, 5);
      expect(parts.log[0].gradNorm! / one.log[0].gradNorm!).toBeCloseTo(1, 4);
      expect(distance(parts.after, one.after)).toBeLessThan(1e-5);
    }
  });

  it("draws rows by update and place, and keeps the number of tensors flat", async () => {
    await train({ replayRows: 2, steps: 2, updatesPerStep: 1 });
    expect(seeds).toHaveLength(4);
    expect(new Set(seeds).size).toBe(4);
    const before = tf.memory().numTensors;
    const first = seeds;
    await train({ replayRows: 2, steps: 2, updatesPerStep: 1 }, "cls-rl");
    expect(seeds).toEqual(first);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("wants rows to draw from", async () => {
    const run = { method: "tapo" as const, prompts, seed: 5, bf16: false };
    await expect(trainRl(params, bench, { ...toyRl, replayRows: 2 }, run)).rejects.toThrow(
      "rl.replayRows wants pre-training rows",
    );
  });
});

describe("planReplay", () => {
  it("packs the rows of each update in equal parts of one shape", () => {
    const { steps, shape } = planReplay(bench, replay, { updates: 3, rows: 4, parts: 2, seed: 1 });
    expect(steps.map((parts) => parts.map(({ images }) => images.length))).toEqual([
      [2, 2],
      [2, 2],
      [2, 2],
    ]);
    expect(steps.flat().every(({ packed }) => packed.flat().length === 2)).toBe(true);
    expect(shape.rowsBucket).toBe(2); // equal rows: each fills a pack
  });
});
