/**
 * EasyR1's configuration against the keys of the published ones: hiyouga/EasyR1 and the fork in
 * PKU-ICST-MIPL/FineR1_ICLR2026, at the commits that the fixture names (every field of their configuration's classes
 * that may be set). OmegaConf refuses any other key.
 */
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { easyR1Config, easyR1Sizes } from "../../lib/export/easyr1";
import type { Yaml } from "../../lib/export/yaml";
import { loadSettings } from "../../lib/experiment/load-settings";
import type { Experiment } from "../../lib/experiment/types";
import { METHODS, RL_METHODS, type RlMethod } from "../../lib/train/methods";
import { readJsonObject } from "../../lib/util/files";

const published = readJsonObject(path.join(__dirname, "../fixtures/easyr1/keys.json")) as Record<
  "easyr1" | "fine-r1",
  { keys: string[] }
>;
const experimentOf = (...set: string[]): Experiment =>
  ({
    settings: loadSettings({ scale: "paper", environment: {}, set: ["rl.gradientAccumulationSteps=1", ...set] }),
    bench: { processor: { imageConfig: { minPixels: 3136, maxPixels: 12845056 } } },
  }) as unknown as Experiment;

/** Dotted keys; `reward_function_kwargs` is a record of whatever the function takes. */
const keysOf = (value: Yaml, at = ""): string[] =>
  value !== null && typeof value === "object" && !Array.isArray(value) && !at.endsWith("_kwargs.")
    ? Object.entries(value as Record<string, Yaml>).flatMap(([key, of]) => keysOf(of, `${at}${key}.`))
    : [at.slice(0, -1)];
const valueAt = (config: unknown, key: string): unknown =>
  key.split(".").reduce((of, part) => (of as Record<string, unknown>)[part], config);

describe("EasyR1's configuration", () => {
  it.each(RL_METHODS)("has published keys alone for %s", (method: RlMethod) => {
    for (const set of [[], ["rl.schedule=cosine"], ["lora.rank=8"]]) {
      const config = easyR1Config(experimentOf(...set), method, 4);
      const known = published[method === "cls-rl" ? "easyr1" : "fine-r1"].keys;
      expect(keysOf(config).filter((key) => !known.includes(key))).toEqual([]);
    }
  });

  it("has what the release's script and configuration set for Fine-R1-3B, under the paper's settings", () => {
    const config = easyR1Config(experimentOf(), "tapo", 4);
    const released = {
      "data.rollout_batch_size": 384,
      "data.max_prompt_length": 4096,
      "data.max_response_length": 4096,
      "data.max_pixels": 1003520,
      "data.min_pixels": 200704,
      "algorithm.adv_estimator": "dapo",
      "algorithm.disable_kl": true,
      "algorithm.online_filtering": true,
      "algorithm.filter_key": "accuracy",
      "algorithm.use_kl_prcp": true,
      "algorithm.kl_prcp_penalty": "low_var_kl",
      "algorithm.kl_prcp_coef": 0.01,
      "algorithm.use_aug_entropy_loss": true,
      "algorithm.aug_entropy_loss_coef": 0.03,
      "algorithm.use_ori_entropy_loss": true,
      "algorithm.ori_entropy_loss_coef": 0.03,
      "worker.actor.global_batch_size": 128,
      "worker.actor.is_noisy": true,
      "worker.actor.clip_ratio_low": 0.2,
      "worker.actor.clip_ratio_high": 0.28,
      "worker.actor.optim.lr": 1e-6,
      "worker.actor.optim.weight_decay": 0.01,
      "worker.actor.optim.strategy": "adamw_bf16",
      "worker.rollout.n": 5,
      "worker.rollout.temperature": 1,
      "worker.rollout.top_p": 0.99,
      "worker.rollout.tensor_parallel_size": 1,
      "trainer.n_gpus_per_node": 4,
    };
    for (const [key, value] of Object.entries(released)) expect([key, valueAt(config, key)]).toEqual([key, value]);
  });

  it("counts warm-up in steps, as both engines step their schedules", () => {
    const warm = experimentOf("rl.schedule=cosine", "rl.warmupSteps=4");
    expect(valueAt(easyR1Config(warm, "cls-rl", 4), "worker.actor.optim")).toMatchObject({
      lr_warmup_steps: 4,
      lr_scheduler_type: "cosine",
      min_lr_ratio: 0.05,
    });
    expect(valueAt(easyR1Config(experimentOf(), "tapo", 4), "worker.actor.optim.lr_warmup_steps")).toBe(0);
  });

  it("keeps the engine's divisibility, and says the updates that come of it", () => {
    for (const method of RL_METHODS)
      for (const set of [
        [],
        ["rl.groupsPerStep=16", "rl.updatesPerStep=2"],
        ["rl.groupsPerStep=12", "rl.updatesPerStep=1"],
      ]) {
        const { settings } = experimentOf(...set);
        const { rolloutBatch, globalBatch, n, responses: perUpdate, updates } = easyR1Sizes(settings, method);
        expect(rolloutBatch % globalBatch).toBe(0);
        const fork = method !== "cls-rl";
        const responses = rolloutBatch * n * (fork ? 2 : 1); // what the engine returns of a step
        expect(responses).toBe(settings.rl.groupsPerStep * settings.rl.numGenerations);
        // fsdp_workers_new.py: global_batch_size times n, and times 2 where is_noisy
        expect(perUpdate).toBe(globalBatch * n * (METHODS[method].intra ? 2 : 1));
        expect(updates).toBe(responses / perUpdate);
      }
    expect(easyR1Sizes(experimentOf().settings, "tapo")).toMatchObject({
      globalBatch: 128,
      responses: 1280,
      updates: 3,
    });
    expect(easyR1Sizes(experimentOf().settings, "tapo-no-inter").updates).toBe(3);
    expect(easyR1Sizes(experimentOf("rl.groupsPerStep=16", "rl.updatesPerStep=2").settings, "tapo").updates).toBe(2);
    expect(easyR1Sizes(experimentOf().settings, "cls-rl").updates).toBe(3);
  });

  it("refuses what the engine cannot have", () => {
    const uneven = experimentOf("rl.numGenerations=10", "rl.positiveGenerations=4");
    expect(() => easyR1Config(uneven, "tapo", 4)).toThrow(/as many responses from the positive/);
    expect(() => easyR1Config(experimentOf(), "tapo", 7)).toThrow(/--gpus 7: the 1280 responses/);
  });
});
