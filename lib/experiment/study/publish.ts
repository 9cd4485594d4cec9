/** The study as files: `results.md` with its two tables, `results.json`, and the figure of the hypotheses. */
import * as path from "node:path";
import { plannedInterval, seedSummary, type SeedCell, type StudySize } from "../../eval/seeds";
import type { PredictionRow } from "../../eval/rows";
import { summariseMethods } from "../../eval/summary";
import { effectsFigure, type Effect } from "../../report/figures-study";
import { saveFigures } from "../../report/static-figures";
import { toMarkdown, type TableRow } from "../../report/tables";
import { writeText } from "../../util/files";
import { provenance } from "../identity";
import type { RunHome } from "../publish";
import type { ResultSource } from "./archive";
import { testHypotheses, type Tested } from "./hypotheses";
import { CONTRASTIVE, MAIN_VARIANTS, studyFolder, studyRows } from "./run";

/** The study's size on the test group, by the protocol. */
const PLANNED_SIZE: StudySize = { subcategories: 463, seeds: 5 };

const CELL_NAMES = ["closed seen", "closed unseen", "open seen", "open unseen", "mean"];
const percent = (x: number): string => (100 * x).toFixed(1);
const cellText = (cell: SeedCell | null): string =>
  cell ? `${percent(cell.accuracy)} [${percent(cell.low)}, ${percent(cell.high)}]` : "-";

/** One line of the main table: accuracies with intervals, and what a policy that games its reward would show. */
function methodLine(name: string, rows: readonly PredictionRow[]): TableRow {
  const { seeds, cells, mean } = seedSummary(rows);
  const summaries = summariseMethods(rows);
  const over = (value: (line: (typeof summaries)[number]) => number): number =>
    summaries.reduce((sum, line) => sum + value(line) * line.n, 0) / rows.length;
  return {
    method: name,
    seeds: seeds.length,
    ...Object.fromEntries([...cells, mean].map((cell, i) => [CELL_NAMES[i], cellText(cell)])),
    "format %": percent(over((line) => line.format)),
    "listing %": percent(over((line) => line.listing)),
    length: over((line) => line.length).toFixed(1),
  };
}

const splitsText = (splits: readonly string[]): string => splits.join(" and ");
const points = (x: number): string => `${x >= 0 ? "+" : "-"}${(100 * Math.abs(x)).toFixed(2)}`;

function testLines(tested: readonly Tested[]): TableRow[] {
  return tested.flatMap(({ hypothesis, differences, holm, holds }) =>
    differences.map(({ a, b, splits, difference, low, high, p }) => ({
      hypothesis: hypothesis.name,
      difference: `${a} - ${b}`,
      "sub-categories": splitsText(splits),
      points: points(difference),
      "95 %": `[${points(low)}, ${points(high)}]`,
      p: p < 0.001 ? "<0.001" : p.toFixed(3),
      "p (Holm)": holm < 0.001 ? "<0.001" : holm.toFixed(3),
      holds: holds ? "yes" : "no",
    })),
  );
}

/** Which code made which results. */
function codes(sources: readonly ResultSource[]): Record<string, string[]> {
  const by = new Map<string, string[]>();
  for (const { code, variant, seed } of sources) by.set(code, [...(by.get(code) ?? []), `${variant}, seed ${seed}`]);
  return Object.fromEntries(by);
}

export interface PublishedStudy {
  folder: string;
  methods: TableRow[];
  tests: TableRow[];
  tested: Tested[];
  outdated: number;
}

/** Writes what is finished for some seeds; nothing is trained. @throws Error where nothing is finished */
export async function publishStudy(home: RunHome, seeds: readonly number[]): Promise<PublishedStudy> {
  const { rows, sources, outdated } = studyRows(home, seeds);
  const names = [...MAIN_VARIANTS, CONTRASTIVE].filter((name) => rows.has(name));
  if (names.length === 0) throw new Error(`study: ${home.folder} holds no finished result of these seeds`);
  const methods = names.map((name) => methodLine(name, rows.get(name)!));
  const tested = testHypotheses(rows);
  const tests = testLines(tested);
  const folder = studyFolder(home);
  const source = provenance(home.settings, home.benchmark.fingerprint);
  const effects = tested.flatMap(({ hypothesis, differences, holds }): Effect[] =>
    differences.map((d) => ({
      label: `${hypothesis.name}: ${d.a} - ${d.b}, ${splitsText(d.splits)}`,
      difference: d.difference,
      low: d.low,
      high: d.high,
      holds,
    })),
  );
  if (effects.length > 0)
    await saveFigures(
      [{ name: "hypotheses", figure: effectsFigure(effects), rows: effects, provenance: source }],
      folder,
    );
  const [first, second] = [rows.get("tapo"), rows.get("sft")];
  const planned = first && second && plannedInterval(first, second, PLANNED_SIZE);
  const text = [
    `# The study on ${home.benchmark.name}`,
    `Made by \`npm run study -- --on ${home.benchmark.name.replace(/^emoji-study-/, "")} --seeds ${seeds.join(",")}\`; seeds ${seeds.join(", ")}. Accuracy in % by text inclusion, 95 % intervals of a two-level bootstrap over seeds and sub-categories.`,
    "## Methods",
    toMarkdown(methods),
    "## Hypotheses",
    tested.length === 0 ? "None can be tested yet." : toMarkdown(tests),
    ...(planned
      ? [
          `At ${PLANNED_SIZE.subcategories} sub-categories and ${PLANNED_SIZE.seeds} seeds the interval of \`tapo\` - \`sft\` would be ${((100 * (planned.high - planned.low)) / 2).toFixed(2)} points to either side.`,
        ]
      : []),
  ].join("\n\n");
  writeText(path.join(folder, "results.md"), `${text}\n`);
  writeText(
    path.join(folder, "results.json"),
    `${JSON.stringify({ ...source, seeds, methods, tests, code_of: codes(sources) }, null, 2)}\n`,
  );
  return { folder, methods, tests, tested, outdated };
}
