/**
 * Runs the study: the methods of the main table over seeds, and the contrastive model of each seed. What is on disk
 * under the same code, data and settings is loaded, and what is archived is not made again (`archive.ts`), so a run
 * that was ended goes on where it stopped.
 */
import { isStudy } from "../../benchmark/drawn";
import type { PredictionRow } from "../../eval/rows";
import { useBf16, type Products } from "../../engine/precision";
import { finishedVariants, runSweep, seedFolder } from "../ablations/run";
import { chooseVariants, VARIANTS, variantSettings, type Variant } from "../ablations/variants";
import { contrastiveRecipeOf, evaluateContrastive } from "../baselines/contrastive";
import { hashSettings, provenance } from "../identity";
import { variantOf } from "../open";
import type { RunHome } from "../publish";
import type { Settings } from "../settings";
import type { Watch } from "../stage";
import type { Experiment } from "../types";
import { archive, archived, isSameResult, readArchived, type ResultSource, type StudyResult } from "./archive";
import { archiveOf, groupFolder } from "./places";
import { CONTRASTIVE, variantsOf, type Group, type Part } from "./variants";

/** Which drawings are asked about: the study's two groups of domains both call them test images. */
export const ROLE = "test";

export interface StudyOptions extends Watch {
  part: Part;
  seeds: readonly number[];
  onStart?: (what: string, index: number, total: number) => void;
}

/** The group of domains that a benchmark of the study is. */
export const groupOf = ({ settings }: Pick<RunHome, "settings">): Group =>
  settings.benchmark === "emoji-study-test" ? "test" : "dev";

/** Where the results of a benchmark's study are published. */
export const studyFolder = (home: Pick<RunHome, "settings">): string => groupFolder(groupOf(home));

const archiveFolder = (home: Pick<RunHome, "settings">): string => archiveOf(studyFolder(home));

/**
 * A result as it is asked for now; null where there is no such variant. What `precision` came to is said beside the
 * settings and not in their hash, so that `precision=float32` goes on with what `auto` began in float32.
 */
function sourceOf({ settings: given, benchmark }: RunHome, variant: string, seed: number): ResultSource | null {
  const { code, data } = provenance(given, benchmark.fingerprint);
  const products: Products = useBf16(given.precision) ? "bfloat16" : "float32";
  const settings: Settings = { ...given, precision: "auto" };
  const of = (asked: Settings): ResultSource => ({
    variant,
    seed,
    code,
    data,
    settings: hashSettings(asked),
    products,
  });
  if (variant === CONTRASTIVE) return of({ ...settings, seed });
  const known = VARIANTS.find(({ name }) => name === variant);
  return known ? of(variantSettings(settings, known, { seed, role: ROLE })) : null;
}

/** Archived results that are asked for in the same way now, by what they were made by. */
export function usable(
  home: RunHome,
  folder: string = archiveFolder(home),
): { results: ResultSource[]; outdated: number } {
  const all = archived(folder);
  const results = all.filter((one) => {
    const now = sourceOf(home, one.variant, one.seed);
    return now !== null && isSameResult(one, now);
  });
  return { results, outdated: all.length - results.length };
}

/**
 * Every model that RL trains starts from its seed's SFT model, which other products train to other weights. The
 * contrastive model starts from the base.
 * @throws Error where results of these seeds were made with other products than this run's
 */
function refuseOtherProducts(home: RunHome, seeds: readonly number[], done: readonly ResultSource[]): void {
  for (const { variant, seed, products } of done) {
    if (variant === CONTRASTIVE || products === undefined || !seeds.includes(seed)) continue;
    const now = sourceOf(home, variant, seed)!.products;
    if (products !== now)
      throw new Error(
        `study: seed ${seed} was begun with products in ${products} (${archiveFolder(home)}), and here they are in ${now}: its other variants would start from another SFT model. Go on with --set precision=${products}, or run other seeds (--seeds)`,
      );
  }
}

/** What a study is to make. */
export interface StudyPlan {
  variants: Variant[];
  /** Whether a variant's or the contrastive model's result of a seed is archived: it is not made again. */
  isArchived(variant: string, seed: number): boolean;
}

/**
 * What is to be made of a part for some seeds.
 * @throws Error for a seed that was begun with products of another precision
 */
export function planStudy(home: RunHome, { part, seeds }: Pick<StudyOptions, "part" | "seeds">): StudyPlan {
  const variants = chooseVariants(home.settings, variantsOf(part));
  const done = usable(home).results;
  const isArchived = (variant: string, seed: number): boolean =>
    done.some((one) => one.variant === variant && one.seed === seed);
  const lacking = seeds.filter((seed) => variants.some(({ name }) => !isArchived(name, seed)));
  refuseOtherProducts(home, lacking, done);
  return { variants, isArchived };
}

/** Makes one result; it says what it begins. */
type Task = (onStart: (what: string) => void) => Promise<void>;

/**
 * Trains and asks what is neither on disk nor archived, and archives each variant of a seed as it is finished.
 * @throws Error for another benchmark, for a seed that was begun with products of another precision, or as training and
 *   evaluation do; what was finished stays on disk
 */
export async function runStudy(experiment: Experiment, options: StudyOptions): Promise<void> {
  const { settings } = experiment;
  if (!isStudy(settings.benchmark))
    throw new Error(`study: benchmark ${settings.benchmark}; expected emoji-study-dev or emoji-study-test`);
  const { variants, isArchived } = planStudy(experiment, options);
  const folder = archiveFolder(experiment);
  const work = options.seeds.flatMap((seed): Task[] => [
    ...variants
      .filter(({ name }) => !isArchived(name, seed))
      .map((variant): Task => async (onStart) => {
        await runSweep(experiment, { ...options, seeds: [seed], variants: [variant], role: ROLE, onStart });
        archive(folder, onDisk(experiment, variant.name, seed));
      }),
    ...(options.part === "main" && !isArchived(CONTRASTIVE, seed) ? [contrastiveTask(experiment, seed, options)] : []),
  ]);
  for (const [i, run] of work.entries()) await run((what) => options.onStart?.(what, i, work.length));
}

const contrastiveTask =
  (experiment: Experiment, seed: number, watch: Watch): Task =>
  async (onStart) => {
    const { settings } = experiment;
    onStart(`${CONTRASTIVE}, seed ${seed}`);
    const recipe = contrastiveRecipeOf(settings.benchmark);
    const own = variantOf(experiment, { settings: { ...settings, seed }, folder: seedFolder(experiment, seed) });
    const rows = await evaluateContrastive(own, CONTRASTIVE, { recipe, watch });
    archive(archiveFolder(experiment), [{ ...sourceOf(experiment, CONTRASTIVE, seed)!, rows }]);
  };

/** What is finished in the run's folder, with the products that it was made in; the contrastive model aside. */
function allOnDisk(home: RunHome): { results: StudyResult[]; outdated: number } {
  const found = finishedVariants(home, ROLE);
  const results = found.results.map(({ variant, seed, rows, products }): StudyResult => {
    const { products: _, ...source } = sourceOf(home, variant.name, seed)!;
    return { ...source, ...(products === undefined ? {} : { products }), rows };
  });
  return { results, outdated: found.outdated };
}

const onDisk = (home: RunHome, variant: string, seed: number): StudyResult[] =>
  allOnDisk(home).results.filter((one) => one.variant === variant && one.seed === seed);

/** What is finished: on disk, else archived. `outdated` counts results of other code, data or settings. */
export function studyRows(
  home: RunHome,
  seeds: readonly number[],
  folder: string = archiveFolder(home),
): { rows: Map<string, PredictionRow[]>; sources: ResultSource[]; outdated: number } {
  const disk = allOnDisk(home);
  const own = disk.results.filter(({ seed }) => seeds.includes(seed));
  const kept = usable(home, folder);
  const others = kept.results.filter(
    (one) => seeds.includes(one.seed) && !own.some((result) => isSameResult(result, one)),
  );
  const results = [...own, ...others.map((one) => readArchived(folder, one))];
  results.sort((a, b) => a.seed - b.seed);
  const rows = new Map<string, PredictionRow[]>();
  for (const { variant, rows: own } of results) rows.set(variant, [...(rows.get(variant) ?? []), ...own]);
  return { rows, sources: results.map(({ rows: _, ...source }) => source), outdated: disk.outdated + kept.outdated };
}
