/** What both stages' trainings share: how they end early. */
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree, mapParams } from "../../lib/engine/tree";
import { trainRl } from "../../lib/train/rl";
import type { RlLog } from "../../lib/train/rl-log";
import { trainSft } from "../../lib/train/sft";
import { checkpointSteps, type Checkpointing } from "../../lib/train/training-state";
import type { Workbench } from "../../lib/train/workbench";
import { temporaryFolder } from "../benchmark/photographs/trees";
import { prompts, rl, rlRun, sft, sftRun } from "../helpers/short-runs";
import { toyBench, values } from "../helpers/tiny";

const folder = temporaryFolder();
let bench: Workbench;
let params: Params;
beforeAll(async () => {
  ({ bench, params } = await toyBench(["a", "b", "c"]));
});
afterAll(() => {
  disposeTree(params);
  bench.dispose();
});

const at = (name: string, everySteps: number, identity = "this"): Checkpointing => ({
  folder: path.join(folder, name),
  everySteps,
  identity,
});
class Failed extends Error {}

describe("a run that is aborted", () => {
  const without = (log: RlLog[]) => log.map(({ seconds: _, ...rest }) => rest);
  const stopped = new Error("stopped");
  /** Aborts once step `last` is logged. */
  const abortAfter = (last: number) => {
    const controller = new AbortController();
    return {
      signal: controller.signal,
      onStep: ({ step }: { step: number }) => void (step === last && controller.abort(stopped)),
    };
  };

  it.each([2, 6])("after step %i of 6 leaves its checkpoint, from which it goes on: SFT", async (last) => {
    const whole = await trainSft(params, bench, sft, sftRun);
    const checkpointing = at(`abort-sft-${last}`, 0);
    const before = tf.memory().numTensors;
    await expect(trainSft(params, bench, sft, { ...sftRun, checkpointing, ...abortAfter(last) })).rejects.toBe(stopped);
    expect(tf.memory().numTensors).toBe(before);
    expect(checkpointSteps(checkpointing.folder)).toEqual([last]);
    const resumed = await trainSft(params, bench, sft, { ...sftRun, checkpointing });
    expect(values(resumed.params)).toEqual(values(whole.params));
    expect(resumed.log).toEqual(whole.log);
    disposeTree(whole.params, resumed.params);
  });

  it.each([2, 4])("after step %i of 4 leaves its checkpoint, from which it goes on: RL", async (last) => {
    const whole = await trainRl(params, bench, rl, rlRun);
    const checkpointing = at(`abort-rl-${last}`, 0);
    await expect(trainRl(params, bench, rl, { ...rlRun, checkpointing, ...abortAfter(last) })).rejects.toBe(stopped);
    expect(checkpointSteps(checkpointing.folder)).toEqual([last]);
    const resumed = await trainRl(params, bench, rl, { ...rlRun, checkpointing });
    expect(values(resumed.params)).toEqual(values(whole.params));
    expect(without(resumed.log)).toEqual(without(whole.log));
    disposeTree(whole.params, resumed.params);
  });

  it("while it samples leaves the step before, with the prompts that were drawn by then", async () => {
    const settings = { ...rl, groupsPerStep: 4, maxGenerationBatches: 2 };
    const whole = await trainRl(params, bench, settings, rlRun);
    const checkpointing = at("abort-sampling", 0);
    const controller = new AbortController();
    // as a server's answers do, which end with the signal; some prompts of step 3 are drawn
    let batches = 0;
    const onPhase = (note: string, done: number): void => {
      if (done !== 2 || !note.startsWith("sampling") || ++batches < 2) return;
      controller.abort(stopped);
      throw stopped;
    };
    const { signal } = controller;
    await expect(trainRl(params, bench, settings, { ...rlRun, checkpointing, signal, onPhase })).rejects.toBe(stopped);
    expect(checkpointSteps(checkpointing.folder)).toEqual([2]);
    const resumed = await trainRl(params, bench, settings, { ...rlRun, checkpointing });
    expect(values(resumed.params)).toEqual(values(whole.params));
    expect(without(resumed.log)).toEqual(without(whole.log));
    disposeTree(whole.params, resumed.params);
  });

  it("between two updates of a step leaves no checkpoint of parameters that are of no step", async () => {
    const checkpointing = at("abort-updates", 0);
    const controller = new AbortController();
    const onPhase = (note: string): void => {
      if (note !== "update 2 of 2") return;
      controller.abort(stopped);
      throw stopped;
    };
    const settings = { ...rl, updatesPerStep: 2 };
    const run = { ...rlRun, checkpointing, signal: controller.signal, onPhase };
    await expect(trainRl(params, bench, settings, run)).rejects.toBe(stopped);
    expect(checkpointSteps(checkpointing.folder)).toEqual([]);
  });
});

describe("a training that throws", () => {
  const fail = (): never => {
    throw new Failed();
  };
  const lost = (name: string): Checkpointing => ({ ...at(name, 1), beforeWriting: fail });
  const cases: [string, () => Promise<unknown>][] = [
    ["SFT: onStep", () => trainSft(params, bench, sft, { ...sftRun, onStep: fail })],
    ["SFT: a checkpoint", () => trainSft(params, bench, sft, { ...sftRun, checkpointing: lost("lost-sft") })],
    ["RL: onStep", () => trainRl(params, bench, rl, { ...rlRun, onStep: fail })],
    ["RL: a checkpoint", () => trainRl(params, bench, rl, { ...rlRun, checkpointing: lost("lost-rl") })],
    [
      "RL: no group survives",
      () => trainRl(params, bench, { ...rl, whenNoGroupSurvives: "stop", maxNewTokens: 1 }, rlRun),
    ],
    [
      "RL: onPhase, between two updates with stale negatives",
      () => {
        const onPhase = (note: string): void => void (note === "update 2 of 2" && fail());
        const settings = { ...rl, updatesPerStep: 2, negativeLogProbs: "stale" as const };
        return trainRl(params, bench, settings, { ...rlRun, onPhase });
      },
    ],
    [
      "RL: an image that is not there",
      () => {
        const one = { ...prompts[0], anchor: "nowhere" };
        return trainRl(params, bench, { ...rl, steps: 1 }, { ...rlRun, prompts: [prompts[0], one] });
      },
    ],
    [
      "RL: parameters that are not numbers",
      async () => {
        const norm = tf.fill(params["model.norm.weight"].shape, NaN);
        try {
          await trainRl({ ...params, "model.norm.weight": norm }, bench, rl, rlRun);
        } finally {
          norm.dispose();
        }
      },
    ],
  ];
  it.each(cases)("leaves no tensor behind: %s", async (_, train) => {
    const before = tf.memory().numTensors;
    await expect(train()).rejects.toThrow();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("has used up the initial parameters where it was told to, whatever it throws", async () => {
    const before = tf.memory().numTensors;
    const copies = (): Params => mapParams(params, (p) => p.clone());
    const donateInitial = true;
    await expect(trainSft(copies(), bench, sft, { ...sftRun, conversations: [], donateInitial })).rejects.toThrow();
    await expect(trainRl(copies(), bench, rl, { ...rlRun, prompts: [], donateInitial })).rejects.toThrow();
    await expect(trainRl(copies(), bench, rl, { ...rlRun, donateInitial, onStep: fail })).rejects.toThrow();
    const other = at("another", 1, "other");
    disposeTree((await trainSft(params, bench, sft, { ...sftRun, checkpointing: other })).params);
    const checkpointing = at("another", 1);
    await expect(trainSft(copies(), bench, sft, { ...sftRun, checkpointing, donateInitial })).rejects.toThrow(
      "holds a run of other settings",
    );
    expect(tf.memory().numTensors).toBe(before);
  });
});
