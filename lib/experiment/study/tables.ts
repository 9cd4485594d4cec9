/** The study's tables and the effects of its figure, from predictions. */
import { loadEmojiFgvr } from "../../benchmark/emoji-fgvr";
import { pairSeeds } from "../../eval/paired-seeds";
import type { PredictionRow } from "../../eval/rows";
import { scoreRow } from "../../eval/score";
import { plannedInterval, seedSummary, type SeedCell, type StudySize } from "../../eval/seeds";
import { summariseMethods } from "../../eval/summary";
import type { Effect } from "../../report/figures-study";
import type { TableRow } from "../../report/tables";
import { besideDevLines } from "./beside-dev";
import { domainLines, seedLines } from "./breakdown";
import { whereText } from "./contrast-text";
import type { RowsByMethod } from "./contrasts";
import { exploratoryLines } from "./exploratory";
import { testHypotheses, type Tested } from "./hypotheses";
import { knownWords, ownWordLines } from "./own-words";
import { excludedLines, testLines, testNotes } from "./test-tables";
import { CONTRASTIVE, MAIN_VARIANTS, type Group } from "./variants";

/** The study's size on the test group, by the protocol. */
export const PLANNED_SIZE: StudySize = { subcategories: 463, seeds: 5 };

const CELL_NAMES = ["closed seen", "closed unseen", "open seen", "open unseen", "mean"];
const percent = (x: number): string => (100 * x).toFixed(1);
const cellText = (cell: SeedCell | null): string =>
  cell ? `${percent(cell.accuracy)} [${percent(cell.low)}, ${percent(cell.high)}]` : "-";

/** Whether an answer holds the name and is not the name alone: exact match counts it as wrong. */
function isInclusionOnly(row: PredictionRow): boolean {
  const { substring, exact } = scoreRow(row, row.setting);
  return substring && !exact;
}

/**
 * One line of the main table: accuracies with intervals, what a policy that games its reward would show, and the number
 * of answers (of all seeds) on which text inclusion and exact match differ.
 */
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
    "inclusion only": rows.filter(isInclusionOnly).length,
  };
}

/** What the study's predictions say. */
export interface StudyTables {
  /** One line a method, in the protocol's order. */
  methods: TableRow[];
  /** One line a difference of the hypotheses; and how to read them. */
  tests: TableRow[];
  testNotes: string[];
  tested: Tested[];
  effects: Effect[];
  /** The same differences: what their intervals exclude, seed by seed, and domain by domain. */
  excluded: TableRow[];
  bySeed: TableRow[];
  byDomain: TableRow[];
  /** Differences of no hypothesis, not corrected. */
  exploratory: TableRow[];
  /** On the test group, what dev predicted; else empty. */
  besideDev: TableRow[];
  /** One line a method that reasons: what the words of its analysis are worth (`own-words.ts`). */
  words: TableRow[];
  /**
   * Half the interval of `tapo` - `sft` to expect at `PLANNED_SIZE`, in [0, 1], and from how many seeds; null where one
   * of them is missing, and on the test group where all seeds are there.
   */
  planned: { halfWidth: number; seeds: number } | null;
}

function plannedWidth(rows: RowsByMethod, group: Group): StudyTables["planned"] {
  const paired = pairSeeds(rows.get("tapo") ?? [], rows.get("sft") ?? []);
  if (!paired || (group === "test" && paired.seeds.length >= PLANNED_SIZE.seeds)) return null;
  const { low, high } = plannedInterval(paired, PLANNED_SIZE);
  return { halfWidth: (high - low) / 2, seeds: paired.seeds.length };
}

/**
 * @param group the rows' domains
 * @param dev of the test group, dev's rows to set beside them
 */
export function studyTables(rows: RowsByMethod, group: Group = "dev", dev: RowsByMethod | null = null): StudyTables {
  const names = [...MAIN_VARIANTS, CONTRASTIVE].filter((name) => rows.has(name));
  const tested = testHypotheses(rows);
  const effects = tested.flatMap(({ hypothesis, differences, holds }): Effect[] =>
    differences.map((of) => ({
      label: `${hypothesis.name}: ${of.a} - ${of.b}, ${whereText(of)}`,
      difference: of.difference,
      low: of.low,
      high: of.high,
      holds,
    })),
  );
  return {
    methods: names.map((name) => methodLine(name, rows.get(name)!)),
    tests: testLines(tested),
    testNotes: testNotes(tested),
    tested,
    effects,
    excluded: excludedLines(tested),
    bySeed: seedLines(tested),
    byDomain: domainLines(tested),
    exploratory: exploratoryLines(rows),
    besideDev: dev ? besideDevLines(tested, testHypotheses(dev)) : [],
    words: ownWordLines(rows, names, knownWords(loadEmojiFgvr({ edition: "emoji-study" }).concepts)),
    planned: plannedWidth(rows, group),
  };
}
