/**
 * Runs variants of the shipped experiment: for every seed one SFT model, from which all variants of that seed start but
 * those that change Stage 1 (its shots or records), which have their own.
 * What is on disk under the same code, data and settings is loaded, so a run that was ended goes on where it stopped.
 *
 * Files: `data/runs/<run>/ablations/<role>/<variant>/seed-<seed>/` holds a variant's model, log, predictions and
 * manifest, and `data/runs/<run>/seeds/<seed>/` the SFT model of a seed that is not the run's own.
 */
import { existsSync, readdirSync } from "node:fs";
import * as path from "node:path";
import { engineStats, releaseTraces, type TraceStats } from "../../engine/compile";
import type { Products } from "../../engine/precision";
import { disposeTree } from "../../engine/tree";
import type { PredictionRow } from "../../eval/rows";
import { METHODS } from "../../train/methods";
import { evaluate } from "../evaluate";
import { hashSettings, provenance, type Provenance } from "../identity";
import { readManifest, writeManifest } from "../manifest";
import { variantOf } from "../open";
import type { RunHome } from "../publish";
import { sftModel } from "../sft";
import type { Watch } from "../stage";
import type { Experiment } from "../types";
import { readJsonl, writeJsonl } from "../../util/files";
import type { Settings } from "../settings";
import { chooseVariants, VARIANTS, variantSettings, type Variant } from "./variants";

/** Whose drawings are asked about. */
export type Role = Settings["eval"]["role"];

/** What a sweep is told. */
export interface SweepOptions extends Watch {
  variants: readonly Variant[];
  seeds: readonly number[];
  /** `test` only once every choice is made. */
  role: Role;
  /**
   * Called before each variant, and before the SFT model of a seed: what comes, how many variants are done, of how
   * many.
   */
  onStart?: (what: string, index: number, total: number) => void;
}

/** Predictions of one variant and seed, and the seconds its steps of Stage 2 took (null: no such stage). */
export interface VariantResult {
  variant: Variant;
  seed: number;
  rows: PredictionRow[];
  seconds: number | null;
  /** What its matrix products were computed in, by its manifest; absent where that does not say. */
  products?: Products;
}

/** Where a seed's SFT model and baselines are. */
export const seedFolder = ({ folder, settings }: Pick<Experiment, "folder" | "settings">, seed: number): string =>
  seed === settings.seed ? folder : path.join(folder, "seeds", String(seed));
const variantFolder = (run: string, role: Role, variant: Variant, seed: number): string =>
  path.join(run, "ablations", role, variant.name, `seed-${seed}`);
const ROLES: readonly Role[] = ["dev", "test"];

/**
 * The experiment of one variant and seed, on the same workbench. Models are taken from the seed's folder where they
 * have its identity.
 */
export function variantExperiment(
  experiment: Experiment,
  variant: Variant,
  { seed, role }: { seed: number; role: Role },
): Experiment {
  const elsewhere = ROLES.filter((other) => other !== role);
  const set = JSON.stringify(variant.set);
  const stage1 = VARIANTS.filter((one) => one.method === "sft" && one !== variant && JSON.stringify(one.set) === set);
  return variantOf(experiment, {
    settings: variantSettings(experiment.settings, variant, { seed, role }),
    folder: variantFolder(experiment.folder, role, variant, seed),
    sources: [
      seedFolder(experiment, seed),
      ...elsewhere.map((other) => variantFolder(experiment.folder, other, variant, seed)),
      // the SFT model of the same shots, where Stage 2 has such a variant too
      ...stage1.flatMap((one) => ROLES.map((any) => variantFolder(experiment.folder, any, one, seed))),
    ],
    label: variant.name,
  });
}

/** Seconds that the logged steps of a variant took. */
function trainingSeconds(of: Experiment, variant: Variant): number | null {
  const log = [of.folder, ...(of.sources ?? [])]
    .map((run) => path.join(run, "logs", `${variant.method}.jsonl`))
    .find((file) => existsSync(file));
  const seconds = log === undefined ? [] : readJsonl<{ seconds?: number }>(log).map((row) => row.seconds);
  return seconds.length === 0 || seconds.includes(undefined) ? null : seconds.reduce<number>((sum, s) => sum + s!, 0);
}

/** Whether a variant's manifest is of this code, data and these settings. */
function isCurrent(folder: string, source: Provenance, settings: Settings): boolean {
  const known = readManifest(folder)?.provenance;
  return known?.code === source.code && known.data === source.data && known.settings === hashSettings(settings);
}

/** What a variant's manifest says that its matrix products were computed in. */
function productsOf(folder: string): Products | undefined {
  const { machine } = readManifest(folder) as { machine?: { bf16?: boolean } };
  return machine?.bf16 === undefined ? undefined : productsIn(machine.bf16);
}
const productsIn = (bf16: boolean): Products => (bf16 ? "bfloat16" : "float32");

/** Trains and asks one variant, or loads what it left. */
async function runVariant(
  experiment: Experiment,
  variant: Variant,
  options: SweepOptions & { seed: number },
): Promise<void> {
  const own = variantExperiment(experiment, variant, options);
  const rows = await evaluate(own, variant.method, options);
  const isTold = isCurrent(own.folder, provenance(own.settings, own.benchmark.fingerprint), own.settings);
  // with precision=auto, another machine may have made what was there in other products
  if (isTold && productsOf(own.folder) === productsIn(own.bf16)) return;
  const { name, method, set } = variant;
  // a variant that is the run itself was asked there; the table reads every variant's own folder
  writeJsonl(path.join(own.folder, "predictions", `${name}.jsonl`), rows);
  writeManifest(own, {
    variant: name,
    method,
    set,
    predictions: rows.length,
    seconds: trainingSeconds(own, variant),
  });
}

/**
 * Runs every variant for every seed, seed by seed. Compiled functions that a variant did not call are forgotten after
 * it, so that their number does not grow with the sweep.
 * @throws Error as training does; what was finished before stays on disk
 */
export async function runSweep(experiment: Experiment, options: SweepOptions): Promise<void> {
  const { variants, seeds } = options;
  let index = 0;
  const start = (what: string): void => options.onStart?.(what, index, variants.length * seeds.length);
  for (const seed of seeds) {
    const first = variantOf(experiment, {
      settings: { ...experiment.settings, seed },
      folder: seedFolder(experiment, seed),
    });
    if (variants.some(({ method }) => method === "sft" || METHODS[method].stage === "rl")) {
      start(`SFT model, seed ${seed}`);
      disposeTree((await sftModel(first, "sft", options)).params);
    }
    for (const variant of variants) {
      start(`${variant.name}, seed ${seed}`);
      const before = new Map(engineStats().map((stats) => [stats, stats.calls]));
      const isIdle = (stats: TraceStats): boolean => before.get(stats) === stats.calls;
      await runVariant(experiment, variant, { ...options, seed });
      if (!engineStats().every(isIdle)) releaseTraces(isIdle); // all idle: the variant was on disk
      index++;
    }
  }
}

/**
 * What a run's finished variants left, without a model: those of this code, data and the run's settings.
 * @returns in the order of `VARIANTS`, by seed; `outdated` counts variants on disk that other code, data or settings
 * made
 */
export function finishedVariants(
  { settings, benchmark, folder: run }: RunHome,
  role: Role,
): { results: VariantResult[]; outdated: number } {
  const results: VariantResult[] = [];
  let outdated = 0;
  const source = provenance(settings, benchmark.fingerprint);
  for (const variant of chooseVariants(settings)) {
    const folder = path.join(run, "ablations", role, variant.name);
    const seeds = existsSync(folder)
      ? readdirSync(folder)
          .flatMap((name) => /^seed-(\d+)$/.exec(name)?.[1] ?? [])
          .map(Number)
          .sort((a, b) => a - b)
      : [];
    for (const seed of seeds) {
      const own = variantFolder(run, role, variant, seed);
      const file = path.join(own, "predictions", `${variant.name}.jsonl`);
      if (!existsSync(file) || !readManifest(own)) continue; // under way
      if (isCurrent(own, source, variantSettings(settings, variant, { seed, role }))) {
        const products = productsOf(own);
        results.push({
          variant,
          seed,
          rows: readJsonl<PredictionRow>(file),
          seconds: readManifest(own)!.seconds ?? null,
          ...(products === undefined ? {} : { products }),
        });
      } else outdated++;
    }
  }
  return { results, outdated };
}
