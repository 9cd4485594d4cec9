/** `table`: the results table again, from the saved predictions alone. */
import * as path from "node:path";
import { parseArgs } from "node:util";
import { overview } from "../lib/eval/overview";
import { alwaysFirst } from "../lib/eval/positions";
import { resultsTable, resultsToCsv } from "../lib/eval/results";
import { readPredictions } from "../lib/eval/rows";
import { summariseMethods } from "../lib/eval/summary";
import { writeAtomically } from "../lib/report/static-figures";
import { repositoryRoot } from "../lib/util/root";
import { similaritiesOrReason, similarityTable } from "./similarity";
import { mcnemarTable, overviewTable, summaryTable, toMarkdown } from "../lib/report/tables";

const USAGE =
  "npm run -s fine-r1 -- table [--run main] [--predictions DIR] [--out FILE] [--metric substring|exact] [--skip-bad-rows] [--csv] [--baselines] [--similarity DIR]";

/**
 * Reads `data/runs/<run>/predictions/*.jsonl` (or `--predictions DIR`), prints methods x (closed seen, closed unseen,
 * open seen, open unseen, mean) with intervals, and writes the CSV: to `--out`; else `figures/results.csv` for the run
 * `main`, `data/runs/<run>/results.csv` for another, and nowhere for `--predictions`. `--csv` prints the CSV instead.
 * `--baselines` adds the rows of the folder `baselines` beside it (`contrastive`, `zero-shot`) and writes only to `--out`.
 * `--similarity DIR` adds the open world's semantic similarity where that directory has a text tower.
 * @returns exit code: 0; 1, with nothing written, where a line cannot be used (unless `--skip-bad-rows`) or nothing is there
 */
export async function run(args: string[]): Promise<number> {
  try {
    const { values } = parseArgs({
      args,
      options: {
        run: { type: "string", default: "main" },
        predictions: { type: "string" },
        out: { type: "string" },
        metric: { type: "string", default: "substring" },
        "skip-bad-rows": { type: "boolean", default: false },
        csv: { type: "boolean", default: false },
        baselines: { type: "boolean", default: false },
        similarity: { type: "string" },
      },
    });
    const { metric } = values;
    const name = values.run!;
    if (metric !== "substring" && metric !== "exact")
      throw new Error(`--metric is ${metric}; substring or exact expected; ${USAGE}`);
    if (!/^\w[\w.-]*$/.test(name)) throw new Error(`--run is "${name}"; letters, digits, -, _ and . only; ${USAGE}`);
    const root = repositoryRoot();
    const directory = values.predictions ?? path.join(root, "data", "runs", name, "predictions");
    const standard =
      name === "main"
        ? path.join(root, "figures", "results.csv")
        : path.join(root, "data", "runs", name, "results.csv");
    const out = values.out ?? (values.predictions === undefined && !values.baselines ? standard : undefined);

    const read = [
      await readPredictions(directory),
      ...(values.baselines
        ? [await readPredictions(path.join(path.dirname(path.resolve(directory)), "baselines"))]
        : []),
    ];
    const [rows, skipped, files] = [
      read.flatMap((part) => part.rows),
      read.flatMap((part) => part.skipped),
      read.flatMap((part) => part.files),
    ];
    for (const { file, line, reason } of skipped) process.stderr.write(`${file}, line ${line}: ${reason}\n`);
    if (skipped.length > 0 && !values["skip-bad-rows"]) {
      throw new Error(
        `${skipped.length} lines cannot be used, nothing is written; mend them, or leave them out with --skip-bad-rows`,
      );
    }
    if (rows.length === 0) throw new Error(`no rows in ${directory}`);
    const csv = resultsToCsv(resultsTable(rows));
    if (out !== undefined) await writeAtomically(out, csv);
    if (values.csv) {
      process.stdout.write(csv);
      return 0;
    }
    const methods = new Set(rows.map((row) => row.method));
    const open = rows.filter((row) => row.setting === "open");
    const similarities = values.similarity === undefined ? null : await similaritiesOrReason(values.similarity, open);
    const closed = alwaysFirst(rows.filter((row) => row.setting === "closed"));
    const sections = [
      `${rows.length} predictions in ${files.length} files, ${skipped.length} skipped. Accuracy in % (${metric}), every domain pooled, 95 % intervals over test images`,
      toMarkdown(overviewTable(overview(rows, metric))),
      ...(similarities
        ? [
            `Semantic similarity in % (${values.similarity}), 95 % intervals over test images`,
            toMarkdown(similarityTable(open, similarities)),
          ]
        : []),
      toMarkdown(summaryTable(summariseMethods(rows))),
      `Always the first option, closed world: ${(100 * closed.substring).toFixed(1)} % of ${closed.n}\n`,
      ...["sft", "cls-rl"]
        .filter((reference) => methods.has(reference) && methods.size > 1)
        .map((reference) => toMarkdown(mcnemarTable(rows, reference, metric))),
    ];
    process.stdout.write(
      `${sections.join("\n")}${out === undefined ? "" : `\nWritten: ${path.relative(process.cwd(), out)}\n`}`,
    );
    return 0;
  } catch (error) {
    process.stderr.write(`table: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}
