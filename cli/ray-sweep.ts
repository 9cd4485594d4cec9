/** `ablations` and `study` on a Ray cluster: their sweep as tasks, and one of these tasks. */
import { parseStep, sweepTasks, type Sweep } from "../lib/cluster/sweep-tasks";
import { finishedVariants, type Role } from "../lib/experiment/ablations/run";
import type { Variant } from "../lib/experiment/ablations/variants";
import { benchmarkOf } from "../lib/experiment/open";
import { runFolder } from "../lib/experiment/run";
import type { Settings } from "../lib/experiment/settings";
import { progressSeries } from "../lib/report/progress";
import { openFor } from "./experiment";
import { runOnRay, type RayOptions } from "./ray";

/** Variants of a sweep, or of one of its tasks. */
export interface SweepWork {
  variants: readonly Variant[];
  seeds: readonly number[];
  role: Role;
}

/**
 * Trains and asks on the cluster what is not yet on disk.
 * @throws Error where a task failed, or what they left is not of this code, data and settings
 */
export async function sweepOnRay(
  settings: Settings,
  options: RayOptions,
  work: SweepWork & Pick<Sweep, "words" | "contrastive">,
): Promise<void> {
  const benchmark = await benchmarkOf(settings);
  const [first] = benchmark.subcategories();
  const embeds = first !== undefined && benchmark.neighbours(first) === null && settings.similarity !== "names";
  const folder = runFolder(settings);
  const home = { settings, benchmark, folder };
  /** Of the sweep, what has no result yet. */
  const missing = (): { variant: Variant; seed: number }[] => {
    const { results } = finishedVariants(home, work.role);
    const found = new Set(results.map(({ variant, seed }) => `${variant.name} ${seed}`));
    const all = work.variants.flatMap((variant) => work.seeds.map((seed) => ({ variant, seed })));
    return all.filter(({ variant, seed }) => !found.has(`${variant.name} ${seed}`));
  };
  const open = new Set(missing().map(({ variant, seed }) => `${variant.name} ${seed}`));
  const isThere = (variant: Variant, seed: number): boolean => !open.has(`${variant.name} ${seed}`);
  const tasks = sweepTasks({ ...work, embeds, isThere, ownSeed: settings.seed });
  if (tasks.length > 0) await runOnRay(options, { folder, tasks, name: work.words[0], settings });
  const left = missing().map(({ variant, seed }) => `${variant.name}, seed ${seed}`);
  if (left.length > 0)
    throw new Error(
      `the tasks are done, and yet ${folder} has no result of this code, data and settings for ${left.join("; ")}: is it the folder that the nodes write to (--ray-root)?`,
    );
}

/** Runs one task of a sweep. @returns exit code */
export async function runSweepTask(settings: Settings, text: string, work: SweepWork): Promise<number> {
  const step = parseStep(text);
  const { checkCode } = await import("../lib/cluster/same-code");
  const { runStep } = await import("../lib/cluster/sweep-step");
  const { variantOf } = await import("../lib/experiment/open");
  checkCode();
  const experiment = await openFor({ ...settings, eval: { ...settings.eval, role: work.role } });
  const bars = progressSeries();
  try {
    await runStep(variantOf(experiment, { settings, folder: experiment.folder }), {
      ...work,
      step,
      onStart: (what) => bars.start(what),
      onProgress: (done, total, text) => bars.update(done, text, total),
    });
    bars.finish();
  } catch (error) {
    bars.stop();
    throw error;
  } finally {
    experiment.close();
  }
  return 0;
}
