/** `score`: scores any predictions file again, without a model. */
import { alwaysFirst, accuracyByPosition, ambiguousRows } from "../lib/eval/positions";
import { readRows, type PredictionRow, type ScorableRow, type Setting } from "../lib/eval/rows";
import { scoreRows, type ScoreSummary } from "../lib/eval/score";
import { meanSimilarity } from "../lib/eval/similarity";
import { readFile } from "node:fs/promises";
import type { ScoreOptions } from "./commands/score";
import { note, print, printJson } from "./output";
import { similaritiesOrReason } from "./similarity";

/** A file of names, one a line, for listing in the open world. */
async function readNames(file: string): Promise<string[]> {
  const text = await readFile(file, "utf8").catch(() => {
    throw new Error(`cannot read ${file}: --names takes a text file with one name a line`);
  });
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

const percent = (x: number): string => `${(100 * x).toFixed(2)} %`;

/**
 * Scores for people; in the closed world with the always-first policy and accuracy by the truth's position. Lines end
 * in a newline.
 */
export function describeScores(
  title: string,
  rows: readonly ScorableRow[],
  setting: Setting,
  summary: ScoreSummary,
): string {
  const scores =
    `${title}, ${setting} world: ${summary.n} rows, ${summary.skipped} skipped\n` +
    `substring ${percent(summary.substring)}   exact ${percent(summary.exact)}   listing ${percent(summary.listing)}\n`;
  const first = alwaysFirst(rows);
  if (setting === "open" || first.n === 0) return scores;
  const positions = accuracyByPosition(rows).map(
    ({ position, n, accuracy }) => `${position < 0 ? "not among them" : position + 1}: ${percent(accuracy)} of ${n}`,
  );
  return (
    `${scores}always the first option: substring ${percent(first.substring)}, exact ${percent(first.exact)}\n` +
    `by the truth's position: ${positions.join(", ")}\nrows where a wrong option contains the truth: ${ambiguousRows(rows)}\n`
  );
}

/**
 * `--json` prints `{n, skipped, substring, exact, listing}` (fractions of n) on one line; otherwise a few lines for
 * people, with the always-first policy and accuracy by the truth's position where rows have options. `--similarity DIR`
 * adds the mean semantic similarity (open world; a directory with SigLIP's text tower). Bad lines go to stderr with
 * file and line.
 * @returns exit code: 0; 2 where lines were skipped; 1 where no row could be scored
 * @throws Error where a file cannot be read
 */
export async function run(options: ScoreOptions): Promise<number> {
  const { predictions, setting, carException, json } = options;
  const names = options.names === undefined ? undefined : await readNames(options.names);
  const { rows, skipped } = readRows(predictions);
  for (const { file, line, reason } of skipped) note(`${file}, line ${line}: skipped: ${reason}`);
  const foreign = rows.filter((row) => ((row as Partial<PredictionRow>).setting ?? setting) !== setting).length;
  if (foreign > 0)
    note(
      `${predictions}: ${foreign} of ${rows.length} rows say another setting than ${setting}; scored as ${setting} all the same`,
    );
  const summary = scoreRows(rows, setting, { names, carException }, skipped);
  const similarity = await similarityOf(options, rows);
  if (json) printJson({ ...summary, ...(similarity ? { similarity: similarity.mean } : {}) });
  else {
    print(describeScores(predictions, rows, setting, summary).trimEnd());
    if (similarity)
      print(`similarity ${percent(similarity.mean)} [${percent(similarity.low)}, ${percent(similarity.high)}]`);
  }
  if (skipped.length > 0) note(`${predictions}: ${skipped.length} lines skipped, which the fractions leave out`);
  if (rows.length === 0) note(`${predictions}: no row could be scored`);
  if (rows.length === 0) return 1;
  return skipped.length > 0 ? 2 : 0;
}

/** The mean semantic similarity where it is asked for and can be computed. */
async function similarityOf({ similarity, setting }: ScoreOptions, rows: readonly ScorableRow[]) {
  if (similarity === undefined) return null;
  const similarities = await similaritiesOrReason(similarity, setting === "open" ? rows : []);
  return similarities && meanSimilarity(similarities);
}
