import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compile, engineStats } from "../../lib/engine/compile";
import { random } from "../../lib/util/random";
import { tf, type Params, type Tensor } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { choose, type ChoiceInputs } from "../../lib/rollout/choose";
import { createGenerator, type Generator } from "../../lib/rollout/generate";
import type { GenerateOptions } from "../../lib/rollout/types";
import { logProbOf, sampleFromLogits, sampleToken, type LogitsOptions } from "../../lib/rollout/sample";
import type { PromptRow, Rollout } from "../../lib/rollout/types";
import type { Workbench } from "../../lib/train/workbench";
import { toyBench, toyPlace } from "../helpers/tiny";

const ROWS = 64;
/** Rows of logits from flat to peaked; scale 0 gives ties throughout. */
function randomLogits(size: number, seed: number): Float32Array {
  const draw = random(seed);
  const scales = Array.from({ length: ROWS }, (_, row) => [0, 0.3, 1, 2, 4, 9][row % 6]);
  return Float32Array.from({ length: ROWS * size }, (_, i) => scales[Math.floor(i / size)] * draw.normal());
}
const softmaxOf = (size: number, seed: number): Float32Array =>
  tf.tidy(() => tf.softmax(tf.tensor2d(randomLogits(size, seed), [ROWS, size])).dataSync() as Float32Array);
const chosenBy = compile((scores: Tensor, inputs: ChoiceInputs) => choose(scores, inputs), { name: "test.choose" });

interface Drawn {
  token: number;
  logProb: number;
  decided: boolean;
}
function run(
  scores: Float32Array,
  size: number,
  uniforms: readonly number[],
  options: LogitsOptions,
  logits: boolean,
  seen: Tensor | null = null,
): Drawn[] {
  const banned = new Float32Array(size);
  for (const id of options.bannedTokenIds) banned[id] = 1;
  const inputs: ChoiceInputs = {
    uniform: tf.tensor1d([...uniforms]),
    banned: tf.tensor1d(banned),
    greedy: options.greedy,
    topP: options.topP < 1 ? tf.scalar(options.topP) : null,
    logits: logits
      ? {
          temperature: tf.scalar(options.temperature),
          logProbTemperature: tf.scalar(1),
          topK: options.topK,
          repetition: seen && { penalty: tf.scalar(options.repetitionPenalty), seen },
        }
      : null,
  };
  const x = tf.tensor2d(scores, [ROWS, size]);
  const out = chosenBy(x, inputs);
  const data = Array.from(out.dataSync());
  disposeTree(x, inputs, out);
  return Array.from({ length: ROWS }, (_, row) => ({
    token: data[row],
    logProb: data[ROWS + row],
    decided: data[2 * ROWS + row] === 1,
  }));
}
const plain: LogitsOptions = {
  temperature: 1,
  topK: 0,
  topP: 1,
  repetitionPenalty: 1,
  bannedTokenIds: [],
  greedy: false,
};

describe("chosen in the graph as on the host, for the same numbers", () => {
  it.each([
    [330, 1, []],
    [330, 0.99, [3, 7]],
    [1000, 0.9, [0, 999]],
    [2048, 0.5, Array.from({ length: 200 }, (_, i) => 5 * i)],
    [3001, 0.95, []],
  ] as [number, number, number[]][])("probabilities of %i tokens, top-p %f", (size, topP, bannedTokenIds) => {
    const softmax = softmaxOf(size, size);
    const { uniform } = random(size + 1);
    let undecided = 0;
    for (let round = 0; round < 6; round++) {
      const uniforms = Array.from({ length: ROWS }, uniform);
      run(softmax, size, uniforms, { ...plain, topP, bannedTokenIds }, false).forEach(
        ({ token, logProb, decided }, row) => {
          let draws = 0;
          const expected = sampleToken(softmax, row * size, size, { topP, bannedTokenIds, greedy: false }, () =>
            draws++ === 0 ? uniforms[row] : 0.5,
          );
          const cumulative = softmax.subarray(row * size, row * size + token).reduce((a, b) => a + b, 0);
          const own = softmax[row * size + token];
          const nearTie =
            Math.min(Math.abs(uniforms[row] - cumulative), Math.abs(uniforms[row] - cumulative - own)) < 2e-6;
          if (nearTie) return;
          expect(decided, `row ${row}`).toBe(draws === 1);
          if (!decided) return void undecided++;
          expect(token, `row ${row}`).toBe(expected);
          expect(logProb).toBeCloseTo(Math.log(own), 4);
        },
      );
    }
    expect(undecided > 0).toBe(topP < 1);
  });

  it("greedy: the best that is not banned, the first of several", () => {
    const softmax = softmaxOf(330, 9);
    const best = run(softmax, 330, new Array<number>(ROWS).fill(0), { ...plain, greedy: true }, false).map(
      ({ token }) => token,
    );
    const options = { ...plain, greedy: true, bannedTokenIds: best.slice(0, 30) };
    run(softmax, 330, new Array<number>(ROWS).fill(0), options, false).forEach(({ token, decided }, row) => {
      expect(decided).toBe(true);
      expect(token, `row ${row}`).toBe(sampleToken(softmax, row * 330, 330, options, () => 0));
    });
  });

  it.each([
    { topP: 1 },
    { topP: 0.9, temperature: 0.7 },
    { topP: 0.5, temperature: 1.5, bannedTokenIds: [1, 2, 3] },
    { topP: 0.999 },
    { topK: 50 },
    { topK: 7, topP: 0.8, bannedTokenIds: [4] },
    { topK: 1 },
    { topK: 5000, topP: 0.9 },
    { repetitionPenalty: 1.3, topP: 0.9 },
    { repetitionPenalty: 1.1, topK: 20 },
    { greedy: true, bannedTokenIds: [5] },
    { greedy: true, repetitionPenalty: 2 },
  ] as Partial<LogitsOptions>[])("logits, %j", (change) => {
    const size = 1000;
    const options = { ...plain, ...change };
    const logits = randomLogits(size, 4).map((x, i) => (Math.floor(i / size) % 6 === 0 ? (i % size) * 1e-4 : x)); // ties at a cut are another set
    const ids = Array.from({ length: 300 }, (_, i) => 3 * i);
    const seen = tf.tidy(() =>
      tf.tile(tf.reshape(tf.sum(tf.oneHot(tf.tensor1d(ids, "int32"), size), 0), [1, size]), [ROWS, 1]).toFloat(),
    );
    const uniforms = Array.from({ length: ROWS }, random(8).uniform);
    let different = 0;
    run(logits, size, uniforms, options, true, options.repetitionPenalty === 1 ? null : seen.clone()).forEach(
      ({ token, logProb, decided }, row) => {
        const shifted = [-3e-6, 0, 3e-6].map((by) =>
          sampleFromLogits(logits, row * size, size, options.repetitionPenalty === 1 ? [] : ids, options, () =>
            Math.min(Math.max(uniforms[row] + by, 0), 1 - 2 ** -53),
          ),
        );
        expect(decided, `row ${row}`).toBe(true);
        if (token !== shifted[1]) different++;
        expect(shifted, `row ${row}`).toContain(token);
        expect(logProb).toBeCloseTo(logProbOf(logits, row * size, size, token), 4);
      },
    );
    expect(different).toBeLessThan(4);
    seen.dispose();
  });

  it("a number beyond the last token, and scores that are not numbers, are left to the host", () => {
    const gap = new Float32Array(ROWS * 4).map((_, i) => [0.5, 0.5, 0, 0][i % 4]);
    for (const logits of [false, true]) {
      const nan = new Float32Array(ROWS * 4).fill(NaN);
      for (const greedy of [false, true])
        expect(
          run(nan, 4, new Array<number>(ROWS).fill(0.5), { ...plain, greedy }, logits).some(({ decided }) => decided),
        ).toBe(false);
      expect(
        run(
          new Float32Array(ROWS * 4),
          4,
          new Array<number>(ROWS).fill(0.5),
          { ...plain, bannedTokenIds: [0, 1, 2, 3] },
          logits,
        ).some(({ decided }) => decided),
      ).toBe(false);
    }
    expect(run(gap, 4, new Array<number>(ROWS).fill(1), plain, false).some(({ decided }) => decided)).toBe(false);
  });
});

describe("generators that sample in the graph and on the host", () => {
  let bench: Workbench;
  let params: Params;
  let features: Tensor;
  let prompts: PromptRow[];
  let host: Generator;
  beforeAll(async () => {
    ({ bench, params } = await toyBench(["a", "b"]));
    features = bench.features(params, ["a", "b"]);
    prompts = [bench.prompt("Parts?", toyPlace(0)), bench.prompt("What animal is this? Think first.", toyPlace(1))];
    host = createGenerator(bench.config, { sampling: "host" });
  });
  afterAll(() => {
    disposeTree(params, features);
    bench.dispose();
  });

  it.each([
    { topP: 0.9 },
    { topP: 0.6, temperature: 0.8 },
    { greedy: true },
    { greedy: true, temperature: 0 },
    { topK: 20, topP: 0.9 },
    { repetitionPenalty: 1.2 },
    { repetitionPenalty: 1.2, greedy: true },
    { logProbsOf: "model", temperature: 1.4, topP: 0.8 },
  ] as Partial<GenerateOptions>[])("give the same tokens and log-probs, and keep no tensors: %j", (change) => {
    const ending = Array.from({ length: bench.config.text.vocabSize }, (_, id) => id).filter((id) => id % 25 === 3); // rows leave the batch
    const options: GenerateOptions = {
      numGenerations: 6,
      maxNewTokens: 40,
      temperature: 1,
      topP: 1,
      eosTokenIds: ending,
      bannedTokenIds: bench.bannedTokenIds,
      seed: 4,
      ...change,
    };
    const run = (generator: Generator): Rollout[] => generator.generate(params, { prompts, features }, options);
    const [graph, reference] = [run(bench.generator), run(host)];
    graph.forEach((rollout, i) => {
      expect(rollout.tokenIds).toEqual(reference[i].tokenIds);
      rollout.logProbs.forEach((p, t) => expect(Math.abs(p - reference[i].logProbs[t])).toBeLessThan(1e-4));
    });
    const before = tf.memory().numTensors;
    run(bench.generator);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("compile nothing for another temperature or top-p", () => {
    const run = (temperature: number, topP: number): Rollout[] =>
      bench.generator.generate(
        params,
        { prompts, features },
        {
          numGenerations: 6,
          maxNewTokens: 4,
          temperature,
          topP,
          eosTokenIds: [],
          bannedTokenIds: bench.bannedTokenIds,
          seed: 4,
        },
      );
    run(1, 0.9);
    const traces = engineStats().length;
    run(0.7, 0.8);
    expect(engineStats().length).toBe(traces);
  });

  it("report parameters that have diverged, and keep no tensors", () => {
    const broken = { ...params, "model.norm.weight": tf.fill(params["model.norm.weight"].shape, NaN) };
    const changes = [{}, { logProbsOf: "model" as const }, { repetitionPenalty: 1.2 }];
    for (const change of changes)
      for (const generator of [bench.generator, host]) {
        const before = tf.memory().numTensors;
        expect(() =>
          generator.generate(
            broken,
            { prompts, features },
            {
              numGenerations: 1,
              maxNewTokens: 2,
              temperature: 1,
              topP: 0.9,
              eosTokenIds: [],
              bannedTokenIds: [],
              seed: 1,
              ...change,
            },
          ),
        ).toThrow(/not numbers \(NaN\).*diverged/);
        expect(tf.memory().numTensors).toBe(before);
      }
    broken["model.norm.weight"].dispose();
  });

  it("keep no tensors where the prompts cannot be read", () => {
    const { "model.norm.weight": _, ...incomplete } = params;
    const before = tf.memory().numTensors;
    const options = { numGenerations: 1, maxNewTokens: 2, temperature: 1, topP: 0.9, seed: 1 };
    for (const generator of [bench.generator, host])
      expect(() =>
        generator.generate(
          incomplete,
          { prompts, features },
          { ...options, eosTokenIds: [], bannedTokenIds: [], repetitionPenalty: 1.2 },
        ),
      ).toThrow();
    expect(tf.memory().numTensors).toBe(before);
  });
});
