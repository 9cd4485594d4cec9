import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { engineStats } from "../../lib/engine/compile";
import { canCompile } from "../../lib/engine/native";
import { tf, type Params, type Tensor } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { causalAttention, decode, embedTokens, lmHead, mergeImageFeatures } from "../../lib/model/decoder";
import type { GenerateOptions } from "../../lib/rollout/types";
import type { PromptRow, Rollout } from "../../lib/rollout/types";
import { rowBatch, type RowBatch } from "../../lib/train/batch";
import { rowLogProbs } from "../../lib/train/row-log-probs";
import type { Workbench } from "../../lib/train/workbench";
import { toyBench, toyPlace } from "../helpers/tiny";

const SHORT = "Parts?";
const LONG = "What animal is this? Options: cat, dog, red fox. Which animal is this? Think first.";
const base: GenerateOptions = {
  numGenerations: 1,
  maxNewTokens: 20,
  temperature: 1,
  topP: 1,
  eosTokenIds: [],
  bannedTokenIds: [],
  seed: 4,
};

let bench: Workbench;
let params: Params;
let features: Tensor;
let prompts: PromptRow[];

beforeAll(async () => {
  ({ bench, params } = await toyBench(["a", "b"]));
  features = bench.features(params, ["a", "b"]);
  prompts = [bench.prompt(SHORT, toyPlace(0)), bench.prompt(LONG, toyPlace(1))];
});

afterAll(() => {
  disposeTree(params, features);
  bench.dispose();
});

const generate = (rows: PromptRow[], options: Partial<GenerateOptions>): Rollout[] =>
  bench.generator.generate(
    params,
    { prompts: rows, features },
    { ...base, bannedTokenIds: bench.bannedTokenIds, ...options },
  );

/** Rollouts as training rows: prompt `i` shows image `i`. */
function rowsOf(rollouts: Rollout[]): RowBatch {
  const rows = rollouts.map(({ promptIndex, tokenIds }) => {
    const prompt = prompts[promptIndex].inputIds;
    return {
      inputIds: [...prompt, ...tokenIds],
      predicted: [...prompt.map(() => false), ...tokenIds.map(() => true)],
      image: toyPlace(promptIndex),
    };
  });
  return rowBatch(
    rows.map((row) => [row]),
    bench.config,
    { lengthBucket: 8, placesBucket: 1 },
  );
}

function rescored(rollouts: Rollout[], temperature: number): number[][] {
  const rows = rowsOf(rollouts);
  const flat = tf.tidy(() => Array.from(rowLogProbs(params, bench.config, features, rows, temperature).dataSync()));
  disposeTree(rows);
  return rollouts.map((r) => flat.splice(0, r.tokenIds.length));
}

describe("log-probs of rollouts", () => {
  it.each([
    { temperature: 1, topP: 1 },
    { temperature: 0.7, topP: 0.5 },
    { temperature: 1.3, topP: 0.9, ban: true },
  ])("equal re-scored ones under the tempered full softmax: %o", ({ temperature, topP, ban }) => {
    const banned = ban
      ? bench.bannedTokenIds.concat(Array.from({ length: 100 }, (_, i) => 3 * i))
      : bench.bannedTokenIds;
    const rollouts = generate(prompts, {
      numGenerations: 3,
      temperature,
      topP,
      bannedTokenIds: banned,
      maxNewTokens: 19,
    });
    const scores = rescored(rollouts, temperature);
    rollouts.forEach(({ tokenIds, logProbs }, i) => {
      expect(logProbs).toHaveLength(19);
      logProbs.forEach((p, t) => expect(Math.abs(p - scores[i][t]), `rollout ${i}, token ${t}`).toBeLessThan(1e-4));
      expect(tokenIds.some((id) => banned.includes(id))).toBe(false);
    });
    expect(new Set(rollouts.flatMap((r) => r.tokenIds)).size).toBeGreaterThan(4);
  });
});

describe("rows that ended", () => {
  const someTokens = (): number[] =>
    Array.from({ length: bench.config.text.vocabSize }, (_, id) => id).filter((id) => id % 25 === 3);

  it("leave the batch, and the others' tokens and log-probs are as if they had not", () => {
    const ending = someTokens();
    const settings = { numGenerations: 12, maxNewTokens: 60, seed: 2 };
    const all = generate(prompts, settings);
    const traced = engineStats().length;
    const some = generate(prompts, { ...settings, eosTokenIds: ending });
    expect(
      engineStats()
        .slice(traced)
        .map((s) => Number(/int32\[(\d+)\]/.exec(s.shapes)![1]))
        .every((rows) => rows < 24),
    ).toBe(true);
    if (canCompile()) expect(engineStats().length).toBeGreaterThan(traced);
    const lengths = some.map((r) => r.tokenIds.length);
    expect(lengths.filter((n) => n < 17).length).toBeGreaterThan(4);
    expect(lengths.filter((n) => n > 33).length).toBeGreaterThan(1);
    some.forEach((r, i) => {
      expect(r.tokenIds).toEqual(all[i].tokenIds.slice(0, r.tokenIds.length));
      expect(r.tokenIds.findIndex((id) => ending.includes(id))).toBe(r.finished ? r.tokenIds.length - 1 : -1);
      r.logProbs.forEach((p, t) => expect(Math.abs(p - all[i].logProbs[t])).toBeLessThan(1e-4));
    });
  });

  it("leave no tensor behind when the batch is packed anew", () => {
    const four = [...prompts, bench.prompt("Describe.", toyPlace(0)), bench.prompt("Colors?", toyPlace(1))];
    const open: number[] = [];
    const run = (): Rollout[] =>
      generate(four, {
        numGenerations: 16,
        maxNewTokens: 50,
        topP: 0.95,
        eosTokenIds: someTokens(),
        onToken: (step, rows) => (open[step] = rows),
      });
    const first = run();
    expect(open[33]).toBeLessThan(open[17]);
    const before = tf.memory().numTensors;
    expect(run()).toEqual(first);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("greedy decoding", () => {
  it("with the cache is the argmax of full forward passes, over more than two chunks", () => {
    const rollouts = generate(prompts, { greedy: true, maxNewTokens: 36 });
    const rows = rowsOf(rollouts);
    const best = tf.tidy(() => {
      const embeds = mergeImageFeatures(embedTokens(params, rows.inputIds), features, rows.featureIndex);
      const attend = causalAttention();
      const hidden = decode(params, bench.config, embeds, rows.positionIds, () => attend);
      const scored = tf.gather(tf.reshape(hidden, [-1, 32]), rows.hiddenIndex as tf.Tensor1D);
      const banned = tf.sum(tf.oneHot(tf.tensor1d(bench.bannedTokenIds, "int32"), bench.config.text.vocabSize), 0);
      return Array.from(tf.argMax(tf.sub(lmHead(params, bench.config, scored), tf.mul(banned, 1e9)), 1).dataSync());
    });
    disposeTree(rows);
    expect(best).toEqual(rollouts.flatMap((r) => r.tokenIds));
    expect(new Set(best).size).toBeGreaterThan(2);
  });

  it("of prompts of different lengths together equals each alone", () => {
    const together = generate(prompts, { greedy: true });
    prompts.forEach((prompt, i) => {
      const [alone] = generate([prompt], { greedy: true });
      expect(alone.tokenIds).toEqual(together[i].tokenIds);
      alone.logProbs.forEach((p, t) => expect(Math.abs(p - together[i].logProbs[t])).toBeLessThan(1e-4));
    });
    expect(Math.ceil(prompts[0].inputIds.length / 16)).not.toBe(Math.ceil(prompts[1].inputIds.length / 16));
  });

  it("looks at the image", () => {
    const [a, b] = generate([bench.prompt(SHORT, toyPlace(0)), bench.prompt(SHORT, toyPlace(1))], { greedy: true });
    expect(a.logProbs).not.toEqual(b.logProbs);
  });
});

describe("sampling", () => {
  it("repeats for the same seed, and not for another", () => {
    const tokens = (seed: number): number[][] => generate(prompts, { numGenerations: 2, seed }).map((r) => r.tokenIds);
    const first = tokens(4);
    expect(tokens(4)).toEqual(first);
    expect(tokens(5)).not.toEqual(first);
    expect(new Set(first.map(String)).size).toBe(4);
  });

  it("of a prompt does not depend on the other prompts, nor on how many samples share its cache", () => {
    const group = generate(prompts, { numGenerations: 4 });
    expect(group.map((r) => [r.promptIndex, r.sampleIndex])).toEqual(
      [0, 1].flatMap((p) => [0, 1, 2, 3].map((s) => [p, s])),
    );
    expect(generate(prompts.slice(0, 1), { numGenerations: 4 }).map((r) => r.tokenIds)).toEqual(
      group.slice(0, 4).map((r) => r.tokenIds),
    );
    const single = generate(prompts, { numGenerations: 1 });
    expect(single.map((r) => r.tokenIds)).toEqual([group[0].tokenIds, group[4].tokenIds]);
    single[1].logProbs.forEach((p, t) => expect(Math.abs(p - group[4].logProbs[t])).toBeLessThan(1e-4));
  });

  it("stops a row at its end token and goes on with the others", () => {
    const free = generate(prompts, { numGenerations: 3 });
    const eos = free[0].tokenIds[4];
    const open: number[] = [];
    const stopped = generate(prompts, { numGenerations: 3, eosTokenIds: [eos], onToken: (_, rows) => open.push(rows) });
    free.forEach(({ tokenIds }, i) => {
      const at = tokenIds.indexOf(eos);
      expect(stopped[i].tokenIds).toEqual(at < 0 ? tokenIds : tokenIds.slice(0, at + 1));
      expect(stopped[i].finished).toBe(at >= 0);
      expect(stopped[i].logProbs).toHaveLength(stopped[i].tokenIds.length);
    });
    expect(stopped[0].finished).toBe(true);
    expect(open[open.length - 1]).toBe(0);
    expect(generate(prompts, { maxNewTokens: 1 }).map((r) => r.tokenIds.length)).toEqual([1, 1]);
  });
});

it("keeps the number of tensors flat, takes no prompts for none, and refuses an empty one", () => {
  const run = (): Rollout[] => generate(prompts, { numGenerations: 2, maxNewTokens: 34 });
  run();
  const before = tf.memory().numTensors;
  run();
  expect(generate([], {})).toEqual([]);
  expect(() => generate([prompts[0], { inputIds: [], positionIds: [[], [], []], featureIndex: [] }], {})).toThrow(
    "prompt 1 has no tokens",
  );
  expect(tf.memory().numTensors).toBe(before);
});
