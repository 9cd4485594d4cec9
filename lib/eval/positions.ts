/** Controls for closed-world tables (deviation 7): what the order of the options gives away, and flawed options. */
import { normaliseName } from "../reward/listing";
import type { ScorableRow } from "./rows";
import { scoreRow } from "./score";

/** What the policy "always the first option" would score on these rows. */
export interface AlwaysFirst {
  n: number;
  /** By the paper's rule: the first option contains the truth. */
  substring: number;
  /** The first option is the truth. */
  exact: number;
}

const isTruth = (option: string, row: ScorableRow): boolean =>
  normaliseName(option) === normaliseName(row.ground_truth);

const withOptions = (rows: readonly ScorableRow[]): (ScorableRow & { options: string[] })[] =>
  rows.filter((row): row is ScorableRow & { options: string[] } => (row.options?.length ?? 0) > 0);

/** Scores "always the first option" on the rows that have options. Released rows score 1; shuffled ones about 1/4. */
export function alwaysFirst(rows: readonly ScorableRow[]): AlwaysFirst {
  const closed = withOptions(rows);
  const share = (hits: number): number => (closed.length === 0 ? 0 : hits / closed.length);
  return {
    n: closed.length,
    substring: share(
      closed.filter((row) => normaliseName(row.options[0]).includes(normaliseName(row.ground_truth))).length,
    ),
    exact: share(closed.filter((row) => isTruth(row.options[0], row)).length),
  };
}

/** Accuracy (the paper's rule) by the position of the truth, 0 first; -1: the truth is not among the options. */
export function accuracyByPosition(
  rows: readonly ScorableRow[],
): { position: number; n: number; correct: number; accuracy: number }[] {
  const byPosition = new Map<number, { n: number; correct: number }>();
  for (const row of withOptions(rows)) {
    const position = row.options.findIndex((option) => isTruth(option, row));
    const cell = byPosition.get(position) ?? { n: 0, correct: 0 };
    cell.n++;
    if (scoreRow(row, "closed").substring) cell.correct++;
    byPosition.set(position, cell);
  }
  return [...byPosition]
    .sort(([a], [b]) => a - b)
    .map(([position, { n, correct }]) => ({ position, n, correct, accuracy: correct / n }));
}

/** How many rows have a wrong option that contains the truth's name, and so scores as right. */
export function ambiguousRows(rows: readonly ScorableRow[]): number {
  return withOptions(rows).filter((row) =>
    row.options.some(
      (option) => !isTruth(option, row) && normaliseName(option).includes(normaliseName(row.ground_truth)),
    ),
  ).length;
}
