import { existsSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tf, type Params } from "../../lib/engine/tensorflow";
import { adamWInit } from "../../lib/engine/optimizer";
import { disposeTree } from "../../lib/engine/tree";
import type { Conversation } from "../../lib/processor/conversation";
import type { RlPrompt } from "../../lib/rollout/groups";
import { isSound, replayRl, replaySft } from "../../lib/train/replay";
import { trainRl } from "../../lib/train/rl";
import { sampleGroups } from "../../lib/train/rl-rollouts";
import { trainSft, type SftLog } from "../../lib/train/sft";
import { isStuck, readStoppedBatch, saveStoppedBatch, type StoppedBatch } from "../../lib/train/stopped-batch";
import { checkpointSteps, loadTrainingState, type Checkpointing } from "../../lib/train/training-state";
import type { Workbench } from "../../lib/train/workbench";
import { temporaryFolder } from "../benchmark/photographs/trees";
import { toyBench, toyRl, toySft, values } from "../helpers/tiny";

const folder = temporaryFolder();
let bench: Workbench;
let params: Params;
/** The same model with an output layer that overflows: every number of it is finite, no loss is. */
let sick: Params;
beforeAll(async () => {
  ({ bench, params } = await toyBench(["a", "b", "c"]));
  sick = { ...params, "model.norm.weight": tf.fill([32], 3e38) };
});
afterAll(() => {
  disposeTree(params, sick["model.norm.weight"]);
  bench.dispose();
});

const at = (name: string): Checkpointing => ({
  folder: path.join(folder, name),
  everySteps: 1,
  identity: "this",
  facts: { method: name, settings: {} },
});
const conversations = ["a", "b", "c"].map((image, i) => ({
  image,
  turns: [{ user: "What animal is this?", assistant: ` ${["cat", "dog", "red fox"][i]}` }],
}));
const sft = { ...toySft, batchSize: 2, epochs: 3, gradientAccumulationSteps: 2 };
const prompts = ["a", "b"].map((anchor): RlPrompt => ({
  anchor,
  positive: "b",
  negative: "c",
  user: "What animal is this?",
  groundTruth: "cat",
  options: null,
  domainNames: ["cat", "dog"],
}));

describe("isStuck", () => {
  const bad = { skipped: 2, gradNorm: null };
  const half = { skipped: 1, gradNorm: 0.5 };
  const good = { skipped: 0, gradNorm: 0.5 };
  const idle = { skipped: 0, gradNorm: null };
  it.each([
    [[bad, bad, bad], 9, true],
    [[good, bad, bad, bad], 9, true],
    [[bad, bad], 9, false],
    [[bad, bad], 2, true],
    [[bad, good, bad, bad], 9, false],
    [[bad, half, bad], 9, false],
    [[bad, idle, bad], 9, false],
  ])("%j of %i steps: %s", (log, steps, stuck) => expect(isStuck(log, steps)).toBe(stuck));
});

const replay = (): Conversation => ({ image: "b", turns: [{ user: "Parts?", assistant: " ears." }] });

describe("a stopped batch", () => {
  it("comes back as it was saved, numbers that JSON lacks too; a file that is none is refused", () => {
    const batch: StoppedBatch = {
      stage: "rl",
      step: 3,
      learningRate: Infinity,
      seed: 1,
      bf16: false,
      contrast: true,
      updates: [[{ advantages: [NaN, -Infinity, 0.5] } as never]],
      replay: [],
    };
    const file = saveStoppedBatch(at("numbers"), batch)!;
    expect(readStoppedBatch(file)).toEqual({ ...batch, identity: "this", facts: at("numbers").facts });
    expect(saveStoppedBatch(undefined, batch)).toBeNull();
    writeFileSync(path.join(folder, "none.json"), '{"stage":"rl","step":1}');
    expect(() => readStoppedBatch(path.join(folder, "none.json"))).toThrow(/none\.json: no batch of a training/);
  });
});

describe("a gradient norm that is not finite", () => {
  it("after a step that went too far is skipped and counted, and the log has null for what is no number", async () => {
    const seen: SftLog[] = [];
    const checkpointing = { ...at("once"), everySteps: 0 };
    const error = await trainSft(
      params,
      bench,
      { ...sft, learningRate: 1e30, warmupSteps: 1 },
      { conversations, seed: 5, bf16: false, checkpointing, onStep: (log) => void seen.push(log) },
    ).catch((reason: unknown) => reason as Error);
    expect(error).toBeInstanceOf(Error);
    expect(seen[0]).toMatchObject({ step: 1, skipped: 0 });
    expect(seen[0].gradNorm).toBeGreaterThan(0);
    expect(seen.slice(-3)).toEqual(seen.slice(-3).map((one) => ({ ...one, loss: null, gradNorm: null, skipped: 1 })));
  });

  it("three times in a row stops SFT with the batch saved; a replay says which part and row", async () => {
    const checkpointing = at("sft");
    const before = tf.memory().numTensors;
    await expect(trainSft(sick, bench, sft, { conversations, seed: 5, bf16: false, checkpointing })).rejects.toThrow(
      /no gradient norm was finite in the last 3 steps, up to step 3.*fine-r1 replay .*stopped-batch\.json/,
    );
    expect(tf.memory().numTensors).toBe(before);
    expect(checkpointSteps(checkpointing.folder)).toContain(3);
    // run again, it is not taken for a training that ended well
    const toTheEnd = { ...sft, epochs: 1 }; // 2 steps, both skipped
    for (const name of ["end", "end"])
      await expect(
        trainSft(sick, bench, toTheEnd, { conversations, seed: 5, bf16: false, checkpointing: at(name) }),
      ).rejects.toThrow(/last 2 steps, up to step 2.*end.stopped-batch\.json/);
    const saved = readStoppedBatch(path.join(checkpointing.folder, "stopped-batch.json"));
    expect(saved).toMatchObject({ stage: "sft", step: 3, seed: 5, facts: { method: "sft" } });
    const state = loadTrainingState(checkpointing, sick)!;
    expect(values(state.params)).toEqual(values(sick)); // three skipped steps changed nothing
    const replay = await replaySft(state, bench, sft, saved as StoppedBatch & { stage: "sft" });
    expect(replay.badParameters).toEqual([]);
    expect(replay.largestParameter).toBeCloseTo(3e38, -36);
    expect(replay.parts).toHaveLength(2);
    expect(replay.rows.map(({ numbers }) => isSound(numbers))).toEqual([false, false]);
    expect(replay.rows[0].name).toMatch(/^row 1 \([abc]\)$/);
    // the same batch under sound parameters is sound: it was not the rows
    const sound = await replaySft({ ...state, params }, bench, sft, saved as StoppedBatch & { stage: "sft" });
    expect([...sound.parts, ...sound.rows].every(({ numbers }) => isSound(numbers))).toBe(true);
    expect(sound.parts[0].numbers.gradNorm).toBeGreaterThan(0);
    disposeTree(state.params, state.state);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("stops RL too; a replay names the rollout and the term", async () => {
    const checkpointing = at("tapo");
    // sampled by a sound policy, then every update overflows: advantages that are no numbers do that
    const rl = {
      ...toyRl,
      steps: 3,
      groupsPerGeneration: 2,
      groupsPerStep: 2,
      maxGenerationBatches: 1,
      entropyCoefficient: Infinity,
      replayRows: 2,
    };
    const before = tf.memory().numTensors;
    const run = { method: "tapo" as const, prompts, replay, seed: 6, bf16: false, checkpointing };
    const counted: number[] = [];
    await expect(
      trainRl(params, bench, rl, { ...run, onStep: ({ skipped }) => void counted.push(skipped) }),
    ).rejects.toThrow(/tapo: no gradient norm was finite in the last 3 steps.*stopped-batch\.json/);
    expect(counted).toEqual([1, 1, 1]);
    const file = path.join(checkpointing.folder, "stopped-batch.json");
    expect(existsSync(file)).toBe(true);
    const log = JSON.parse(
      readFileSync(path.join(checkpointing.folder, "checkpoint-3", "trainer_state.json"), "utf8"),
    ) as { log_history: { gradNorm: null; entropy: null; reward: number }[] };
    expect(log.log_history[2]).toMatchObject({ gradNorm: null, entropy: null });
    const saved = readStoppedBatch(file) as StoppedBatch & { stage: "rl" };
    const state = loadTrainingState(checkpointing, params)!;
    expect(values(state.params)).toEqual(values(params));
    const again = await replayRl(state, bench, rl, saved);
    expect(again.parts).toHaveLength(saved.updates.flat().length);
    expect(again.rows.every(({ numbers }) => isSound(numbers))).toBe(true); // no row is at fault
    expect(again.rows.filter(({ name }) => /^update 1, replayed row [12] \(b\)$/.test(name))).toHaveLength(2);
    expect(Number.isFinite(again.parts[0].numbers.loss)).toBe(false);
    expect(Number.isFinite(again.parts[0].numbers.policyLoss)).toBe(true);
    const odd = structuredClone(saved);
    odd.updates[0][0].advantages[1] = NaN;
    const found = await replayRl(state, bench, { ...rl, entropyCoefficient: 0 }, odd);
    expect(found.rows.filter(({ numbers }) => !isSound(numbers)).map(({ name }) => name)).toEqual([
      expect.stringMatching(/^update 1, group 1 \(.\), rollout 2 from the /) as string,
    ]);
    disposeTree(state.params, state.state);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("replayRl", () => {
  it("gives a group of 10 rollouts its share of an update's loss, averaged over micro-batches of 4", async () => {
    const rl = {
      ...toyRl,
      ...{ numGenerations: 10, positiveGenerations: 5, groupsPerStep: 2, lossAverage: "micro-batch" as const },
      ...{ klCoefficient: 0, entropyCoefficient: 1, negativeEntropyCoefficient: 0, conditionOn: "sampled" as const },
    };
    const groups = await sampleGroups(params, bench, prompts, { settings: rl, intra: true, seed: 3 });
    for (const group of groups) {
      group.advantages = group.advantages.map(() => 0); // the entropy is all that is left
      group.rollouts = group.rollouts.map((rollout, i) => ({
        ...rollout,
        tokenIds: rollout.tokenIds.slice(0, 1 + (i % 5)),
        logProbs: rollout.logProbs.slice(0, 1 + (i % 5)),
      }));
    }
    const state = adamWInit(params);
    const batch = { step: 1, learningRate: 1e-3, seed: 1, bf16: false, contrast: true, replay: [] };
    const found = await replayRl({ params, state }, bench, rl, { ...batch, stage: "rl", updates: [groups] });
    groups.forEach(({ rollouts }, g) => {
      const rows = rollouts.map(({ tokenIds }, i) => ({
        tokens: tokenIds.length,
        logProb: found.rows[10 * g + i].numbers.logProb,
      }));
      const total = (some: typeof rows, value: (row: (typeof rows)[number]) => number): number =>
        some.reduce((sum, row) => sum + value(row), 0);
      const means = [rows.slice(0, 4), rows.slice(4, 8), rows.slice(8)].map(
        (some) => -total(some, ({ tokens, logProb }) => tokens * logProb) / total(some, ({ tokens }) => tokens),
      );
      // 20 responses are 5 micro-batches
      expect(found.parts[g].numbers.loss).toBeCloseTo(means.reduce((a, b) => a + b) / 5, 4);
    });
    disposeTree(state);
  });
});
