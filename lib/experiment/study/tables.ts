/** The study's tables and the effects of its figure, from predictions. */
import { plannedInterval, seedSummary, type SeedCell, type StudySize } from "../../eval/seeds";
import { loadEmojiFgvr } from "../../benchmark/emoji-fgvr";
import type { PredictionRow } from "../../eval/rows";
import { summariseMethods } from "../../eval/summary";
import type { Effect } from "../../report/figures-study";
import type { TableRow } from "../../report/tables";
import { testHypotheses, type Tested } from "./hypotheses";
import { knownWords, ownWordLines } from "./own-words";
import { CONTRASTIVE, MAIN_VARIANTS } from "./variants";

/** The study's size on the test group, by the protocol. */
export const PLANNED_SIZE: StudySize = { subcategories: 463, seeds: 5 };

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

/** What the study's predictions say. */
export interface StudyTables {
  /** One line a method, in the protocol's order. */
  methods: TableRow[];
  /** One line a difference. */
  tests: TableRow[];
  tested: Tested[];
  effects: Effect[];
  /** One line a method that reasons: what the words of its analysis are worth (`own-words.ts`). */
  words: TableRow[];
  /** Half the interval of `tapo` - `sft` to expect at `PLANNED_SIZE`, in [0, 1]; null where one of them is missing. */
  halfWidth: number | null;
}

/** @param rows variant or baseline -> its rows of all seeds */
export function studyTables(rows: ReadonlyMap<string, readonly PredictionRow[]>): StudyTables {
  const names = [...MAIN_VARIANTS, CONTRASTIVE].filter((name) => rows.has(name));
  const tested = testHypotheses(rows);
  const effects = tested.flatMap(({ hypothesis, differences, holds }): Effect[] =>
    differences.map(({ a, b, splits, difference, low, high }) => ({
      label: `${hypothesis.name}: ${a} - ${b}, ${splitsText(splits)}`,
      difference,
      low,
      high,
      holds,
    })),
  );
  const [first, second] = [rows.get("tapo"), rows.get("sft")];
  const planned = first && second && plannedInterval(first, second, PLANNED_SIZE);
  return {
    methods: names.map((name) => methodLine(name, rows.get(name)!)),
    tests: testLines(tested),
    tested,
    effects,
    words: ownWordLines(rows, names, knownWords(loadEmojiFgvr({ edition: "emoji-study" }).concepts)),
    halfWidth: planned ? (planned.high - planned.low) / 2 : null,
  };
}
