/** `table`: the results table again, from the saved predictions alone. */
import * as path from "node:path";
import { overview } from "../lib/eval/overview";
import { alwaysFirst } from "../lib/eval/positions";
import { resultsTable, resultsToCsv } from "../lib/eval/results";
import { readPredictions, type PredictionRow } from "../lib/eval/rows";
import { summariseMethods } from "../lib/eval/summary";
import { writeAtomically } from "../lib/report/static-figures";
import { toLatex } from "../lib/report/latex";
import {
  mcnemarTable,
  overviewTable,
  summaryTable,
  toMarkdown,
  unequalQuestions,
  withLabels,
} from "../lib/report/tables";
import { repositoryRoot } from "../lib/util/root";
import type { TableOptions } from "./commands/table";
import { note, print, printPiece } from "./output";
import { similaritiesOrReason, similarityTable } from "./similarity";

type Predictions = ReturnType<typeof readPredictions>;

/** Folder of the predictions, and the file of the CSV; undefined where none is written. */
function placesOf({ run: name, predictions, out, baselines }: TableOptions): { directory: string; out?: string } {
  const root = repositoryRoot();
  const standard = path.join(root, "data", "runs", name, "figures", "results.csv");
  return {
    directory: predictions ?? path.join(root, "data", "runs", name, "predictions"),
    out: out ?? (predictions === undefined && !baselines ? standard : undefined),
  };
}

/**
 * Predictions of the folder, with those of `baselines` beside it where asked.
 * @throws Error under `stop` where a line is bad, or where there is no row
 */
function read(directory: string, { baselines, onBadRow }: Pick<TableOptions, "baselines" | "onBadRow">): Predictions {
  const beside = path.join(path.dirname(path.resolve(directory)), "baselines");
  const parts = [readPredictions(directory), ...(baselines ? [readPredictions(beside)] : [])];
  const rows = parts.flatMap((part) => part.rows);
  const skipped = parts.flatMap((part) => part.skipped);
  for (const { file, line, reason } of skipped) note(`${file}, line ${line}: ${reason}`);
  if (skipped.length > 0 && onBadRow === "stop")
    throw new Error(
      `${skipped.length} lines cannot be used, nothing is written; mend them, or leave them out (--on-bad-row skip)`,
    );
  if (rows.length === 0) throw new Error(`no rows in ${directory}`);
  return { ...parts[0], rows, skipped, files: parts.flatMap((part) => part.files) };
}

/** The open world's semantic similarity where a text tower is at hand. */
async function similaritySections({ similarity }: TableOptions, rows: readonly PredictionRow[]): Promise<string[]> {
  if (similarity === undefined) return [];
  const open = rows.filter((row) => row.setting === "open");
  const similarities = await similaritiesOrReason(similarity, open);
  if (!similarities) return [];
  return [
    `Semantic similarity in % (${similarity}), 95 % intervals over test images`,
    toMarkdown(similarityTable(open, similarities)),
  ];
}

/** Methods by closed and open world, seen and unseen. */
function describeAccuracy({ rows, files, skipped }: Predictions, metric: TableOptions["metric"]): string {
  return [
    `${rows.length} predictions in ${files.length} files, ${skipped.length} skipped. Accuracy in % (${metric}), every domain pooled, 95 % intervals over test images`,
    toMarkdown(overviewTable(overview(rows, metric))),
    ...unequalQuestions(rows).map((line) => `${line}\n`),
  ].join("\n");
}

/** The end of the main job: accuracies, and where the rest is. @throws Error where the run has no predictions */
export function printAccuracy(run: string): void {
  const folder = path.join(repositoryRoot(), "data/runs", run);
  const predictions = read(path.join(folder, "predictions"), { baselines: false, onBadRow: "stop" });
  print(describeAccuracy(predictions, "substring"));
  const shown = (name: string): string => path.relative(process.cwd(), path.join(folder, name));
  print(`figures: ${shown("figures")}; notebooks with their outputs: ${shown("notebooks")}`);
  print(`tests of the differences, format and length: npm run -s fine-r1 -- table --run ${run}`);
}

/** The tables for people. */
async function describe(options: TableOptions, predictions: Predictions): Promise<string> {
  const { metric } = options;
  const { rows } = predictions;
  const methods = new Set(rows.map((row) => row.method));
  const closed = alwaysFirst(rows.filter((row) => row.setting === "closed"));
  const references = ["sft", "cls-rl"].filter((reference) => methods.has(reference) && methods.size > 1);
  return [
    describeAccuracy(predictions, metric),
    ...(await similaritySections(options, rows)),
    toMarkdown(summaryTable(summariseMethods(rows))),
    `Always the first option, closed world: ${(100 * closed.substring).toFixed(1)} % of ${closed.n}\n`,
    ...references.map((reference) => toMarkdown(mcnemarTable(rows, reference, metric))),
  ].join("\n");
}

/**
 * Prints methods x (closed seen, closed unseen, open seen, open unseen, mean) with intervals, and writes the CSV.
 * `--csv` prints the CSV instead, `--latex` the main table as LaTeX.
 * @returns exit code 0
 * @throws Error, with nothing written, where a line cannot be used (unless it is to be skipped) or nothing is there
 */
export async function run(options: TableOptions): Promise<number> {
  const { directory, out } = placesOf(options);
  const predictions = read(directory, options);
  const csv = resultsToCsv(resultsTable(predictions.rows));
  if (out !== undefined) await writeAtomically(out, csv);
  if (options.csv) {
    if (process.stdout.isTTY) printPiece(csv);
    else process.stdout.write(csv);
    return 0;
  }
  if (options.latex) {
    printPiece(toLatex(withLabels(overviewTable(overview(predictions.rows, options.metric)))));
    return 0;
  }
  printPiece(await describe(options, predictions));
  if (out !== undefined) print(`\nWritten: ${path.relative(process.cwd(), out)}`);
  return 0;
}
