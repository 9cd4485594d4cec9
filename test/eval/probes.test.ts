import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree, mapParams } from "../../lib/engine/tree";
import { createProbes, probeRow, type Probes } from "../../lib/eval/probes";
import { hiddenStates } from "../../lib/model/forward";
import { loadEmojiFgvr } from "../../lib/benchmark/emoji-fgvr";
import { tinyPrompts } from "../../lib/benchmark/prompts";
import type { Knowledge } from "../../lib/benchmark/emoji-fgvr/knowledge";
import { knowledgeQuestions, probedMethods, probeSamples, SHORT_QUESTIONS } from "../../lib/experiment/probes";
import { probesFigure } from "../../lib/experiment/probes-report";
import { loadSettings } from "../../lib/experiment/settings";
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
  it("are the mean of the image's tokens and the whole model's state at the prompt's end, whatever shares the batch", () => {
    const before = tf.memory().numTensors;
    const all = probes.features(
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
    expect(() => probes.features(params, ["a"], [])).toThrow("1 images and 0 questions");
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
  it("are those of the images asked about, in order", () => {
    const all = probes.answers(
      params,
      ["a", "b", "c", "a", "b", "c"],
      ["Parts?", "Parts?", "Parts?", "Colors?", "Colors?", "Colors?"],
      6,
    );
    expect(all).toEqual(
      ["a", "b", "c"]
        .map((image) => probes.answers(params, [image], ["Parts?"], 6)[0])
        .concat(["a", "b", "c"].map((image) => probes.answers(params, [image], ["Colors?"], 6)[0])),
    );
  });
});

describe("what is asked", () => {
  const benchmark = loadEmojiFgvr();
  const settings = loadSettings({ scale: "default", environment: {} });

  it("fits on few-shot designers and tests on the evaluated ones", () => {
    for (const role of ["dev", "test"] as const) {
      const { train, test } = probeSamples({ benchmark, settings: { ...settings, eval: { ...settings.eval, role } } });
      expect(
        new Set(
          train.map((s) =>
            benchmark.roleOf(benchmark.drawings(s.concept, "fewshot").find((d) => d.path === s.image)!.style),
          ),
        ),
      ).toEqual(new Set(["fewshot"]));
      const designers = new Set(train.map((s) => s.designer));
      expect(test.some((s) => designers.has(s.designer))).toBe(false);
      expect(test.length).toBe(benchmark.subcategories().reduce((n, c) => n + benchmark.drawings(c, role).length, 0));
    }
  });

  it("asks of a name what it looks like and of a look its name, four distinct candidates, the truth first", () => {
    const all = benchmark
      .subcategories({ domain: "mammal" })
      .map((c) => ({
        id: c.id,
        name: c.name,
        evaluated: true,
        question: "What mammal is this?",
        kind: c.kind,
        colors: ["red"],
        words: c.visualWords,
        neighbours: [] as Knowledge[],
        drawings: [],
      }));
    for (const k of all) k.neighbours = all.filter((other) => other !== k);
    const questions = knowledgeQuestions(all, { benchmark, prompts: tinyPrompts, settings });
    expect(questions).toHaveLength(2 * all.length);
    questions.forEach(({ conversations, split }, i) => {
      const k = all[Math.floor(i / 2)];
      expect(split).toBe(benchmark.concept(k.id).split);
      const texts = conversations.map((c) => c.turns[0].assistant);
      expect(texts).toHaveLength(4);
      expect(texts[0]).toBe(i % 2 === 0 ? ` red, ${k.words.join(" ")}.` : `<answer> ${k.name}</answer>`);
      expect(new Set(conversations.map((c) => c.turns[0].user)).size).toBe(1);
      if (i % 2 === 1) expect(conversations[0].turns[0].user).not.toContain(k.name);
    });
  });

  it.each([
    [0, " red blue.", ["red", "tan"], true],
    [0, " blue red.", ["red", "tan"], false],
    [0, "", ["red"], false],
    [1, " wide solid symmetric.", ["symmetric", "wide", "solid"], true],
    [1, " wide solid.", ["symmetric", "wide", "solid"], false],
    [2, " bird.", ["bird"], true],
    [2, " bird fruit.", ["bird"], false],
    [3, " wing beak.", ["wing", "beak", "tail", "claw"], true],
    [3, " wing.", ["wing", "beak", "tail", "claw"], false],
  ])("question %i: %j against %j is %s", (question, answer, truth, right) => {
    expect(SHORT_QUESTIONS[question].right(answer, truth)).toBe(right);
  });

  it("leaves out what the run has no model of, with the reason, and refuses an unknown method", () => {
    const experiment = { folder: "/nowhere" } as never;
    expect(probedMethods(experiment, ["base", "tapo"])).toMatchObject({
      found: ["base"],
      absent: [{ method: "tapo", reason: expect.stringContaining("models/tapo") as string }],
    });
    expect(() => probedMethods(experiment, ["../x"])).toThrow('no method "../x"');
  });
});

describe("the table", () => {
  it("has Wilson's interval, and the figure a bar for every line", () => {
    const rows = ["base", "sft"].flatMap((method) =>
      ["seen", "unseen"].map((split) =>
        probeRow(method, "linear: visual features", split, [true, true, false, true], 0.25),
      ),
    );
    expect(rows[0]).toEqual({
      method: "base",
      probe: "linear: visual features",
      split: "seen",
      n: 4,
      correct: 3,
      accuracy: 0.75,
      low: 0.300642,
      high: 0.954413,
      chance: 0.25,
    });
    const bars = probesFigure(rows).data.filter((trace) => trace.type === "bar");
    expect(bars).toHaveLength(4);
    expect(bars.map((bar) => bar.y)).toEqual([[75], [75], [75], [75]]);
  });
});
