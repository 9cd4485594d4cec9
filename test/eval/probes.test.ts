import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree, mapParams } from "../../lib/engine/tree";
import { createProbes, probeRow, type Probes } from "../../lib/eval/probes";
import { hiddenStates } from "../../lib/model/forward";
import { promptBatch } from "../../lib/rollout/prompts";
import type { Workbench } from "../../lib/train/workbench";
import { toyBench, toyPlace } from "../helpers/tiny";

let bench: Workbench;
let params: Params;
let probes: Probes;
beforeAll(async () => {
  ({ bench, params } = await toyBench());
  probes = createProbes(bench, 4);
});
afterAll(() => {
  disposeTree(params);
  bench.dispose();
});
const close = (a: ArrayLike<number>, b: ArrayLike<number>): void => {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++) expect(a[i]).toBeCloseTo(b[i], 4);
};

describe("features", () => {
  it("are the mean of the image's tokens and the whole model's state at the prompt's end, whatever shares the batch", async () => {
    const before = tf.memory().numTensors;
    const all = await probes.features(
      params,
      ["a", "b", "c", "a", "b"],
      ["Parts?", "Colors?", "Which animal is this? Think first.", "Colors?", "Parts?"],
    );
    expect(tf.memory().numTensors).toBe(before);
    expect(all).toHaveLength(5);
    close(all[0].visual, all[3].visual);
    expect(Math.max(...all[0].hidden.map((x, i) => Math.abs(x - all[3].hidden[i])))).toBeGreaterThan(0.01);
    expect(Math.max(...all[0].visual.map((x, i) => Math.abs(x - all[1].visual[i])))).toBeGreaterThan(0.01);
    tf.tidy(() => {
      const own = bench.features(params, ["c"]).slice(0, 4);
      close(all[2].visual, own.mean(0).dataSync());
      const { inputIds, positionIds, featureIndex, last } = promptBatch([
        bench.prompt("Which animal is this? Think first.", toyPlace(0)),
      ]);
      const hidden = hiddenStates(params, bench.config, { inputIds, positionIds, featureIndex, ...bench.batch(["c"]) });
      close(
        all[2].hidden,
        hidden
          .reshape([-1, bench.config.text.hiddenSize])
          .gather(last as tf.Tensor1D)
          .dataSync(),
      );
    });
    await expect(probes.features(params, ["a"], [])).rejects.toThrow("1 images and 0 questions");
  });
});

describe("textLogProbs", () => {
  const say = (assistant: string) => ({ image: null, turns: [{ user: "Describe.", assistant }] });

  it("are means over a row's own tokens, whatever shares the batch", () => {
    const texts = [" cat", " dog red fox", " white, ears tail.", " cat dog", " fox", " red"].map(say);
    const all = probes.textLogProbs(params, texts);
    const alone = texts.map((text) => probes.textLogProbs(params, [text])[0]);
    close(all, alone);
    expect(all.every((x) => x < 0)).toBe(true);
    const flat = mapParams(params, (p, name) => (name === "lm_head.weight" ? tf.zerosLike(p) : p.clone()));
    probes.textLogProbs(flat, texts).forEach((x) => expect(x).toBeCloseTo(-Math.log(bench.config.text.vocabSize), 3)); // every token alike
    disposeTree(flat);
    expect(() => probes.textLogProbs(params, [{ image: "a", turns: [] }])).toThrow("without an image");
  });
});

describe("answers", () => {
  it("are those of the images asked about, in order", async () => {
    const all = await probes.answers(
      params,
      ["a", "b", "c", "a", "b", "c"],
      ["Parts?", "Parts?", "Parts?", "Colors?", "Colors?", "Colors?"],
      6,
    );
    const alone: string[] = [];
    for (const question of ["Parts?", "Colors?"])
      for (const image of ["a", "b", "c"]) alone.push(...(await probes.answers(params, [image], [question], 6)));
    expect(all).toEqual(alone);
    expect(new Set(all).size).toBeGreaterThan(1);
  });
});

describe("probeRow", () => {
  it("has Wilson's interval", () => {
    expect(probeRow("sft", "linear: visual features", "unseen", [true, true, false, true], 0.25)).toEqual({
      method: "sft",
      probe: "linear: visual features",
      split: "unseen",
      n: 4,
      correct: 3,
      accuracy: 0.75,
      low: 0.300642,
      high: 0.954413,
      chance: 0.25,
    });
  });
});
