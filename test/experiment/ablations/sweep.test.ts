/** A sweep of the shipped experiment at the least size there is. */
import { existsSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import * as path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { finishedVariants, runSweep, VARIANTS, type SweepOptions } from "../../../lib/experiment/ablations";
import { engineStats } from "../../../lib/engine/compile";
import { isNative, tf } from "../../../lib/engine/tensorflow";
import { evaluate } from "../../../lib/experiment/evaluate";
import { openExperiment } from "../../../lib/experiment/open";
import { runFolder } from "../../../lib/experiment/run";
import { loadSettings } from "../../../lib/experiment/load-settings";

const settings = loadSettings({
  scale: "smoke",
  run: `sweep-test-${process.pid}`,
  environment: {},
  set: [
    "cot.subCategories=2",
    "cot.descriptionsPerImage=1",
    "cot.beliefSamples=1",
    "sft.batchSize=2",
    "sft.replayRows=1",
    "rl.steps=1",
    "rl.groupsPerStep=1",
    "rl.groupsPerGeneration=1",
    "rl.numGenerations=2",
    "rl.positiveGenerations=1",
    "rl.maxNewTokens=4",
    "rl.maxGenerationBatches=1",
    "rl.whenNoGroupSurvives=keep-all",
    "eval.limit=2",
    "eval.maxNewTokens=4",
  ],
});
const folder = runFolder(settings);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!isNative)("runSweep", () => {
  it("runs variants from one SFT model a seed, goes on where it stopped, and keeps traces and tensors flat", async () => {
    const experiment = await openExperiment(settings);
    const seen: { what: string; traces: number; tensors: number }[] = [];
    const options = (names: string[], seeds: number[]): SweepOptions => ({
      variants: names.map((name) => VARIANTS.find((variant) => variant.name === name)!),
      seeds,
      role: "dev",
      onStart: (what, index, total) =>
        seen.push({
          what: `${index + 1}/${total} ${what}`,
          traces: engineStats().length,
          tensors: tf.memory().numTensors,
        }),
    });
    await runSweep(experiment, options(["kl-0", "kl-0.1", "reward-substring"], [0]));
    options([], []).onStart!("end", 3, 3);
    expect(seen.map(({ what }) => what)).toEqual([
      "1/3 SFT model, seed 0",
      "1/3 kl-0, seed 0",
      "2/3 kl-0.1, seed 0",
      "3/3 reward-substring, seed 0",
      "4/3 end",
    ]);
    expect(new Set(seen.slice(2).map(({ traces }) => traces)).size).toBe(1);
    expect(new Set(seen.slice(2).map(({ tensors }) => tensors)).size).toBe(1);

    const model = path.join(folder, "models/sft/model.safetensors");
    const own = path.join(folder, "ablations/dev/kl-0/seed-0");
    expect(readdirSync(own).sort()).toEqual([
      "logs",
      "manifest.json",
      "models",
      "predictions",
      "rollouts",
      "settings.json",
      "split.json",
      "tensorboard",
    ]);
    expect(readdirSync(path.join(own, "models"))).toEqual(["tapo", "tapo.stamp"]); // no SFT model of its own
    expect(readFileSync(path.join(own, "models/tapo/README.md"), "utf8")).toContain(
      "# TAPO, variant kl-0, run sweep-test-",
    );
    expect(JSON.parse(readFileSync(path.join(own, "manifest.json"), "utf8"))).toMatchObject({
      variant: "kl-0",
      method: "tapo",
      set: ["rl.klCoefficient=0"],
      predictions: 4,
      settings: { rl: { klCoefficient: 0 }, eval: { role: "dev" } },
      seconds: expect.any(Number) as number,
    });

    const times = [
      model,
      path.join(own, "models/tapo/model.safetensors"),
      path.join(own, "manifest.json"),
      path.join(own, "predictions/kl-0.jsonl"),
    ].map((file) => statSync(file).mtimeMs);
    const calls = engineStats().map((stats) => stats.calls);
    await runSweep(experiment, options(["kl-0", "kl-0.1"], [0]));
    expect(engineStats().map((stats) => stats.calls)).toEqual(calls); // nothing was trained or asked again
    expect(
      [
        model,
        path.join(own, "models/tapo/model.safetensors"),
        path.join(own, "manifest.json"),
        path.join(own, "predictions/kl-0.jsonl"),
      ].map((file) => statSync(file).mtimeMs),
    ).toEqual(times);

    await runSweep(experiment, options(["base", "sft"], [1]));
    expect(existsSync(path.join(folder, "seeds/1/models/sft/model.safetensors"))).toBe(true);
    const { results, outdated } = finishedVariants(experiment, "dev");
    expect(
      results.map(({ variant, seed, rows }) => [
        variant.name,
        seed,
        rows.length,
        new Set(rows.map((row) => `${row.method} ${row.seed}`)).size,
      ]),
    ).toEqual([
      ["base", 1, 4, 1],
      ["sft", 1, 4, 1],
      ["kl-0", 0, 4, 1],
      ["kl-0.1", 0, 4, 1],
      ["reward-substring", 0, 4, 1],
    ]);
    expect([results[2].rows[0].method, outdated]).toEqual(["kl-0", 0]);
    experiment.close();
    expect(tf.memory().numTensors).toBe(0);
  }, 180_000);

  it("has in its table a variant whose predictions the run itself has already", async () => {
    const experiment = await openExperiment(settings);
    try {
      const rows = await evaluate(experiment, "base");
      await runSweep(experiment, { variants: VARIANTS.filter(({ name }) => name === "base"), seeds: [0], role: "dev" });
      const { results } = finishedVariants(experiment, "dev");
      const own = results.find(({ variant, seed }) => variant.name === "base" && seed === 0);
      expect(own?.rows).toEqual(rows);
    } finally {
      experiment.close();
    }
  }, 120_000);
});
