/** A run's accuracies beside the paper's rows of the same image sets. */
import { SET_NAMES } from "../formats/set-names";
import type { PredictionRow, Setting, Split } from "../eval/rows";
import { resultsTable } from "../eval/results";
import { paperLong, pivotSets, readPaperTable, runLong, type LongCell } from "./paper";
import type { TableRow } from "./tables";

/** What a run was, for what it differs in from the paper. */
export interface RunFacts {
  run: string;
  /** Title of the benchmark. */
  benchmark: string;
  model: string;
  optionOrder: "shuffled" | "released";
  /** Rows of each world; 0 for all. */
  limit: number;
}

/** Models of the paper's tables that a run is set beside, where no others are named. */
export const BESIDE = ["Qwen2.5-VL-3B", "Qwen2.5-VL-7B", "DeepPerception-7B", "Fine-R1-3B", "Fine-R1-7B"];

/** The paper's cells and the run's, of the sets that both have; empty where they share none. */
export function besidePaper(
  rows: readonly PredictionRow[],
  facts: RunFacts,
  models: readonly string[] = BESIDE,
): LongCell[] {
  const sets = new Set(rows.map((row) => row.domain));
  const shared = SET_NAMES.filter((set) => sets.has(set));
  if (shared.length === 0) return [];
  const own = runLong(resultsTable(rows), { run: facts.run, benchmark: facts.benchmark });
  const paper = (["closed", "open"] as const).flatMap((setting) => paperLong(readPaperTable(setting), setting));
  const names: readonly string[] = shared;
  return [...paper.filter((cell) => models.includes(cell.model)), ...own].filter((cell) => names.includes(cell.set));
}

/** One world and split: models down, sets across, the plain mean over the sets last (the paper's average). */
export function besideTable(cells: readonly LongCell[], of: { setting: Setting; split: Split }): TableRow[] {
  return pivotSets(cells, of);
}

/** What differs between the run and the paper's protocol, in sentences; empty where nothing does that can be told. */
export function differencesFromPaper(rows: readonly PredictionRow[], facts: RunFacts): string[] {
  const sets = [...new Set(rows.map((row) => row.domain))].filter((set) =>
    (SET_NAMES as readonly string[]).includes(set),
  );
  if (sets.length === 0) return [];
  const images = new Set(rows.map((row) => row.image_path)).size;
  return [
    ...(facts.optionOrder === "shuffled"
      ? ["Options are shuffled here; the released rows show the truth first (eval.optionOrder=released)."]
      : []),
    ...(facts.limit > 0
      ? [`${facts.limit} questions of each world were drawn here (${images} images); the paper asks all.`]
      : []),
    `The base is ${facts.model}; the paper's are the models that its rows name.`,
    ...(sets.length < SET_NAMES.length ? [`Averages are over ${sets.join(", ")}; the paper's are over six sets.`] : []),
  ];
}
