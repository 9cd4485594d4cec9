/**
 * The contrastive baselines beside the project's own methods: read from saved predictions, published as a figure with
 * its table.
 */
import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import * as aq from "arquero";
import { overview } from "../../eval/overview";
import { readPredictions, type PredictionRow } from "../../eval/rows";
import { provenance } from "../identity";
import { runFolder } from "../run";
import type { Settings } from "../settings";
import { methodBarsFigure } from "../../report/figures";
import { methodRows, publishedFile, publishFolder, type RunHome } from "../publish";
import { saveFigures } from "../../report/static-figures";
import type { TableRow } from "../../report/tables";

/** A run's rows of a kind (`predictions`, `baselines`); none where the folder is missing or empty. */
export function readRunRows(settings: Pick<Settings, "run">, kind: "predictions" | "baselines"): PredictionRow[] {
  const folder = path.join(runFolder(settings), kind);
  return existsSync(folder) ? readPredictions(folder).rows : [];
}

/**
 * The lines of a CSV that a run published, or (of the run `main`) that is committed in `figures/`; null where there is
 * none.
 */
export function readPublished(settings: Pick<Settings, "run">, name: "contrastive" | "probes"): TableRow[] | null {
  const file = publishedFile(settings, `${name}.csv`);
  return file === null ? null : (aq.fromCSV(readFileSync(file, "utf8")).objects() as TableRow[]);
}

/**
 * Writes `contrastive.svg`, `.csv` and its stamp: the baselines, and the run's methods where their predictions are
 * there.
 * @returns the CSV's path
 * @throws Error where the run has no baselines
 */
export async function publishContrastive({ settings, benchmark }: RunHome): Promise<string> {
  const baselines = readRunRows(settings, "baselines");
  if (baselines.length === 0)
    throw new Error(
      `${runFolder(settings)}/baselines: nothing there; npm run -s fine-r1 -- contrastive --run ${settings.run} makes it`,
    );
  const methods = overview([...readRunRows(settings, "predictions"), ...baselines]);
  await saveFigures(
    [
      {
        name: "contrastive",
        figure: methodBarsFigure(methods),
        rows: methodRows(methods),
        provenance: provenance(settings, benchmark.fingerprint),
      },
    ],
    publishFolder(settings),
  );
  return path.join(publishFolder(settings), "contrastive.csv");
}
