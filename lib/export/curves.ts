/** Curves of all logs in a run's folder, whoever wrote them. */
import { rmSync } from "node:fs";
import * as path from "node:path";
import { codeHash } from "../experiment/identity";
import { readLogs } from "../experiment/publish";
import { learningCurvesFigure, lossFigure, type Curve } from "../report/figures";
import { saveFigures, sha256, type FigureFile } from "../report/static-figures";

type Logs = ReturnType<typeof readLogs>;

const curveOf = (method: string, rows: NonNullable<ReturnType<Logs["get"]>>): Curve => ({
  method,
  step: rows.map((row) => row.step as number),
  metrics: Object.fromEntries(
    Object.keys(rows[0])
      .filter((name) => name !== "step")
      .map((name) => [name, rows.map((row) => row[name])]),
  ),
});

const NAMES = ["learning-curves", "sft-loss"] as const;

/** The figures that a run's logs allow: rewards and the like of Stage 2, losses of Stage 1. */
export function curveFigures(logs: Logs): FigureFile[] {
  const all = [...logs].filter(([, rows]) => rows.length > 0);
  const rl = all.filter(([, rows]) => "reward" in rows[0]);
  const sft = all.filter(([, rows]) => "loss" in rows[0]);
  const file = (name: (typeof NAMES)[number], figure: FigureFile["figure"], of: typeof all): FigureFile => {
    const table = of.flatMap(([method, rows]) => rows.map((row) => ({ method, ...row })));
    const data = sha256(JSON.stringify(table));
    return { name, figure, rows: table, provenance: { code: codeHash(), settings: sha256(name), data } };
  };
  const losses = sft.map(([name, rows]) => ({
    name,
    step: rows.map((row) => row.step as number),
    loss: rows.map((row) => row.loss),
  }));
  return [
    ...(rl.length > 0
      ? [file("learning-curves", learningCurvesFigure(rl.map(([name, rows]) => curveOf(name, rows))), rl)]
      : []),
    ...(sft.length > 0 ? [file("sft-loss", lossFigure(losses, "SFT loss"), sft)] : []),
  ];
}

/**
 * Draws them into `figures` of the run's folder, and removes those that no log is left for. A browser that does not
 * start is no reason to lose an import.
 */
export async function drawCurves(folder: string): Promise<string[] | { reason: string }> {
  const figures = curveFigures(readLogs(folder));
  const directory = path.join(folder, "figures");
  for (const gone of NAMES.filter((one) => figures.every(({ name }) => name !== one)))
    for (const ending of ["svg", "csv", "stamp.json"])
      rmSync(path.join(directory, `${gone}.${ending}`), { force: true });
  if (figures.length === 0) return [];
  try {
    return await saveFigures(figures, directory);
  } catch (error) {
    return { reason: (error as Error).message.split("\n")[0] };
  }
}
