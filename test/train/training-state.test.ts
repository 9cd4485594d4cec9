import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tf, type Params } from "../../lib/engine/tensorflow";
import { disposeTree, mapParams } from "../../lib/engine/tree";
import { trainRl } from "../../lib/train/rl";
import type { RlLog } from "../../lib/train/rl-log";
import { trainSft } from "../../lib/train/sft";
import {
  checkpointSteps,
  loadTrainingState,
  saveTrainingState,
  type Checkpointing,
  type TrainingState,
} from "../../lib/train/training-state";
import type { Workbench } from "../../lib/train/workbench";
import { temporaryFolder } from "../benchmark/photographs/trees";
import { rl, rlRun, sft, sftRun } from "../helpers/short-runs";
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
class Killed extends Error {}
const killAfter =
  (last: number) =>
  (log: { step: number }): void => {
    if (log.step === last) throw new Killed();
  };

describe("a run that was killed", () => {
  it("ends as an uninterrupted one: SFT", async () => {
    const whole = await trainSft(params, bench, sft, sftRun);
    await expect(
      trainSft(params, bench, sft, { ...sftRun, checkpointing: at("sft", 2), onStep: killAfter(3) }),
    ).rejects.toThrow(Killed);
    const steps: number[] = [];
    const resumed = await trainSft(params, bench, sft, {
      ...sftRun,
      checkpointing: at("sft", 2),
      onStep: ({ step }) => void steps.push(step),
    });
    expect(steps).toEqual([3, 4, 5, 6]);
    expect(values(resumed.params)).toEqual(values(whole.params));
    expect(resumed.log).toEqual(whole.log);
    disposeTree(whole.params, resumed.params);
  });

  it("ends as an uninterrupted one: RL, with the prompts that were left", async () => {
    const without = (log: RlLog[]) => log.map(({ seconds: _, ...rest }) => rest);
    const whole = await trainRl(params, bench, rl, rlRun);
    await expect(
      trainRl(params, bench, rl, { ...rlRun, checkpointing: at("rl", 1), onStep: killAfter(3) }),
    ).rejects.toThrow(Killed);
    const resumed = await trainRl(params, bench, rl, { ...rlRun, checkpointing: at("rl", 1) });
    expect(values(resumed.params)).toEqual(values(whole.params));
    expect(without(resumed.log)).toEqual(without(whole.log));
    disposeTree(whole.params, resumed.params);
  });

  it("uses up the initial parameters where it is told to, and leaves no tensor behind", async () => {
    for (const name of ["none", "sft"]) {
      const before = tf.memory().numTensors;
      const copy = mapParams(params, (p) => p.clone());
      const { params: trained } = await trainSft(copy, bench, sft, {
        ...sftRun,
        checkpointing: name === "none" ? undefined : at("sft", 2),
        donateInitial: true,
      });
      expect(Object.values(copy).every((tensor) => tensor.isDisposed)).toBe(true);
      disposeTree(trained);
      expect(tf.memory().numTensors).toBe(before);
    }
  });
});

describe("checkpoints that are kept", () => {
  const step = (value: number): TrainingState<{ reward: number }> => ({
    params: { w: tf.scalar(value) },
    state: { step: tf.scalar(value), m: { w: tf.scalar(0) }, v: { w: tf.scalar(0) } },
    log: [5, 9, 1, 2, 3].slice(0, value).map((reward) => ({ reward })),
  });
  const options = { steps: 6, score: ({ reward }: { reward: number }) => reward };

  it("are the latest and the best; half-written ones count for nothing and are removed", () => {
    const checkpointing = { ...at("kept", 1), keep: 2, facts: { method: "tapo" } };
    mkdirSync(path.join(checkpointing.folder, "checkpoint-9.77.tmp"), { recursive: true });
    mkdirSync(path.join(checkpointing.folder, "checkpoint-8"));
    for (const value of [1, 2, 3, 4, 5]) {
      const state = step(value);
      saveTrainingState(checkpointing, state, options);
      disposeTree(state.params, state.state);
    }
    expect(checkpointSteps(checkpointing.folder)).toEqual([2, 4, 5]);
    expect(readdirSync(checkpointing.folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    const initial = { w: tf.scalar(0) };
    const loaded = loadTrainingState<{ reward: number }>(checkpointing, initial)!;
    expect(loaded.params.w.dataSync()[0]).toBe(5);
    expect(loaded.log).toHaveLength(5);
    disposeTree(loaded.params, loaded.state, initial);
    const saved = JSON.parse(
      readFileSync(path.join(checkpointing.folder, "checkpoint-5", "trainer_state.json"), "utf8"),
    ) as Record<string, unknown>;
    expect(saved).toMatchObject({ identity: "this", method: "tapo", global_step: 5, optimizer_step: 5 });
  });

  it("stay where the next cannot be written, and the error has the path", () => {
    const checkpointing = at("blocked", 1);
    const state = step(1);
    saveTrainingState(checkpointing, state, options);
    const blocker = path.join(checkpointing.folder, "checkpoint-2");
    mkdirSync(blocker);
    writeFileSync(path.join(blocker, "a file of somebody's"), "");
    const next = step(2);
    expect(() => saveTrainingState(checkpointing, next, options)).toThrow(
      /checkpoint after step 2 was not saved: .*checkpoint-2: exists and is no checkpoint.*after step 1 stays/,
    );
    expect(checkpointSteps(checkpointing.folder)).toEqual([1]);
    disposeTree(state.params, state.state, next.params, next.state);
  });

  it("stay where the folder is another process's by now", () => {
    const checkpointing = at("lost", 1);
    const state = step(1);
    saveTrainingState(checkpointing, state, options);
    const next = step(2);
    const lost = {
      ...checkpointing,
      beforeWriting: () => {
        throw new Error("taken over");
      },
    };
    expect(() => saveTrainingState(lost, next, options)).toThrow("taken over");
    expect(checkpointSteps(checkpointing.folder)).toEqual([1]);
    disposeTree(state.params, state.state, next.params, next.state);
  });
});

describe("a checkpoint that does not fit", () => {
  const load = (name: string, identity = "this") => loadTrainingState(at(name, 2, identity), params);
  it("is refused by name, and nothing stays loaded", () => {
    const before = tf.memory().numTensors;
    expect(load("nowhere")).toBeNull();
    expect(loadTrainingState(undefined, params)).toBeNull();
    expect(() => load("sft", "another")).toThrow(/sft: holds a run of other settings, data, model or code/);
    const file = (name: string): string => path.join(folder, "sft", "checkpoint-4", name);
    const saved = readFileSync(file("trainer_state.json"), "utf8");
    writeFileSync(file("trainer_state.json"), saved.replace(/"optimizer_step": \d+,/, ""));
    expect(() => load("sft")).toThrow(/optimizer_step, log_history or prompts_drawn is missing/);
    writeFileSync(file("trainer_state.json"), saved);
    expect(() =>
      loadTrainingState(at("sft", 2), { ...params, "model.norm.weight": params["model.embed_tokens.weight"] }),
    ).toThrow(/tensor model\.norm\.weight \[32\] does not fit the model's \[\d+, 32\]/);
    copyFileSync(file("first-moments.safetensors"), file("kept"));
    truncateSync(file("first-moments.safetensors"), 2000);
    expect(() => load("sft")).toThrow(/first-moments\.safetensors/);
    copyFileSync(file("kept"), file("first-moments.safetensors"));
    rmSync(file("second-moments.safetensors"));
    expect(() => load("sft")).toThrow(/second-moments\.safetensors/);
    expect(tf.memory().numTensors).toBe(before);
  });
});
