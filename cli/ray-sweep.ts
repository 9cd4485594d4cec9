/** `ablations` and `study` on a Ray cluster: their sweep as tasks, and one of these tasks. */
import { checkProducts, productsAsked } from "../lib/cluster/same-products";
import { parseStep, sweepTasks, type Sweep } from "../lib/cluster/sweep-tasks";
import { finishedVariants, type Role } from "../lib/experiment/ablations/run";
import type { Variant } from "../lib/experiment/ablations/variants";
import { benchmarkOf } from "../lib/experiment/open";
import type { RunHome } from "../lib/experiment/publish";
import { runFolder } from "../lib/experiment/run";
import type { Settings } from "../lib/experiment/settings";
import { CONTRASTIVE } from "../lib/experiment/study/variants";
import { progressSeries } from "../lib/report/progress";
import { openFor } from "./experiment";
import { runOnRay, type RayOptions } from "./ray";

/** Variants of a sweep, or of one of its tasks. */
export interface SweepWork {
  variants: readonly Variant[];
  seeds: readonly number[];
  role: Role;
}

/** A variant of one seed. */
interface Open {
  variant: Variant;
  seed: number;
}

/**
 * What of a sweep has no result yet, made in the products that are asked for here. Those of others are stale to whoever
 * loads them.
 * @param isElsewhere what has one outside the run's folder
 */
export function openVariants(
  home: RunHome,
  { variants, seeds, role }: SweepWork,
  isElsewhere: (name: string, seed: number) => boolean,
): Open[] {
  const products = productsAsked(home.settings);
  const found = new Set(
    finishedVariants(home, role)
      .results.filter((one) => one.products === products)
      .map(({ variant, seed }) => `${variant.name} ${seed}`),
  );
  return variants
    .flatMap((variant) => seeds.map((seed) => ({ variant, seed })))
    .filter(({ variant: { name }, seed }) => !found.has(`${name} ${seed}`) && !isElsewhere(name, seed));
}

/** A sweep for the cluster. */
interface SpreadSweep extends SweepWork, Pick<Sweep, "words" | "contrastive"> {
  /** What is not made again: a variant, or the contrastive model, by its name. */
  isArchived?: (name: string, seed: number) => boolean;
}

/**
 * Trains and asks on the cluster what is neither on disk nor archived.
 * @throws Error where a task failed, or what they left is not of this code, data and settings
 */
export async function sweepOnRay(settings: Settings, options: RayOptions, work: SpreadSweep): Promise<void> {
  const benchmark = await benchmarkOf(settings);
  const [first] = benchmark.subcategories();
  const embeds = first !== undefined && benchmark.neighbours(first) === null && settings.similarity !== "names";
  const folder = runFolder(settings);
  const home = { settings, benchmark, folder };
  const { isArchived = () => false } = work;
  const missing = (): Open[] => openVariants(home, work, isArchived);
  const open = new Set(missing().map(({ variant, seed }) => `${variant.name} ${seed}`));
  const isThere = (name: string, seed: number): boolean =>
    name === CONTRASTIVE ? isArchived(name, seed) : !open.has(`${name} ${seed}`);
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
  checkProducts(settings);
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
