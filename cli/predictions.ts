/** `predictions`: what other evaluation tools left, as rows of this project. */
import * as path from "node:path";
import { joinPredictions, readAnswers, readPredictionFile } from "../lib/export/predictions";
import { scoreRows } from "../lib/eval/score";
import { writeJsonl } from "../lib/util/files";
import type { PredictionsOptions } from "./commands/predictions";
import { note, print, printJson } from "./output";
import { describeScores } from "./score";

/**
 * @returns exit code: 0; 2 where rows were left out or questions have no answer
 * @throws Error where a file cannot be read, or no row answers a question of the export
 */
export async function run(options: PredictionsOptions, file: string): Promise<number> {
  const { answers: dir, method, seed, json } = options;
  const answers = readAnswers(dir);
  const read = await readPredictionFile(file);
  const { rows, skipped, missing } = joinPredictions(answers, read.predictions, { file, method, seed });
  const leftOut = [...read.skipped, ...skipped];
  for (const { line, reason } of leftOut) note(`${file}, row ${line}: left out: ${reason}`);
  if (rows.length === 0) throw new Error(`${file}: no row answers a question of ${dir}; nothing was written`);
  const out = path.resolve(options.out ?? `${file.slice(0, -path.extname(file).length)}.predictions.jsonl`);
  writeJsonl(out, rows);
  const letters = rows.filter(({ raw_output }) => raw_output !== undefined).length;
  if (missing > 0) note(`${file}: ${missing} questions of ${dir} have no answer there, which scores leave out`);
  const settings = [...new Set(rows.map(({ setting }) => setting))];
  const scores = settings.map((setting) => {
    const own = rows.filter((row) => row.setting === setting);
    return { setting, own, summary: scoreRows(own, setting) };
  });
  if (json)
    printJson({
      out,
      rows: rows.length,
      letters,
      missing,
      left_out: leftOut.length,
      scores: scores.map(({ setting, summary }) => ({ setting, ...summary })),
    });
  else {
    print(`${out}: ${rows.length} rows, ${letters} letters read as options, ${leftOut.length} left out`);
    for (const { setting, own, summary } of scores) print(describeScores(out, own, setting, summary).trimEnd());
  }
  return leftOut.length + missing > 0 ? 2 : 0;
}
