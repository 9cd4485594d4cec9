/** The study as files: `results.md` with its tables, `results.json`, and the figure of the hypotheses. */
import * as path from "node:path";
import { effectsFigure } from "../../report/figures-study";
import { saveFigures } from "../../report/static-figures";
import { writeText } from "../../util/files";
import { provenance } from "../identity";
import type { RunHome } from "../publish";
import type { ResultSource } from "./archive";
import { devRowsFor } from "./read";
import { resultsText } from "./results-text";
import { groupOf, studyFolder, studyRows } from "./run";
import { studyTables, type StudyTables } from "./tables";
import { CONTRASTIVE } from "./variants";

/** Which code made which results. */
function codes(sources: readonly ResultSource[]): Record<string, string[]> {
  const by = new Map<string, string[]>();
  for (const { code, variant, seed } of sources) by.set(code, [...(by.get(code) ?? []), `${variant}, seed ${seed}`]);
  return Object.fromEntries(by);
}

/**
 * Seeds by what their matrix products were computed in, the contrastive model aside, which starts from the base: `0, 1`
 * by `bfloat16`. Where a seed has both it stands at both.
 */
export function seedsByProducts(sources: readonly ResultSource[]): Record<string, string> {
  const by = new Map<string, Set<number>>();
  for (const { variant, seed, products = "not recorded" } of sources)
    if (variant !== CONTRASTIVE) by.set(products, (by.get(products) ?? new Set()).add(seed));
  const text = (seeds: Set<number>): string => [...seeds].sort((a, b) => a - b).join(", ");
  return Object.fromEntries([...by].sort().map(([products, seeds]) => [products, text(seeds)]));
}

export interface PublishedStudy extends StudyTables {
  folder: string;
  outdated: number;
}

/** Writes what is finished for some seeds; nothing is trained. @throws Error where nothing is finished */
export async function publishStudy(home: RunHome, seeds: readonly number[]): Promise<PublishedStudy> {
  const { rows, sources, outdated } = studyRows(home, seeds);
  const group = groupOf(home);
  const tables = studyTables(rows, group, devRowsFor(group));
  const { methods, tests, effects } = tables;
  if (methods.length === 0)
    throw new Error(`study: neither ${home.folder} nor the archive holds a finished result of these seeds`);
  const folder = studyFolder(home);
  const source = provenance(home.settings, home.benchmark.fingerprint);
  if (effects.length > 0)
    await saveFigures(
      [{ name: "hypotheses", figure: effectsFigure(effects), rows: effects, provenance: source }],
      folder,
    );
  writeText(
    path.join(folder, "results.md"),
    resultsText(home.benchmark.name, group, seeds, { ...tables, products: seedsByProducts(sources) }),
  );
  const results = {
    ...source,
    seeds,
    methods,
    tests,
    test_notes: tables.testNotes,
    excluded: tables.excluded,
    by_seed: tables.bySeed,
    by_domain: tables.byDomain,
    exploratory: tables.exploratory,
    ...(group === "test" ? { beside_dev: tables.besideDev } : {}),
    words: tables.words,
    code_of: codes(sources),
    products_of_seeds: seedsByProducts(sources),
  };
  writeText(path.join(folder, "results.json"), `${JSON.stringify(results, null, 2)}\n`);
  return { folder, ...tables, outdated };
}
