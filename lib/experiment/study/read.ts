/** The study's committed results, as a notebook shows them. */
import type { PredictionRow } from "../../eval/rows";
import { archived, readArchived, type ResultSource } from "./archive";
import type { RowsByMethod } from "./contrasts";
import { archiveOf, groupFolder } from "./places";
import { studyTables, type StudyTables } from "./tables";
import type { Group } from "./variants";

export interface StudyResults extends StudyTables {
  rows: RowsByMethod;
  sources: ResultSource[];
}

/** Every committed prediction of a folder, or of some seeds; null where there is none. */
function readRows(
  folder: string,
  seeds?: readonly number[],
): { rows: Map<string, PredictionRow[]>; sources: ResultSource[] } | null {
  const place = archiveOf(folder);
  const sources = archived(place).filter(({ seed }) => seeds?.includes(seed) ?? true);
  if (sources.length === 0) return null;
  const rows = new Map<string, PredictionRow[]>();
  for (const source of sources) {
    const { rows: own } = readArchived(place, source);
    rows.set(source.variant, [...(rows.get(source.variant) ?? []), ...own]);
  }
  return { rows, sources };
}

/**
 * For the tables of the test group, dev's committed predictions; null for dev, or where there are none.
 * @throws Error naming the file that is not as it was committed
 */
export const devRowsFor = (group: Group): RowsByMethod | null =>
  group === "test" ? (readRows(groupFolder("dev"))?.rows ?? null) : null;

/**
 * Every committed prediction of a group, and what they say; null where there is none.
 * @param seeds only these; default all
 * @throws Error naming the file that is not as it was committed
 */
export function readStudy(
  group: Group,
  seeds?: readonly number[],
  folder: string = groupFolder(group),
): StudyResults | null {
  const read = readRows(folder, seeds);
  return read && { ...studyTables(read.rows, group, devRowsFor(group)), ...read };
}
