/** `score`: scores any predictions file again, without a model. */
import { parseArgs } from "node:util";
import { alwaysFirst, accuracyByPosition, ambiguousRows } from "../lib/eval/positions";
import { readRows, type PredictionRow, type ScorableRow, type Setting } from "../lib/eval/rows";
import { scoreRows, type ScoreSummary } from "../lib/eval/score";
import { meanSimilarity } from "../lib/eval/similarity";
import { readFile } from "node:fs/promises";
import { similaritiesOrReason } from "./similarity";

const USAGE =
  "npm run -s fine-r1 -- score --predictions FILE --setting closed|open [--json] [--names FILE] [--no-car-exception] [--similarity DIR]\nexits 2 where lines were skipped";

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

/** Scores for people; in the closed world with the always-first policy and accuracy by the truth's position. Lines end in a newline. */
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
 * adds the mean semantic similarity (open world; a directory with SigLIP's text tower). Bad lines go to stderr with file and line.
 * @returns exit code: 0; 2 where lines were skipped, which the fractions leave out; 1 where the file or an argument is bad, or no row
 * could be scored
 */
export async function run(args: string[]): Promise<number> {
  try {
    const { values } = parseArgs({
      args,
      options: {
        predictions: { type: "string" },
        setting: { type: "string" },
        names: { type: "string" },
        similarity: { type: "string" },
        json: { type: "boolean", default: false },
        "no-car-exception": { type: "boolean", default: false },
      },
    });
    const { predictions, setting } = values;
    if (predictions === undefined) throw new Error(`--predictions is missing; ${USAGE}`);
    if (setting !== "closed" && setting !== "open")
      throw new Error(`--setting is ${setting ?? "missing"}; closed or open expected; ${USAGE}`);
    const names = values.names === undefined ? undefined : await readNames(values.names);
    const { rows, skipped } = await readRows(predictions);
    for (const { file, line, reason } of skipped) process.stderr.write(`${file}, line ${line}: skipped: ${reason}\n`);
    const foreign = rows.filter((row) => ((row as Partial<PredictionRow>).setting ?? setting) !== setting).length;
    if (foreign > 0)
      process.stderr.write(
        `${predictions}: ${foreign} of ${rows.length} rows say another setting than ${setting}; scored as ${setting} all the same\n`,
      );
    const summary = scoreRows(rows, setting, { names, carException: !values["no-car-exception"] }, skipped);
    const similarities =
      values.similarity === undefined
        ? null
        : await similaritiesOrReason(values.similarity, setting === "open" ? rows : []);
    const similarity = similarities && meanSimilarity(similarities);
    if (values.json)
      process.stdout.write(
        `${JSON.stringify({ ...summary, ...(similarity ? { similarity: similarity.mean } : {}) })}\n`,
      );
    else
      process.stdout.write(
        describeScores(predictions, rows, setting, summary) +
          (similarity
            ? `similarity ${percent(similarity.mean)} [${percent(similarity.low)}, ${percent(similarity.high)}]\n`
            : ""),
      );
    if (skipped.length > 0)
      process.stderr.write(`${predictions}: ${skipped.length} lines skipped, which the fractions leave out\n`);
    if (rows.length === 0) process.stderr.write(`${predictions}: no row could be scored\n`);
    if (rows.length === 0) return 1;
    return skipped.length > 0 ? 2 : 0;
  } catch (error) {
    process.stderr.write(`score: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}
