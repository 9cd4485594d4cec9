/**
 * From a run's saved predictions and logs to its tables and figures: everything is read from disk, nothing is trained.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { overview, type OverviewRow } from "../eval/overview";
import { resultsFromCsv, resultsTable, resultsToCsv, type ResultRow } from "../eval/results";
import { readPredictions, type PredictionRow } from "../eval/rows";
import { METHOD_NAMES, RL_METHODS, SFT_METHODS } from "../train/methods";
import { provenance } from "./identity";
import { repositoryRoot } from "../util/root";
import { modelFolder } from "./model-folder";
import { runFolder } from "./run";
import type { StageHome } from "./stage";
import { readJsonl, writeText } from "../util/files";
import type { Settings } from "./settings";
import { learningCurvesFigure, lossFigure, methodBarsFigure, seenUnseenFigure, type Curve } from "../report/figures";
import { writeManifest } from "./manifest";
import { writeCardResults } from "./model-card";
import { saveFigures, type FigureFile } from "../report/static-figures";

/** What publishing needs of a run. */
export type RunHome = Pick<StageHome, "settings" | "benchmark" | "folder">;

type LogRow = Record<string, number | null>;

/** Logs of a run by name (`logs/<name>.jsonl`). */
export function readLogs(folder: string): Map<string, LogRow[]> {
  const logs = path.join(folder, "logs");
  if (!existsSync(logs)) return new Map();
  const files = readdirSync(logs)
    .filter((file) => file.endsWith(".jsonl"))
    .sort();
  return new Map(files.map((file) => [file.slice(0, -".jsonl".length), readJsonl<LogRow>(path.join(logs, file))]));
}

/** Learning curves of RL logs. */
export function rlCurves(logs: ReadonlyMap<string, readonly LogRow[]>): Curve[] {
  return RL_METHODS.filter((name) => logs.has(name)).map((method) => {
    const rows = logs.get(method)!;
    const names = Object.keys(rows[0] ?? {}).filter((name) => name !== "step");
    return {
      method,
      step: rows.map((row) => row.step as number),
      metrics: Object.fromEntries(names.map((name) => [name, rows.map((row) => row[name])])),
    };
  });
}

/** The loss curve of the base's pre-training, from the CSV beside its weights; null where there is none. */
export function pretrainingCurve(modelFolder: string): { step: number[]; language: number[] } | null {
  const file = path.join(modelFolder, "pretraining.csv");
  if (!existsSync(file)) return null;
  const [header, ...lines] = readFileSync(file, "utf8").trim().split("\n");
  const columns = header.split(",");
  const column = (name: string): number[] => lines.map((line) => Number(line.split(",")[columns.indexOf(name)]));
  return { step: column("step"), language: column("language") };
}

/** The overview as lines of a CSV: the numbers behind the bars. */
export function methodRows(methods: readonly OverviewRow[]): object[] {
  return methods.flatMap(({ method, cells, mean }) =>
    [...cells, mean].map((cell, i) => ({
      method,
      cell: ["closed seen", "closed unseen", "open seen", "open unseen", "mean"][i],
      accuracy: cell?.accuracy ?? null,
      low: cell?.low ?? null,
      high: cell?.high ?? null,
    })),
  );
}

/** The figures that a run's files allow. */
export function runFigures({ settings, benchmark, folder }: RunHome, rows: readonly PredictionRow[]): FigureFile[] {
  const source = provenance(settings, benchmark.fingerprint);
  const figures: FigureFile[] = [];
  const add = (name: string, figure: FigureFile["figure"], table: readonly object[]): void => {
    figures.push({ name, figure, rows: table, provenance: source });
  };
  if (rows.length > 0) {
    const table = resultsTable(rows);
    const of = (setting: "closed" | "open"): object[] =>
      table.filter((row) => row.setting === setting && row.metric === "substring");
    add("seen-unseen-closed", seenUnseenFigure(table, { setting: "closed" }), of("closed"));
    add("seen-unseen-open", seenUnseenFigure(table, { setting: "open" }), of("open"));
    const methods = overview(rows);
    add("methods", methodBarsFigure(methods), methodRows(methods));
  }
  const logs = readLogs(folder);
  const curves = rlCurves(logs);
  if (curves.length > 0)
    add(
      "learning-curves",
      learningCurvesFigure(curves),
      RL_METHODS.flatMap((method) => (logs.get(method) ?? []).map(({ seconds: _, ...row }) => ({ method, ...row }))),
    ); // wall-clock is no result
  const sft = SFT_METHODS.filter((name) => logs.has(name));
  if (sft.length > 0) {
    const losses = sft.map((name) => ({
      name,
      step: logs.get(name)!.map((row) => row.step as number),
      loss: logs.get(name)!.map((row) => row.loss),
    }));
    add(
      "sft-loss",
      lossFigure(losses, "SFT loss"),
      sft.flatMap((name) => logs.get(name)!.map((row) => ({ method: name, ...row }))),
    );
  }
  const pretraining = pretrainingCurve(modelFolder(settings));
  if (pretraining)
    add(
      "pretraining",
      lossFigure([{ name: "base", step: pretraining.step, loss: pretraining.language }], "Pre-training loss", 25),
      pretraining.step.map((step, i) => ({ step, loss: pretraining.language[i] })),
    );
  return figures;
}

/** Where a run publishes: `figures` in its own folder. Figures under git change by `npm run refresh` alone. */
export function publishFolder(settings: Pick<Settings, "run">): string {
  return path.join(runFolder(settings), "figures");
}

/** A file that a run published, or (of the run `main`) that is committed in `figures/`; null where there is none. */
export function publishedFile(settings: Pick<Settings, "run">, name: string): string | null {
  const committed = settings.run === "main" ? [path.join(repositoryRoot(), "figures")] : [];
  const found = [publishFolder(settings), ...committed].map((folder) => path.join(folder, name)).find(existsSync);
  return found ?? null;
}

/** The published results of a run. @throws Error where they are missing or cannot be read */
export function readOwnResults(settings: Pick<Settings, "run">): ResultRow[] {
  const file = publishedFile(settings, "results.csv");
  if (file === null) throw new Error(`${publishFolder(settings)}/results.csv: no such file; notebook 04 makes it`);
  return resultsFromCsv(readFileSync(file, "utf8"), file);
}

/**
 * Writes `results.csv`, all figures, the manifest, and results into the models' cards; returns the rows they were made
 * from.
 */
export async function publish(home: RunHome): Promise<PredictionRow[]> {
  const { settings, folder } = home;
  const { rows } = existsSync(path.join(folder, "predictions"))
    ? readPredictions(path.join(folder, "predictions"))
    : { rows: [] };
  const target = publishFolder(settings);
  if (rows.length > 0) writeText(path.join(target, "results.csv"), resultsToCsv(resultsTable(rows)));
  await saveFigures(runFigures(home, rows), target);
  for (const method of METHOD_NAMES)
    writeCardResults(
      path.join(folder, "models", method),
      rows.filter((row) => row.method === method),
      settings.eval.role,
    );
  writeManifest(home, { predictions: rows.length });
  return rows;
}
