/** The tasks of a sweep, one after another without Ray, leave the files of one sweep. */
import { appendFileSync } from "node:fs";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runStep } from "../../lib/cluster/sweep-step";
import { parseStep, sweepTasks } from "../../lib/cluster/sweep-tasks";
import { runSweep } from "../../lib/experiment/ablations/run";
import { chooseVariants } from "../../lib/experiment/ablations/variants";
import { openExperiment, variantOf } from "../../lib/experiment/open";
import { loadSettings } from "../../lib/experiment/load-settings";
import type { Experiment } from "../../lib/experiment/types";
import { differences } from "../../tools/cluster/same-results";
import { temporaryFolder } from "../benchmark/photographs/trees";

const folder = temporaryFolder();
let experiment: Experiment;
beforeAll(async () => {
  const set = ["rl.steps=1", "eval.limit=6", "cot.subCategories=4"];
  experiment = await openExperiment(loadSettings({ scale: "smoke", set, environment: {} }), { say: () => undefined });
});
afterAll(() => experiment.close());

describe("a sweep in tasks", () => {
  it("leaves the files of one sweep, models and predictions to the byte", async () => {
    const at = (name: string): Experiment =>
      variantOf(experiment, { settings: experiment.settings, folder: path.join(folder, name) });
    const all = chooseVariants(experiment.settings);
    const variants = all.filter(({ name }) => ["base", "sft", "tapo"].includes(name));
    const seeds = [0, 1];
    await runSweep(at("sweep-whole"), { variants, seeds, role: "dev" });
    for (const { args } of sweepTasks({ variants, seeds, embeds: false, ownSeed: 0, role: "dev", words: [] })) {
      const [seed, step] = args.map((word) => word.slice(word.indexOf("=") + 1));
      await runStep(at("sweep-in-tasks"), { step: parseStep(step), seeds: [Number(seed)], variants: all, role: "dev" });
    }
    const { compared, differ } = differences(path.join(folder, "sweep-whole"), path.join(folder, "sweep-in-tasks"));
    expect(differ).toEqual([]);
    expect(compared).toBeGreaterThan(40);
    // and the comparison sees one byte
    appendFileSync(path.join(folder, "sweep-in-tasks/ablations/dev/tapo/seed-1/predictions/tapo.jsonl"), "\n");
    appendFileSync(path.join(folder, "sweep-in-tasks/seeds/1/models/sft/model.safetensors"), "\0");
    expect(differences(path.join(folder, "sweep-whole"), path.join(folder, "sweep-in-tasks")).differ).toEqual([
      "ablations/dev/tapo/seed-1/predictions/tapo.jsonl",
      "seeds/1/models/sft/model.safetensors",
    ]);
  });

  it("refuses a variant that there is not", async () => {
    const step = parseStep("variant:nothing");
    const options = { step, seeds: [0], variants: chooseVariants(experiment.settings), role: "dev" as const };
    await expect(runStep(experiment, options)).rejects.toThrow('no variant is called "nothing"');
  });
});
