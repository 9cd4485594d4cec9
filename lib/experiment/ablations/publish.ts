/** The ablation study as files: `ablations.csv`, its figure, and a figure for each family. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import * as aq from "arquero";
import { ablationFigure, ablationOverviewFigure } from "../../report/figures-ablations";
import { publishedFile, publishFolder, type RunHome } from "../publish";
import { saveFigures, type FigureFile } from "../../report/static-figures";
import { hashSettings, provenance } from "../identity";
import type { Settings } from "../settings";
import { finishedVariants, type Role } from "./run";
import { ablationTable, type AblationRow } from "./table";
import { chooseVariants, familiesOf, variantSettings } from "./variants";

/** Name of the table: `ablations` for dev, `ablations-test` for test. */
const fileName = (role: Role): string => (role === "dev" ? "ablations" : "ablations-test");

/** Hash over what every variant's settings are, seeds aside. */
function studySettings(settings: Settings, role: Role): string {
  const hash = createHash("sha256");
  for (const variant of chooseVariants(settings))
    hash.update(`${variant.name} ${hashSettings(variantSettings(settings, variant, { seed: settings.seed, role }))}\n`);
  return hash.digest("hex");
}

/** Figures of a table: every variant against TAPO, and each family that it can show (`familiesOf`). */
export function ablationFigures(
  { settings, benchmark }: RunHome,
  role: Role,
  table: readonly AblationRow[],
): FigureFile[] {
  const { code, data } = provenance(settings, benchmark.fingerprint);
  const source = { code, data, settings: studySettings(settings, role) };
  const shown = familiesOf(new Set(table.map(({ variant }) => String(variant))));
  const families = shown.map(({ name, title, members }): FigureFile => ({
    name: `${fileName(role)}-${name}`,
    figure: ablationFigure(title, members, table),
    rows: members.flatMap(({ variant }) => table.filter((row) => row.variant === variant)),
    provenance: source,
  }));
  return [
    {
      name: fileName(role),
      figure: ablationOverviewFigure(table, `Variants against TAPO, ${role} images`),
      rows: table,
      provenance: source,
    },
    ...families,
  ];
}

/** Writes table and figures of what is finished under this code, data and settings; returns the table. */
export async function publishAblations(
  home: RunHome,
  role: Role,
): Promise<{ table: AblationRow[]; outdated: number; folder: string }> {
  const { results, outdated } = finishedVariants(home, role);
  const table = ablationTable(results);
  const folder = publishFolder(home.settings);
  if (table.length > 0) await saveFigures(ablationFigures(home, role, table), folder);
  return { table, outdated, folder };
}

/**
 * The published table of a run; null where there is none. `current`: whether this code, data and settings made it.
 */
export function readAblations(
  { settings, benchmark }: RunHome,
  role: Role = "dev",
): { table: AblationRow[]; current: boolean } | null {
  const csv = publishedFile(settings, `${fileName(role)}.csv`);
  const file = csv?.slice(0, -".csv".length);
  if (file === undefined || !existsSync(`${file}.stamp.json`)) return null;
  const table = (
    aq.fromCSV(readFileSync(`${file}.csv`, "utf8"), { parse: { seeds: String } }).objects() as AblationRow[]
  ).map((row) => ({ ...row }));
  const stamp = JSON.parse(readFileSync(`${file}.stamp.json`, "utf8")) as Record<string, string>;
  const { code, data } = provenance(settings, benchmark.fingerprint);
  return {
    table,
    current: stamp.code === code && stamp.data === data && stamp.settings === studySettings(settings, role),
  };
}
