import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { conversationRow, type Conversation } from "../../lib/processor/conversation";
import { foldIn } from "../../lib/util/random";
import { engineStats } from "../../lib/engine/compile";
import { isNative, tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { initLora, isLoraWeight } from "../../lib/model/lora";
import { LORA_DEFAULTS } from "../../lib/model/lora-config";
import { trainedState, trainSft, trainableNames, type SftLog, type SftRun } from "../../lib/train/sft";
import type { SftSettings } from "../../lib/train/settings";
import type { Workbench } from "../../lib/train/workbench";
import { toyBench, toySft, values } from "../helpers/tiny";

const images = ["a", "b", "c", "d", "e"];
const conversations: Conversation[] = images.map((image, i) => ({
  image,
  turns: [{ user: "What animal is this?", assistant: ` ${["cat", "dog", "red fox"][i % 3]}` }],
}));
let bench: Workbench;
let params: Params;

beforeAll(async () => ({ bench, params } = await toyBench(images)) as never);
afterAll(() => {
  disposeTree(params);
  bench.dispose();
});

async function train(
  settings: Partial<SftSettings>,
  run: Partial<SftRun> = {},
): Promise<{ after: Record<string, number[]>; log: SftLog[] }> {
  const { params: trained, log } = await trainSft(
    params,
    bench,
    { ...toySft, ...settings },
    { conversations, seed: 3, bf16: false, ...run },
  );
  const after = values(trained);
  disposeTree(trained);
  return { after, log };
}

describe("trainSft", () => {
  it.skipIf(!isNative)("compiled by XLA learns what TensorFlow's kernels learn", async () => {
    const [graph, xla] = [await train({ compiler: "graph" }), await train({ compiler: "xla" })];
    xla.log.forEach((entry, i) => expect(entry.loss! / graph.log[i].loss!).toBeCloseTo(1, 4));
    expect(xla.after).not.toEqual(graph.after); // other kernels did the work
  });

  it("learns which image is which, and leaves the initial parameters alone", async () => {
    const before = values(params);
    const { after, log } = await train({ epochs: 30, learningRate: 1e-2 });
    expect(log).toHaveLength(60); // 5 records, 4 a batch: 2 steps an epoch
    expect(log[0].loss!).toBeGreaterThan(2);
    const end = log.slice(-4).reduce((sum, l) => sum + l.loss! / 4, 0);
    expect(end).toBeLessThan(0.25); // names by chance: ln 3 at their first token
    expect(values(params)).toEqual(before);
    expect(Object.keys(before).every((name) => JSON.stringify(after[name]) !== JSON.stringify(before[name]))).toBe(
      true,
    );
    expect(log[0].learningRate).toBeCloseTo(0.5e-2, 8);
    expect(log[59].learningRate).toBeLessThan(1e-3);
  });

  it("is the same for the same seed, and another for another", async () => {
    const settings = { epochs: 2, augmentation: 0.5 };
    const first = await train(settings);
    expect(await train(settings)).toEqual(first);
    expect((await train(settings, { seed: 4 })).after).not.toEqual(first.after);
  });

  it("is the same in parts (gradient accumulation), to rounding", async () => {
    const run = async (gradientAccumulationSteps: number) => {
      const { params: trained, log } = await trainSft(
        params,
        bench,
        { ...toySft, batchSize: 5, epochs: 2, gradientAccumulationSteps },
        { conversations, seed: 3, bf16: false },
      );
      return { trained, log };
    };
    const [whole, split] = [await run(1), await run(2)]; // parts of 3 and 2 rows
    split.log.forEach(({ loss, gradNorm }, i) => {
      expect(Math.abs(loss! / whole.log[i].loss! - 1)).toBeLessThan(1e-4);
      expect(Math.abs(gradNorm! / whole.log[i].gradNorm! - 1)).toBeLessThan(1e-3);
    });
    disposeTree(whole.trained, split.trained);
  });

  it("compiles one function, however its rows are packed", async () => {
    const traces = (): number => engineStats().filter(({ name }) => name.startsWith("sft.")).length;
    const before = traces();
    await train({ epochs: 4, batchSize: 3, learningRate: 2e-3 });
    expect(traces() - before).toBe(isNative ? 1 : 0);
  });

  it("freezes the vision tower where its learning rate is 0", async () => {
    const before = values(params);
    const { after } = await train({ epochs: 2, visionLearningRateScale: 0 });
    for (const name of Object.keys(before))
      expect(JSON.stringify(after[name]) === JSON.stringify(before[name]), name).toBe(name.startsWith("visual."));
    expect(trainableNames(params, 0).some((name) => name.startsWith("visual."))).toBe(false);
    expect(trainableNames(params, 0.1)).toEqual(Object.keys(params));
  });

  it("trains an adapter alone: the base stays, A and B move, the optimizer holds no more", async () => {
    const lora = { ...LORA_DEFAULTS, rank: 4, alpha: 16, targetModules: "all-linear" };
    const adapter = initLora(bench.config, lora, 5);
    const all = { ...params, ...adapter };
    expect(Object.keys(trainedState(all, 1).m).sort()).toEqual(Object.keys(adapter).filter(isLoraWeight).sort());
    const before = values(all);
    const count = tf.memory().numTensors;
    const { params: trained, log } = await trainSft(
      all,
      bench,
      { ...toySft, epochs: 30, learningRate: 2e-2 },
      { conversations, seed: 3, bf16: false },
    );
    const after = values(trained);
    for (const name of Object.keys(before))
      expect(JSON.stringify(after[name]) !== JSON.stringify(before[name]), name).toBe(isLoraWeight(name));
    expect(log.slice(-4).reduce((sum, l) => sum + l.loss! / 4, 0)).toBeLessThan(0.25 * log[0].loss!);
    disposeTree(trained);
    expect(tf.memory().numTensors).toBe(count);
    const frozenVision = await trainSft(
      all,
      bench,
      { ...toySft, visionLearningRateScale: 0 },
      { conversations, seed: 3, bf16: false },
    );
    const kept = values(frozenVision.params);
    for (const name of Object.keys(before))
      if (name.startsWith("visual.") || !isLoraWeight(name)) expect(kept[name], name).toEqual(before[name]);
    expect(kept["model.layers.0.mlp.up_proj.lora_B.weight"]).not.toEqual(
      before["model.layers.0.mlp.up_proj.lora_B.weight"],
    );
    disposeTree(frozenVision.params, adapter);
  });

  it("drops of an adapter's input by the run's seed and step, and leaves no tensor behind", async () => {
    const run = async (
      dropout: number,
      seed: number,
    ): Promise<{ after: Record<string, number[]>; losses: number[] }> => {
      const adapter = initLora(bench.config, { ...LORA_DEFAULTS, rank: 2, dropout }, 1);
      const before = tf.memory().numTensors;
      const { params: trained, log } = await trainSft(
        { ...params, ...adapter },
        bench,
        { ...toySft, epochs: 3, gradientAccumulationSteps: 2 },
        { conversations, seed, bf16: false },
      );
      const after = Object.fromEntries(Object.entries(values(trained)).filter(([name]) => isLoraWeight(name)));
      disposeTree(trained);
      expect(tf.memory().numTensors).toBe(before);
      disposeTree(adapter);
      return { after, losses: log.map(({ loss }) => loss!) };
    };
    const first = await run(0.5, 3);
    expect(await run(0.5, 3)).toEqual(first);
    expect((await run(0, 3)).after).not.toEqual(first.after);
    expect((await run(0.9, 3)).losses[0]).toBeCloseTo(first.losses[0], 5); // B is zero at first: nothing to drop yet
  });

  it("trains an answer that begins with a newline, all of it", async () => {
    const answers = ["cat", "\ncat", "\n\n cat"].map((assistant) => ({
      image: "a",
      turns: [{ user: "What animal is this?", assistant }],
    }));
    const counts = answers.map(
      (one) => conversationRow(one, bench.processor, bench.images.grid("a")).predicted.filter(Boolean).length,
    );
    expect(counts[1]).toBeGreaterThan(counts[0]);
    const { log } = await train({ epochs: 1, batchSize: 3 }, { conversations: answers });
    expect(log[0].loss!).toBeGreaterThan(0);
  });

  it.each<[string, Conversation]>([
    ["record 5: the conversation about a: there is no response to train", { image: "a", turns: [] }],
    ["record 5 has no image", { ...conversations[0], image: null }],
    [
      "record 5: the conversation about b: assistant turn 1 has the special token <|im_end|>",
      { image: "b", turns: [{ user: "Q", assistant: "It is <|im_end|> a bird" }] },
    ],
  ])("names a record that cannot be trained: %s", async (problem, bad) => {
    const before = tf.memory().numTensors;
    await expect(train({}, { conversations: [...conversations, bad] })).rejects.toThrow(problem);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("mixes replayed rows in, drawn by step and place", async () => {
    const asked: number[] = [];
    const replay = (seed: number): Conversation => {
      asked.push(seed);
      return { image: "e", turns: [{ user: "Parts?", assistant: " ears." }] };
    };
    await train({ replayRows: 2, batchSize: 4 }, { replay });
    expect(asked).toEqual([0, 1, 2].flatMap((step) => [0, 1].map((place) => foldIn(3, "sft-replay", step, place))));
  });

  it("keeps the number of tensors flat and reports every step", async () => {
    await train({});
    const before = tf.memory().numTensors;
    const steps: number[] = [];
    await train({ epochs: 2 }, { onStep: (log, total) => void steps.push(log.step / total) });
    expect(tf.memory().numTensors).toBe(before);
    expect(steps).toEqual([0.25, 0.5, 0.75, 1]);
  });

  it("says why it can't train", async () => {
    await expect(train({}, { conversations: [] })).rejects.toThrow("no records to train on");
    await expect(train({}, { conversations: [{ ...conversations[0], image: "z" }] })).rejects.toThrow(
      "z was not loaded",
    );
    const sick = { ...params, "model.norm.weight": tf.fill([32], NaN) };
    await expect(trainSft(sick, bench, toySft, { conversations, seed: 0, bf16: false })).rejects.toThrow(
      /no gradient norm was finite in the last 2 steps, up to step 2, .*lower sft\.learningRate \(0\.003\)$/,
    );
  });
});
