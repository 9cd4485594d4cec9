/** The study as files: `results.md` with its tables, `results.json`, and the figure of the hypotheses. */
import * as path from "node:path";
import { effectsFigure } from "../../report/figures-study";
import { saveFigures } from "../../report/static-figures";
import { toMarkdown } from "../../report/tables";
import { writeText } from "../../util/files";
import { provenance } from "../identity";
import type { RunHome } from "../publish";
import type { ResultSource } from "./archive";
import { studyFolder, studyRows } from "./run";
import { PLANNED_SIZE, studyTables, type StudyTables } from "./tables";

/** Which code made which results. */
function codes(sources: readonly ResultSource[]): Record<string, string[]> {
  const by = new Map<string, string[]>();
  for (const { code, variant, seed } of sources) by.set(code, [...(by.get(code) ?? []), `${variant}, seed ${seed}`]);
  return Object.fromEntries(by);
}

export interface PublishedStudy extends StudyTables {
  folder: string;
  outdated: number;
}

/** Writes what is finished for some seeds; nothing is trained. @throws Error where nothing is finished */
export async function publishStudy(home: RunHome, seeds: readonly number[]): Promise<PublishedStudy> {
  const { rows, sources, outdated } = studyRows(home, seeds);
  const tables = studyTables(rows);
  const { methods, tests, effects, halfWidth, words } = tables;
  if (methods.length === 0)
    throw new Error(`study: neither ${home.folder} nor the archive holds a finished result of these seeds`);
  const folder = studyFolder(home);
  const source = provenance(home.settings, home.benchmark.fingerprint);
  if (effects.length > 0)
    await saveFigures(
      [{ name: "hypotheses", figure: effectsFigure(effects), rows: effects, provenance: source }],
      folder,
    );
  const text = [
    `# The study on ${home.benchmark.name}`,
    `Made by \`npm run study -- --on ${path.basename(folder)} --seeds ${seeds.join(",")}\`; seeds ${seeds.join(", ")}. Accuracy in % by text inclusion, 95 % intervals of a two-level bootstrap over seeds and sub-categories.`,
    "## Methods",
    toMarkdown(methods),
    "## Hypotheses",
    tests.length === 0 ? "None can be tested yet." : toMarkdown(tests),
    ...(halfWidth === null
      ? []
      : [
          `At ${PLANNED_SIZE.subcategories} sub-categories and ${PLANNED_SIZE.seeds} seeds the interval of \`tapo\` - \`sft\` would be ${(100 * halfWidth).toFixed(2)} points to either side.`,
        ]),
    ...(words.length === 0
      ? []
      : [
          "## The words of the analysis",
          "In %: of the words that the sub-category is known by, those that the model's analysis has; of the analysis, those that are true; the accuracy by how many of the true words it has; and in wrong answers, the words of the analysis that are of what is answered, and of the truth.",
          toMarkdown(words),
        ]),
  ].join("\n\n");
  writeText(path.join(folder, "results.md"), `${text}\n`);
  const results = { ...source, seeds, methods, tests, words, code_of: codes(sources) };
  writeText(path.join(folder, "results.json"), `${JSON.stringify(results, null, 2)}\n`);
  return { folder, ...tables, outdated };
}
